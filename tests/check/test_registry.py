"""Finding exercises by name. Oracle: the names, written out."""

import subprocess
import sys

import pytest

from minqwen.check import EXERCISES, registry


def test_an_unknown_name_gets_the_nearest_ones():
    with pytest.raises(ValueError, match="did you mean causal_mask"):
        registry.find("casual_mask")
    with pytest.raises(ValueError, match=r"list\(EXERCISES\) shows all names"):
        registry.find("quantum")


def test_exercises_are_a_mapping():
    assert list(EXERCISES)[:3] == ["01_variance", "causal_mask", "scaled_dot_product_attention"]
    assert "01_variance" in EXERCISES and "variance" not in EXERCISES and EXERCISES.get("quantum") is None
    assert EXERCISES["apply_rope"] is EXERCISES["apply_rope"]


def test_importing_check_loads_no_exercise():
    code = (
        "import sys, minqwen.check; print([m for m in sys.modules if '.lesson_' in m or m.startswith('minqwen.model')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

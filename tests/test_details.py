"""The table of lesson 12 that says where each detail of PPO is tested. Oracle: Python's parser, on the tests."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LESSON = (ROOT / "notebooks" / "src" / "12_ppo.py").read_text("utf-8")
ROWS = re.findall(r"^\| (\d+) \| (.+) \| (.+) \|$", LESSON, re.MULTILINE)


def test_every_detail_has_a_row():
    assert [int(number) for number, *_ in ROWS] == list(range(1, 21))


def test_each_row_names_tests_that_exist_or_says_that_there_is_none():
    without = []
    for number, _, where in ROWS:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", where)
        without += [] if named else [number]
        for file, name in named:
            tree = ast.parse((ROOT / "tests" / "align" / file).read_text("utf-8"))
            assert name in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)], f"{number}: {name}"
    assert without == ["14", "20"]

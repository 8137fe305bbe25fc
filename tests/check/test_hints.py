"""Hints, one at a time. Oracle: the hints of an exercise, in their order."""

import pytest

from minqwen.check import EXERCISES, hint, hints


@pytest.fixture(autouse=True)
def unread(monkeypatch):
    monkeypatch.setattr(hints, "_given", hints.Counter())


def test_hints_come_one_at_a_time_and_say_how_many_are_left(capsys):
    printed = []
    for _ in range(5):
        assert hint("apply_rope") is None
        printed.append(capsys.readouterr().out)
    flat = [" ".join(text.split()) for text in printed]
    for level, words in enumerate(EXERCISES["apply_rope"].hints):
        assert f"hint {level + 1} of 4" in flat[level] and " ".join(words.split()) in flat[level]
    assert (
        "(3 more: hint('apply_rope'))" in flat[0]
        and "the earlier ones stand above; the solution is in solutions/02_positions" in flat[3]
    )
    assert printed[4] == printed[3]


def test_every_exercise_has_its_own_place_in_its_hints(capsys):
    hint("apply_rope")
    hint("rope_angles")
    hint("apply_rope")
    out = capsys.readouterr().out
    assert "rope_angles, hint 1 of 4" in out and "apply_rope, hint 2 of 4" in out


def test_a_hint_takes_the_function_or_the_number_as_well(capsys):
    def split_heads(x, n_heads): ...

    hint(split_heads)
    hint("1.5")
    printed = capsys.readouterr().out
    assert "1.5 split_heads, hint 1 of 4" in printed and "1.5 split_heads, hint 2 of 4" in printed

"""Pairs from scores, noise by a stated share, and a file that survives a crash in the middle of a line."""

import itertools
import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minqwen.align import preference
from minqwen.align.preference import Comparison, Scored

POEM = Scored("以《春》为题", ("甲", "乙", "丙\n丁", "戊"), (3, 5, None, 3))


@given(st.lists(st.none() | st.integers(1, 5), max_size=4))
@settings(deadline=None)
def test_pairs_are_those_of_different_scores_the_better_first(scores):
    expected = set()
    for i, j in itertools.combinations(range(len(scores)), 2):
        if scores[i] is not None and scores[j] is not None and scores[i] != scores[j]:
            expected.add((i, j) if scores[i] > scores[j] else (j, i))
    assert preference.pairs_from_scores(scores) == expected


def test_comparisons_know_their_gap_and_leave_out_what_is_equal():
    twice = Scored("q", ("same", "same", "other"), (1.0, 2.0, 1.5))
    found = preference.comparisons([POEM, twice])
    assert found == [
        Comparison(POEM.question, "乙", "甲", 2),
        Comparison(POEM.question, "乙", "戊", 2),
        Comparison("q", "same", "other", 0.5),
        Comparison("q", "other", "same", 0.5),
    ]
    assert preference.comparisons([POEM, twice], least=1) == found[:2]
    assert preference.comparisons([Scored("q", ("a", "b"), (2, 2))]) == []
    assert len(preference.comparisons([Scored("q", ("a", "b"), (1.0, 1.5))], least=0.5)) == 1, "the least gap counts"


def test_noise_turns_round_its_share_of_pairs_and_nothing_else():
    pairs = [Comparison("q", f"{i}+", f"{i}-", 1.0) for i in range(4000)]
    noisy = preference.with_noise(pairs, 0.3, torch.Generator().manual_seed(0))
    turned = [n for p, n in zip(pairs, noisy) if n != p]
    assert abs(len(turned) - 1200) < 4 * math.sqrt(4000 * 0.3 * 0.7)
    assert all(n.chosen[-1] == "-" and n.rejected[-1] == "+" and n.gap == -1 for n in turned)
    assert preference.with_noise(pairs, 0.0, torch.Generator()) == pairs
    assert preference.with_noise(pairs, 0.3, torch.Generator().manual_seed(0)) == noisy


def test_labels_that_are_mostly_wrong_are_refused():
    with pytest.raises(ValueError, match="say the opposite"):
        preference.with_noise([], 0.7, torch.Generator())


def test_the_file_gives_back_what_was_written(tmp_path):
    path = tmp_path / "scores.jsonl"
    other = Scored('a "question"\u2028', ("x", "\ud800"), (0.25, None))
    preference.write(path, [POEM])
    preference.append(path, other)
    assert preference.read(path) == [POEM, other]
    assert json.loads(path.read_text("utf-8").split("\n")[0])["scores"] == [3, 5, None, 3]
    fresh = tmp_path / "fresh.jsonl"
    preference.append(fresh, POEM)
    assert preference.read(fresh) == [POEM]


def test_a_file_cut_off_anywhere_loses_one_line_at_most(tmp_path):
    path = tmp_path / "scores.jsonl"
    preference.write(path, [POEM, POEM])
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first + 1, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=r"line 2 .* the other 1 can: .*skip_damaged=True"):
            preference.read(path)
        preference.append(path, POEM)
        assert preference.read(path, skip_damaged=True) == [POEM, POEM]
        assert path.read_bytes().startswith(whole[:cut]), "what stands there may still be mended by hand"


@pytest.mark.parametrize(
    ("line", "match"),
    [
        pytest.param('{"question": "q", "answers": ["a"]}', "no object with", id="a key is missing"),
        pytest.param('{"question": "q", "answers": ["a", "b"], "scores": [1]}', "a score or null for each", id="short"),
        pytest.param('{"question": "q", "answers": ["a"], "scores": [NaN]}', "no finite number", id="nan"),
        pytest.param('{"question": "q", "answers": ["a"], "scores": [-Infinity]}', "no finite number", id="infinite"),
        pytest.param('{"question": "q", "answers": ["a"], "scores": ["5"]}', "a score is no number", id="a text"),
        pytest.param('{"question": "q", "answers": ["a"], "scores": [true]}', "a score is no number", id="a truth"),
        pytest.param('{"question": 3, "answers": ["a"], "scores": [1]}', "no texts", id="no text"),
        pytest.param("[1, 2]", "no object", id="no object"),
    ],
)
def test_a_wrong_line_is_named(line, match, tmp_path):
    path = tmp_path / "scores.jsonl"
    preference.write(path, [POEM])
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=f"line 2 .*{match}"):
        preference.read(path)
    assert preference.read(path, skip_damaged=True) == [POEM]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_refused_before_it_is_written(bad):
    with pytest.raises(ValueError, match="give one, or null"):
        Scored("q", ("a",), (bad,))

"""What learners read. Oracle: the report, written out."""

import dataclasses

import numpy as np
import pytest
import torch

from minqwen.check import EXERCISES, check, parts, plain, report, trials

EXPECTED = """\
1.2 causal_mask: not yet.

  ✗ as many queries as keys: a query sees itself and its past
  ✗ more keys than queries: every query also sees all that the cache holds
  ✗ fewer keys than queries: the first queries see nothing

Look at the first cross, on the smallest case that fails:

  T         1
  S         1
  expected  bool (1, 1)          True
  yours     bool (1, 1)          False

  1 of 1 differ, the first at [0, 0]: expected True, yours False.

This is what a known mistake gives: a token cannot see itself; the diagonal belongs to the past.

A hint: hint('causal_mask').   The same numbers again: check(causal_mask, seed=3)
"""


def test_a_report_shows_the_smallest_case_of_the_first_cross_and_names_the_mistake(capsys):
    def causal_mask(T, S):
        return torch.ones(T, S, dtype=torch.bool).tril(S - T - 1)

    check(causal_mask, seed=3)
    assert capsys.readouterr().out == EXPECTED


def test_two_mistakes_at_once_are_named_one_after_the_other():
    def scaled_dot_product_attention(q, k, v, mask=None):
        scores = q @ k.mT  # no scale, and no zeros for a query that may see no key
        return (scores if mask is None else scores.masked_fill(~mask, float("-inf"))).softmax(-1) @ v

    wrong = EXERCISES["scaled_dot_product_attention"].wrong_answers
    assert check(scaled_dot_product_attention).mistake == wrong["no_scale"].sentence


def test_a_long_name_does_not_run_into_what_it_names():
    assert report._rows("signatures", 3) == ["  signatures 3"]
    assert report._rows("n", 3) == ["  n         3"]


def test_small_tensors_are_shown_in_rows_and_large_ones_by_their_shape():
    tests = [parts.Test("a test", lambda rng: [])]
    given = {"x": torch.arange(6.0).reshape(2, 3), "big": torch.zeros(5, 7), "n": 2, "mask": None}
    expected = plain.to_plain(torch.zeros(2))
    trial = trials.Trial(tests[0], parts.Case(given, note="a note"), expected)
    done = trials.Trial(trial.test, trial.case, expected, trial.reply.__class__(kind="x", fault="it did x."))
    text = report.failed(EXERCISES["causal_mask"], [done], None, 0)
    assert "a note\n  x         float32 (2, 3)       0  1  2\n                                 3  4  5\n" in text
    assert "  big       float32 (5, 7)    \n  n         2\n  mask      None\n\n  On this, it did x." in text


def test_the_matrices_of_a_stack_stand_apart():
    def split_heads(x, n_heads):
        return x.unflatten(-1, (n_heads, -1)).movedim(-2, 0).flip(0)

    shown = check(split_heads, seed=0).report.split("yours")[1].splitlines()
    assert [len(line.split()) for line in shown[:14]] == [6, 2, 2, 2, 0, 2, 2, 2, 2, 0, 2, 2, 2, 2]


def test_a_part_of_the_result_is_announced():
    def sinusoidal_encoding(length, d_model):
        return torch.zeros(length, d_model)

    assert "  compared here: row 0 of the result\n  expected" in check(sinusoidal_encoding).report


def difference(yours, expected):
    return report._difference(plain.to_plain(yours), plain.to_plain(expected), ())


def test_rounding_is_shown_as_zero_and_a_small_difference_in_full():
    assert difference(torch.tensor([-1.3e-7]), torch.tensor([-4.0])).endswith("expected -4, yours 0.")
    one = torch.ones(1, dtype=torch.float64)
    assert difference(one + 2.0**-20, one).endswith("expected 1.0, yours 1.0000009536743164.")


def test_the_place_of_a_difference_is_said_axis_by_axis():
    expected = torch.zeros(2, 3, 5)
    yours = expected.clone()
    yours[0, 1, 4] = 2.0
    assert difference(yours, expected) == "1 of 30 differ, the first at [0, 1, 4]: expected 0, yours 2."
    yours[0, 2, 3] = float("nan")
    assert "NaN, not a number, first at [0, 2, 3]" in difference(yours, expected)


def test_a_plain_number_has_no_axes_and_is_shown_as_it_is():
    def width(d_model: int) -> int:
        """8/3 d_model, in steps of 128."""

    tests = (parts.Test("a width", lambda rng: [parts.Case({"d_model": 2048}, 5504)]),)
    found = dataclasses.replace(EXERCISES["causal_mask"], library=width, tests=tests)
    done = trials.run_tests(found, lambda d_model: 2 * d_model)
    text = report.failed(found, done, None, 0)
    assert "  d_model   2048\n  expected  5504\n  yours     4096\n\n  Expected 5504, yours 4096.\n" in text


@pytest.mark.parametrize(
    ("yours", "expected", "words"),
    [
        pytest.param([1, 2], [1, 3], "1 of 2 differ, the first at [1]: expected 3, yours 2.", id="an entry"),
        pytest.param([1], [1, 3], "Expected 2 entries, yours has 1; as far as both go they agree.", id="too few"),
        pytest.param([1, 3], [1], "Expected 1 entry, yours has 2; as far as both go they agree.", id="too many"),
        pytest.param(
            [1, 3],
            [1, 2, 3],
            "Expected 3 entries, yours has 2; the first that differs is [1]: expected 2, yours 3.",
            id="one left out",
        ),
        pytest.param(
            [tuple(range(50))],
            [1, 2],
            "Expected 2 entries, yours has 1; the first that differs is [0]: expected 1, "
            f"yours {str(tuple(range(50)))[:50]} ...).",
            id="a long entry",
        ),
        pytest.param(["a"], ["月"], "1 of 1 differ, the first at [0]: expected '月', yours 'a'.", id="a string"),
        pytest.param({}, {(1, 2): 3}, "The key (1, 2) is missing; expected 3 there.", id="a key too few"),
        pytest.param({(1, 2): 3}, {}, "The key (1, 2) should not be there.", id="a key too many"),
        pytest.param({"a": 3}, {"a": 4}, "At 'a': expected 4, yours 3.", id="another value"),
        pytest.param({"a", "b"}, {"a", "c"}, "'c' is missing, and 'b' should not be there.", id="a set"),
        pytest.param({(0, 1)}, {(0, 1), (0, 2)}, "(0, 2) is missing.", id="too small a set"),
        pytest.param({1}, set(), "1 should not be there.", id="too large a set"),
        pytest.param([1], {1: 1}, "You returned a list, but a dict is expected.", id="another kind"),
    ],
)
def test_lists_and_dicts_differ_in_words(yours, expected, words):
    assert difference(yours, expected) == words


@pytest.mark.parametrize(
    ("x", "words"),
    [
        pytest.param([1, (2, 3)], "[1, (2, 3)]", id="list"),
        pytest.param({b"a": 1}, "{b'a': 1}", id="dict"),
        pytest.param("月\n", r"'月\n'", id="string"),
        pytest.param([], "[]", id="nothing"),
        pytest.param({"b", "a"}, "{'a', 'b'}", id="set"),
        pytest.param(np.array([1, 2], np.uint32), "uint32 (2,)          1  2", id="array"),
        pytest.param(list(range(500)), "... (500 entries)", id="a long list"),
    ],
)
def test_lists_dicts_and_strings_are_shown_in_one_line(x, words):
    (line,) = report._rows("x", x)
    assert line.startswith("  x         ") and line.endswith(words) and len(line) <= 100

"""The three metrics. Oracles: the longest common subsequence by trying all, and counts by hand."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minqwen.prompt import metrics
from minqwen.prompt.practice import Task

CALL = 'Thought: x\nAction: Find_It\nAction Input: {"b": "y", "a": "x"}\nObservation:'


def by_trying(a, b):
    runs = [{tuple(c) for n in range(len(x) + 1) for c in itertools.combinations(x, n)} for x in (a, b)]
    longest = max(map(len, runs[0] & runs[1]))
    if not longest:
        return 0.0
    precision, recall = longest / len(a), longest / len(b)
    return 2 * precision * recall / (precision + recall)


@settings(deadline=None)
@given(*[st.lists(st.integers(0, 3), max_size=6)] * 2)
def test_rouge_l_is_the_harmonic_mean_over_the_longest_common_subsequence(a, b):
    assert metrics.rouge_l(a, b) == pytest.approx(by_trying(a, b))


@pytest.mark.parametrize(
    ("written", "calls", "selects"),
    [
        (CALL, True, True),
        (CALL.replace("Find_It", "other"), True, False),
        ("Thought: x\nFinal Answer: find_it", False, False),
        ("Thought: x\nAction: find_it", True, False),
        ("Action: find_it\nAction Input: {}", False, False),
        ("\nAction:find_it\nAction Input: {}", False, False),
        ("", False, False),
    ],
)
def test_a_call_and_its_tool_are_counted_as_the_reference_does(written, calls, selects):
    assert (metrics.calls_a_tool(written), metrics.selects(written, "find_it")) == (calls, selects)


def test_the_order_of_keys_is_no_difference_and_broken_json_matches_nothing():
    assert metrics.argument_match(CALL, '{"a": "x", "b": "y"}', list) == 1.0
    assert metrics.argument_match(CALL, '{"b":"y","a":"x"}', list) == 1.0
    assert 0 < metrics.argument_match(CALL, '{"a": "x", "b": "z"}', list) < 1
    assert metrics.argument_match(CALL.replace("}", ""), '{"a": "x"}', list) == 0.0
    assert metrics.argument_match("", '{"a": "x"}', list) == 0.0
    assert metrics.canonical("[" * 100_000) == "" and metrics.canonical('{"a": "月"}') == '{"a": "月"}'


def test_scores_are_means_over_the_questions_that_each_metric_is_for():
    with_tool = Task("k", (), "?", "", "find_IT", '{"b":"y","a":"x"}', "")
    without = with_tool._replace(name=None)
    found = metrics.scores([with_tool, with_tool, without, without], [CALL, "", CALL, "No."], list)
    assert found == {"selection": 0.5, "arguments": 0.5, "exact": 0.5, "false positives": 0.5}
    assert metrics.scores([without], ["No."], list) == {"false positives": 0.0}
    with pytest.raises(ValueError, match="give one for each"):
        metrics.scores([with_tool], [], list)

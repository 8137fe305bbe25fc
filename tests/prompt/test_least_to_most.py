"""Questions in steps. Oracle: `sum`, and a model that can add two numbers and no more."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minqwen.prompt import least_to_most


def adds_two(question):
    numbers = [int(n) for n in re.findall(r"\d+", question)]
    return f" {sum(numbers)} " if len(numbers) == 2 else "too much"


@settings(deadline=None)
@given(st.lists(st.integers(0, 999), min_size=2, max_size=9))
def test_who_adds_two_adds_many_in_steps(numbers):
    question = " + ".join(map(str, numbers)) + " = ?"
    steps = list(least_to_most.least_to_most(adds_two, question))
    assert len(steps) == len(numbers) - 1 and steps[-1].answer == str(sum(numbers))
    worked = least_to_most.chain_of_thought(question)
    assert worked.endswith(f"Answer: {sum(numbers)}") and worked.count("\n") == len(numbers) - 1


def test_a_sum_falls_into_sums_of_two():
    assert least_to_most.decompose("7 + 5 + 9 = ?") == ["7 + 5 = ?", "{} + 9 = ?"]
    assert [s.question for s in least_to_most.least_to_most(adds_two, "7 + 5 + 9 = ?")] == ["7 + 5 = ?", "12 + 9 = ?"]


@pytest.mark.parametrize(
    "question",
    [
        "7 = ?",
        "7 - 5 = ?",
        "7 + 5",
        " 7 + 5 + 9 = ?",
        "7 + 5 + 9 = ?\n",
        "",
        "What is 7 + 5 + 9 = ?",
        "7 + + 5 = ?",
        "{} + 1",
    ],
)
def test_what_is_no_sum_of_many_stays_whole(question):
    assert least_to_most.decompose(question) == [question]
    with pytest.raises(ValueError, match="write it as '7"):
        least_to_most.chain_of_thought(question)


def test_an_empty_answer_ends_it():
    steps = list(least_to_most.least_to_most(lambda question: " \n", "1 + 2 + 3 = ?"))
    assert steps == [("1 + 2 = ?", "")]


def test_a_model_may_make_the_parts():
    steps = least_to_most.least_to_most(str.upper, "q", split=lambda question: [f"{question}a", "{}b"])
    assert list(steps) == [("qa", "QA"), ("QAb", "QAB")]
    twice = least_to_most.least_to_most(str.upper, "q", split=lambda question: ["a", "{} and {}"])
    assert list(twice)[-1].question == "A and A"


def test_a_prompt_shows_its_work():
    assert least_to_most.chain_of_thought_prompt(["1 + 2 + 3 = ?"], "4 + 5 = ?") == (
        "1 + 2 + 3 = ?\n1 + 2 = 3\n3 + 3 = 6\nAnswer: 6\n\n4 + 5 = ?\n"
    )

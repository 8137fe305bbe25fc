"""Sums and functions that a program can mark. Oracle: Python itself, which runs our own functions here."""

import itertools

import pytest

from minqwen.data import exercises

KINDS = {"sums": exercises.sums(), "functions": exercises.functions()}
every_kind = pytest.mark.parametrize("items", KINDS.values(), ids=KINDS)


def test_every_sum_is_right():
    assert len(KINDS["sums"]) == 90 * 9
    for item in KINDS["sums"]:
        left, right = item.prompt.removesuffix(" =").split(" + ")
        assert int(left) + int(right) == int(item.answer)


def test_every_function_does_what_its_comment_says():
    said = {
        "add": lambda x, n: x + n,
        "subtract x": lambda x, n: n - x,
        "subtract": lambda x, n: x - n,
        "multiply": lambda x, n: x * n,
        "square": lambda x, n: x * x + n,
    }
    for item in KINDS["functions"]:
        scope = {}
        exec(item.text, scope)
        comment = item.prompt.split("\n")[0].removeprefix("# ")
        n = int(next(word for word in comment.split() if word.isdigit()))
        meant = next(function for words, function in said.items() if comment.startswith(words))
        assert all(scope["f"](x) == meant(x, n) == exercises.value(item.answer.strip(), x) for x in (0, 3, 11))


@every_kind
def test_a_fifth_is_held_out_and_never_trained_on(items):
    training, held_out = exercises.split(items, seed=3)
    assert len(held_out) == len(items) // 5 and sorted(training + held_out) == sorted(items)
    assert held_out != exercises.split(items, seed=4)[1]
    shown = "".join(itertools.islice(exercises.pages(training, seed=1), 200))
    assert not any(f"\n{item.text}" in shown for item in held_out)
    assert sum(item.text in shown for item in training) == len(training), "each page round shows every item"


@every_kind
def test_the_answer_is_right_and_others_are_not(items):
    for item, other in zip(items[:50], items[7:]):
        assert exercises.is_right(item, item.answer + "anything after the line")
        assert not exercises.is_right(item, other.answer) or item.answer == other.answer


def test_another_wording_of_a_function_is_right():
    item = next(i for i in KINDS["functions"] if "add 7 to x" in i.prompt)
    assert exercises.is_right(item, " 7 + x\n") and exercises.is_right(item, "x+3+4")
    assert not exercises.is_right(item, "x + 8") and not exercises.is_right(item, "")


@pytest.mark.parametrize(
    "text", ["__import__('os').getcwd()", "x ** 9", "x.real", "1.5 + x", "y", "[x]", "x if x else 1"]
)
def test_what_a_model_writes_is_read_and_never_run(text):
    with pytest.raises(ValueError, match="with x and whole numbers"):
        exercises.value(text, 1)

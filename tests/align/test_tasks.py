"""The apprentice poet's tasks: answers are right, wrong ones are not, and nothing held out is trained on."""

import itertools
import re
from collections import Counter

import pytest

from minqwen.align import tasks
from minqwen.align.tasks import verse
from minqwen.data import corpus, minhash, normalize, numbers

TRAIN, HELD_OUT = tasks.examples("train", 300), tasks.examples("held_out", 100)
BOTH = TRAIN + HELD_OUT


def of(task: str, examples: list[tasks.Example] = BOTH) -> list[tasks.Example]:
    return [example for example in examples if example.task == task]


def test_every_task_has_as_many_examples_as_asked_for():
    assert Counter(e.task for e in TRAIN) == dict.fromkeys(tasks.TASKS, 300)
    assert Counter(e.task for e in HELD_OUT) == dict.fromkeys(tasks.TASKS, 100)
    assert tasks.examples("held_out", 5) == tasks.examples("held_out", 5) != tasks.examples("held_out", 5, seed=1)
    only = tasks.examples("held_out", 100, only=["quatrain", "add"])
    assert Counter(e.task for e in only) == {"quatrain": 100, "add": 100}
    with pytest.raises(ValueError, match="there is no task"):
        tasks.examples("held_out", 1, only=["poem"])
    with pytest.raises(ValueError, match="size=0"):
        tasks.examples("train", 0)


@pytest.mark.parametrize("task", tasks.TASKS)
def test_the_answer_is_right_and_the_answer_of_another_is_not(task):
    found = of(task)
    assert all(tasks.is_right(e, f" {e.answer}\n") for e in found)
    assert not any(tasks.is_right(e, wrong) for e in found for wrong in ("", e.question, e.answer * 2, "？"))
    if task not in tasks.VERSE:
        assert not any(tasks.is_right(a, b.answer) for a, b in itertools.pairwise(found) if a.answer != b.answer)


@pytest.mark.parametrize("task", ["copy", "reverse", "count", "sort"])
def test_answers_on_lists_follow_from_the_question_by_other_means(task):
    for example in of(task):
        items = re.split("[:：？?] ?", example.question, maxsplit=1)[1].split(" ")
        answer = {"copy": items, "reverse": items[::-1], "sort": sorted(items, key=lambda n: (len(n), n))}.get(task)
        assert example.answer == (str(len(items)) if task == "count" else " ".join(answer))
        assert len(set(items)) == len(items)


def test_numbers_are_written_as_asked():
    for example in of("convert"):
        into = {"Write": "english", "把": "chinese"}[re.match("Write|把", example.question)[0]]
        into = "digits" if example.question.endswith("in digits.") else into
        [source] = [w for w in numbers.WRITINGS if numbers.read(example.given, w) is not None]
        assert source != into
        assert numbers.read(example.answer, into) == numbers.read(example.given, source)


def test_sums_are_right_in_the_writing_of_the_question():
    for example in of("add"):
        first, second = example.given.rsplit(" ", 1)
        [writing] = [w for w in numbers.WRITINGS if numbers.read(second, w) is not None]
        assert numbers.read(example.answer, writing) == numbers.read(first, writing) + numbers.read(second, writing)


def test_nothing_held_out_is_trained_on():
    assert not {e.question for e in TRAIN} & {e.question for e in HELD_OUT}
    everything = tasks.examples("train", 2000, seed=1)
    for task in tasks.TASKS:
        assert not {e.given for e in of(task, everything)} & {e.given for e in of(task, HELD_OUT)}
    runs = lambda found: {r for e in found for r in minhash.shingle(normalize.normalize_text(e.answer), 13)}  # noqa: E731
    assert not runs(of("quatrain", everything)) & runs(of("quatrain", HELD_OUT))


def test_numbers_that_nobody_could_work_out_are_never_held_out():
    small = {numbers.write(n, writing) for n in range(20) for writing in numbers.WRITINGS}
    assert not small & {e.given for e in tasks.examples("held_out", 10**4) if e.task == "convert"}


def test_eight_lines_give_two_quatrains_and_other_shapes_none():
    lines = ["春眠不觉晓", "处处闻啼鸟", "夜来风雨声", "花落知多少"]
    four = f"《春晓》孟浩然\n{lines[0]}，{lines[1]}。\n{lines[2]}，{lines[3]}。"
    made = lambda text, title="春晓": list(verse.quatrains([corpus.Document("zh", "", "", title, text)]))  # noqa: E731
    [example] = made(four)
    assert example.answer == "春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。" and example.given == "春晓"
    assert len(made(four + four.partition("\n")[2])) == 2
    assert made(four.replace("晓，", "，")) == made(four + "白日依山尽，") == []


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("Shall I compare thee to a summer's day?", 10),
        ("To be, or not to be: that is the question:", 11),
        ("Now is the winter of our discontent", 10),
        ("Made glorious summer by this sun of York;", 10),
    ],
)
def test_syllables_of_known_lines(line, count):
    assert abs(verse.syllables(line) - count) <= 1
    assert verse.is_verse(line)


@pytest.mark.parametrize(
    "line", ["HAMLET.", "[Enter a Messenger.]", "Come.", "now is the winter of our discontent", "SCENE 2. Rome"]
)
def test_what_is_no_line_of_verse(line):
    assert not verse.is_verse(line)


def test_a_line_that_repeats_the_one_before_is_not_its_continuation():
    example = of("line")[0]
    assert not tasks.is_right(example, example.given)

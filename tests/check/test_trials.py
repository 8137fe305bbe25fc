"""Drawing, running, naming. Oracle: an exercise made up here, to double what is given."""

import dataclasses

import pytest
import torch

from minqwen.check import EXERCISES, parts, trials


def exercise(*tests, wrong=()):
    answers = {sentence: parts.WrongAnswer(sentence, function) for sentence, function in wrong}
    return dataclasses.replace(EXERCISES["causal_mask"], tests=tests, wrong_answers=answers)


def doubles(title, *numbers):
    return parts.Test(title, lambda rng: [parts.Case({"n": n}, 2 * n) for n in numbers])


def draw_one(rng):
    x = torch.rand(3, generator=rng)
    return [parts.Case({"x": x}, 2 * x)]


RANDOM = exercise(parts.Test("doubles", draw_one))


def test_every_property_is_drawn_twice_and_the_seed_decides_how():
    first, second = (trial.case.args["x"] for trial in trials.draw(RANDOM, seed=0))
    assert not first.equal(second)
    assert trials.draw(RANDOM, seed=0)[1].expected == trials.draw(RANDOM, seed=0)[1].expected
    assert trials.draw(RANDOM, seed=1)[0].expected != trials.draw(RANDOM, seed=0)[0].expected


def test_what_is_learnt_by_heart_is_no_answer():
    kept = {}
    first, second = trials.run_tests(RANDOM, lambda x: kept.setdefault(x.shape, 2 * x).clone())
    assert first.passed and not second.passed


FEW_THEN_MANY = (doubles("few", 1, 2, 3), doubles("many", 10, 20, 30, 40, 50))
FEW_THEN_AS_MANY = (doubles("few", 1, 2, 3), doubles("as many", 10, 20, 30))


@pytest.mark.parametrize(
    ("tests", "wrong", "named"),
    [
        pytest.param(FEW_THEN_MANY, lambda n: 0, True, id="the same everywhere"),
        pytest.param(FEW_THEN_MANY, lambda n: 0 if n < 50 else 1, True, id="the same nearly everywhere"),
        pytest.param(FEW_THEN_MANY, lambda n: 0 if n != 3 else 1, False, id="another reply to the first property"),
        pytest.param(FEW_THEN_MANY, lambda n: 0 if n < 10 else 1, False, id="the same in three of eight cases"),
        pytest.param(FEW_THEN_AS_MANY, lambda n: 0 if n < 10 else 1, False, id="the same in half of the cases"),
    ],
)
def test_a_mistake_is_named_if_it_gives_the_whole_first_failure_and_most_of_all(tests, wrong, named):
    found = exercise(*tests, wrong=[("it gives 0", wrong)])
    mistake = trials.mistake(found, trials.run_tests(found, lambda n: 0))
    assert mistake == ("it gives 0" if named else None)


def test_of_several_mistakes_the_one_that_agrees_most_often_is_named():
    nearly, wholly = ("nearly", lambda n: 0 if n < 50 else 1), ("wholly", lambda n: 0)
    for wrong in ([nearly, wholly], [wholly, nearly]):
        found = exercise(*FEW_THEN_MANY, wrong=wrong)
        assert trials.mistake(found, trials.run_tests(found, lambda n: 0)) == "wholly"

"""Every exercise, held against its own specification: the library passes, the solution passes as text, every known
wrong answer fails and is named. The oracles are the exercises' own loops; no test of a kernel is written here."""

import contextlib
import dataclasses
import difflib
import inspect
import io
import sys

import numpy as np
import pytest
import torch

from minqwen.check import EXERCISES, check, plain, report, sources, trials

NOTEBOOK = """\
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
"""
BY_KIND = {kind: [e for e in EXERCISES.values() if e.kind == kind] for kind in ("implement", "explain", "bug")}
every_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
with_tests = pytest.mark.parametrize("exercise", [e for e in EXERCISES.values() if e.tests], ids=lambda e: e.name)
implement = pytest.mark.parametrize("exercise", BY_KIND["implement"], ids=lambda e: e.name)
explain = pytest.mark.parametrize("exercise", BY_KIND["explain"], ids=lambda e: e.name)
bug = pytest.mark.parametrize("exercise", BY_KIND["bug"], ids=lambda e: e.name)


def run(*cells):
    """The names that these cells leave behind in a fresh notebook."""
    names = {}
    for cell in (NOTEBOOK, *cells):
        exec(cell, names)
    return names


def solved(exercise):
    """The names of a notebook in which this exercise is solved."""
    with contextlib.redirect_stdout(io.StringIO()):
        return run(exercise.setup, f"{exercise.stub}\n{exercise.solution}") | {"check": check}


def test_the_exercises_come_in_the_order_of_the_lessons():
    numbers = [tuple(map(int, e.number.split("."))) for e in EXERCISES.values()]
    assert numbers == sorted(numbers) and len(set(numbers)) == len(numbers) == len(EXERCISES)
    assert all(int(e.lesson[:2]) == number[0] for e, number in zip(EXERCISES.values(), numbers))


@every_exercise
def test_an_exercise_is_complete(exercise):
    assert len(exercise.hints) == len(set(exercise.hints)) == 4
    assert all([*exercise.hints, exercise.title, exercise.statement, exercise.why, exercise.stub, exercise.solution])
    assert exercise.points > 0 and exercise.minutes > 0 and 1 <= exercise.difficulty <= 5
    assert len(exercise.wrong_answers) >= {"implement": 6, "explain": 2, "bug": 2}[exercise.kind]


@implement
def test_a_function_to_write_is_the_librarys_and_its_statement_names_every_argument(exercise):
    assert exercise.name == exercise.library.__name__
    for parameter in inspect.signature(exercise.library).parameters:
        assert f"`{parameter}`" in exercise.statement or f"{parameter}," in exercise.statement, parameter


@with_tests
def test_the_library_passes(exercise):
    for seed in range(3):
        assert [t for t in trials.run_tests(exercise, exercise.right, seed) if not t.passed] == []


@implement
def test_the_library_passes_with_its_shapes_checked(exercise):
    assert [t for t in trials.run_tests(exercise, exercise.library) if not t.passed] == []


@every_exercise
def test_the_solution_passes_as_the_text_that_a_notebook_holds(exercise):
    assert eval(exercise.check_line, solved(exercise))


SETTINGS = {
    "no_grad": torch.no_grad,
    "set_grad_enabled": lambda: torch.set_grad_enabled(False),
    "inference_mode": torch.inference_mode,
    "another device": lambda: torch.device("meta"),
    "another default dtype": lambda: default_dtype(torch.float64),
}


@contextlib.contextmanager
def default_dtype(dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@with_tests
@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_the_solution_passes_whatever_torch_is_set_to(exercise, setting):
    names = solved(exercise)
    with setting():
        assert eval(exercise.check_line, names)


def with_gradients(function):
    """The same results, and a gradient for every argument that asks for one: an oracle of plain numbers has none."""

    def answer(*args):
        sums = [x.sum() for x in args if isinstance(x, torch.Tensor) and x.requires_grad]
        return function(*args) + sum(s - s.detach() for s in sums) if sums else function(*args)

    return answer


@with_tests
def test_no_function_of_ours_that_an_exercise_is_made_of_is_its_answer(exercise):
    seen = {"right": exercise.right, "reference": getattr(exercise, "reference", None)}
    for module in {test.draw.__module__ for test in exercise.tests} | {exercise.right.__module__}:
        seen |= vars(sys.modules[module])
        for part in list(vars(sys.modules[module]).values()):
            seen |= vars(part) if inspect.ismodule(part) and part.__name__.startswith("minqwen.") else {}
    for name, function in seen.items():
        if inspect.isfunction(function):
            done = trials.run_tests(exercise, with_gradients(function), guarded=True)
            assert not all(t.passed for t in done), name


@every_exercise
def test_what_an_exercise_imports_leaves_the_learners_own_functions_alone(exercise):
    with contextlib.redirect_stdout(io.StringIO()):
        names = run(exercise.setup)
    assert names.keys() & {e.name for e in BY_KIND["implement"]} == set()


@with_tests
def test_every_wrong_answer_fails_and_is_named(exercise):
    for name, wrong in exercise.wrong_answers.items():
        done = trials.run_tests(exercise, wrong.function, seed=7)
        assert not all(t.passed for t in done), name
        assert trials.mistake(exercise, done) == wrong.sentence, name


@pytest.mark.parametrize("name", ["turned_in_bfloat16", "angles_in_bfloat16"])
def test_what_half_precision_breaks_is_found_whatever_the_seed(name):
    exercise = EXERCISES["apply_rope"]
    tests = tuple(test for test in exercise.tests if test.title == "bfloat16 is turned in float32")
    only = dataclasses.replace(exercise, tests=tests)
    for seed in range(100):
        assert not all(t.passed for t in trials.run_tests(only, exercise.wrong_answers[name].function, seed)), seed


@with_tests
def test_a_wrong_answer_differs_from_the_solution_in_three_lines_at_most(exercise):
    solution = sources.text(exercise.reference or exercise.library) if exercise.kind == "implement" else None
    for name, wrong in exercise.wrong_answers.items():
        given = solution or exercise.solution.split("\n\ncause")[0]
        lines = list(difflib.ndiff(given.splitlines(), wrong.source.splitlines()))
        changed = max(sum(line.startswith(mark) for line in lines) for mark in "+-")
        assert 1 <= changed <= 3 + (exercise.kind == "bug"), f"{name}: {changed} lines"


@with_tests
def test_a_wrong_answer_keeps_shape_and_dtype(exercise):
    first = exercise.tests[0].draw(torch.Generator().manual_seed(0))[0]
    expected = plain.to_plain(exercise.right(*first.args.values()))
    for name, wrong in exercise.wrong_answers.items():
        given = plain.to_plain(wrong.function(*first.args.values()))
        assert (given.type, given.shape) == (expected.type, expected.shape), name


@with_tests
def test_a_property_sees_other_values_each_time_it_is_drawn(exercise):
    rng = torch.Generator().manual_seed(0)
    for test in exercise.tests:
        drawn = [[str(case.args) for case in test.draw(rng)] for _ in range(5)]
        assert len({str(cases) for cases in drawn}) > 1, test.title


@with_tests
def test_a_result_of_another_shape_is_told_so_before_any_part_is_read(exercise):
    def answer(*args):
        right = exercise.right(*args)
        if isinstance(right, np.ndarray):
            return right[None]
        return torch.zeros(1, 1) if isinstance(right, list | tuple | set | dict) else torch.as_tensor(right)[None]

    done = trials.run_tests(exercise, answer)
    for trial in done:
        words = trial.reply.fault or report.failed(exercise, [trial], None, 0)
        told = "a plain number is expected" if trial.expected.shape is None else "ts shape is (1,"
        if trial.expected.parts or (trial.case.whole and trial.case.whole.parts):
            told = "a tuple of"
        if trial.expected.type in ("list", "set", "dict"):
            told = f"a {trial.expected.type} is expected"
        assert told in words


@explain
def test_a_right_value_passes_and_a_wrong_one_gets_its_reason(exercise, capsys):
    assert str(round(exercise.answer)) not in exercise.why
    assert check(exercise.answer, exercise.name)
    assert " ".join(capsys.readouterr().out.split()).endswith(f"right. {exercise.after}")
    for wrong in exercise.wrong_answers.values():
        result = check(wrong.value, exercise.name)
        assert not result and result.mistake == wrong.sentence


@bug
def test_a_broken_function_fails_and_shows_its_symptom(exercise, capsys):
    names = run(exercise.setup)
    assert "but:" in capsys.readouterr().out
    result = check(names["broken"], exercise.name, cause=exercise.cause)
    assert not result and result.mistake == "this is the function as it was given."


@bug
def test_a_mended_function_with_another_cause_is_told_why_not(exercise, capsys):
    fixed = solved(exercise)["fixed"]
    assert check(fixed, exercise.name, cause=exercise.cause.upper())
    for letter, cause in exercise.causes.items():
        assert f"- **{letter}**: {cause.text}" in exercise.statement
        assert (cause.why_not == "") == (letter == exercise.cause)
        if letter != exercise.cause:
            result = check(fixed, exercise.name, cause=letter)
            assert not result and result.mistake == cause.why_not
    capsys.readouterr()
    assert not check(fixed, exercise.name)
    assert "Which cause was it? Set cause to one of a, b, c" in capsys.readouterr().out


@every_exercise
def test_no_hint_gives_a_line_of_the_solution_away(exercise):
    lines = [line.strip() for line in exercise.solution.splitlines() if len(line.strip()) > 12]
    assert not [line for line in lines for hint in exercise.hints if line in hint]

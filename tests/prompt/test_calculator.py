"""Sums from text. Oracle: Python's own arithmetic on fractions, which the calculator never asks to read text."""

import operator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minqwen.prompt import calculator

SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul}
numbers = st.integers(0, 999).map(lambda n: (str(n), Fraction(n)))


def joined(inner):
    def binary(parts):
        (a, x), sign, (b, y) = parts
        return f"({a} {sign} {b})", SIGNS[sign](x, y)

    return st.tuples(inner, st.sampled_from(list(SIGNS)), inner).map(binary) | inner.map(lambda p: (f"-{p[0]}", -p[1]))


@settings(deadline=None)
@given(st.recursive(numbers, joined, max_leaves=8))
def test_a_sum_has_its_value(made):
    text, value = made
    if len(text) <= calculator.LONGEST:
        assert calculator.calculate(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7 - 3 - 2", 2),
        ("2 + 3 * 4", 14),
        ("12 / 4 / 3", 1),
        ("(2 + 3) * -4", -20),
        ("0.1 + 0.2", Fraction(3, 10)),
        (" 3×4÷2 ", 6),
        ("-0", 0),
        ("-" * 99 + "7", -7),
        ("(" * 49 + "7" + ")" * 49, 7),
        ("9" * 49 + "*" + "9" * 50, (10**49 - 1) * (10**50 - 1)),
        ("１２＋３", 15),
        ("（２＋３）×４", 20),
        ("٣ × ٤", 12),
    ],
)
def test_signs_bind_as_in_school(text, value):
    assert calculator.calculate(text) == value


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("", "write a number after the last sign"),
        ("3 +", "write a number after the last sign"),
        ("3 4", "put [+] - [*] / between two numbers"),
        ("(3", r"add [)]"),
        ("(1 2", r"add [)]"),
        ("3)", "close brackets once"),
        ("* 3", "where a number is to stand"),
        ("1 / (2 - 2)", "divide by another number"),
        ("9**9**9", "where a number is to stand"),
        ("__import__('os')", "use numbers"),
        ("print(1)", "use numbers"),
        ("1e308*10", "use numbers"),
        ("nan", "use numbers"),
        ("²", "use numbers"),
        ("a" * 50, f"'{'a' * 20}' is no part"),
        ("1\x00", "use numbers"),
        ("-" * 100, "write a number after the last sign"),
        ("1; 2", "use numbers"),
        ("1" * 101, "use 100 at most"),
        ("(" * 101, "use 100 at most"),
    ],
)
def test_what_is_no_sum_is_refused_with_the_way_out(text, way_out):
    with pytest.raises(ValueError, match=way_out):
        calculator.calculate(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(7), "7"),
        (Fraction(-1, 4), "-0.25"),
        (Fraction(1, 3), "0.333333"),
        (Fraction(-1, 10**7), "0"),
        (Fraction(10**21, 3), "3" * 21 + ".333333"),
        (Fraction(2, 3), "0.666667"),
        (Fraction(1, 1000), "0.001"),
        (Fraction(10**9 - 1, 10**9), "1"),
    ],
)
def test_a_result_is_written_short(value, text):
    assert calculator.written(value) == text

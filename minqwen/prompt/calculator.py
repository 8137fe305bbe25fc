"""Sums from text, by a grammar and not by `eval`: what a model writes is read, never run.

    sum      product, then any number of + product or - product
    product  factor, then any number of * factor or / factor
    factor   a number, - factor, or ( sum )

There is no power and no name in it, so no short text takes long, and none reaches Python. A parser that has one
function for each line of the grammar is called recursive descent: Aho, Lam, Sethi and Ullman, "Compilers", section 4.4.
"""

import re
from fractions import Fraction

LONGEST = 100  # characters
TOKEN = re.compile(r"\s*(\d+(?:\.\d+)?|[-+*/()])")
ALSO = str.maketrans({"×": "*", "÷": "/", "−": "-", "（": "(", "）": ")", "＋": "+"})


def calculate(expression: str) -> Fraction:
    """The exact value of `expression`; ValueError, with the reason, if it is no sum."""
    if len(expression) > LONGEST:
        raise ValueError(f"{len(expression)} characters are too long for a sum; use {LONGEST} at most")
    tokens, at, text = [], 0, expression.translate(ALSO).rstrip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise ValueError(f"{text[at:].strip()[:20]!r} is no part of a sum; use numbers, + - * / and brackets")
        tokens.append(found[1])
        at = found.end()
    value, rest = _sum(tokens)
    if rest:
        raise ValueError(f"{rest[0]!r} cannot stand there; put + - * / between two numbers, and close brackets once")
    return value


def written(value: Fraction) -> str:
    """A whole number as it is, another rounded to six decimals."""
    if value.denominator == 1:
        return str(value.numerator)
    micro = round(abs(value) * 10**6)
    whole, rest = divmod(micro, 10**6)
    text = f"{whole}.{rest:06}".rstrip("0").rstrip(".")
    return f"-{text}" if value < 0 and micro else text


def _sum(tokens: list[str]) -> tuple[Fraction, list[str]]:
    value, rest = _product(tokens)
    while rest[:1] in (["+"], ["-"]):
        sign = 1 if rest[0] == "+" else -1
        more, rest = _product(rest[1:])
        value += sign * more
    return value, rest


def _product(tokens: list[str]) -> tuple[Fraction, list[str]]:
    value, rest = _factor(tokens)
    while rest[:1] in (["*"], ["/"]):
        by, after = _factor(rest[1:])
        if rest[0] == "/" and not by:
            raise ValueError("a division by 0 has no result; divide by another number")
        value, rest = value * by if rest[0] == "*" else value / by, after
    return value, rest


def _factor(tokens: list[str]) -> tuple[Fraction, list[str]]:
    if not tokens:
        raise ValueError("the sum ends too early; write a number after the last sign")
    first, rest = tokens[0], tokens[1:]
    if first == "-":
        value, rest = _factor(rest)
        return -value, rest
    if first == "(":
        value, rest = _sum(rest)
        if rest[:1] != [")"]:
            raise ValueError("a bracket is not closed; add )")
        return value, rest[1:]
    if not first[0].isdigit():
        raise ValueError(f"{first!r} stands where a number is to stand")
    return Fraction(first), rest

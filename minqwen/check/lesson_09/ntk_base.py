"""Exercise 9.2, slow pairs slowed and fast ones kept. Qwen Technical Report (arXiv:2309.16609), section 2.5."""

from functools import partial

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import long_context


def _reference(base, alpha, d_head):
    """The library's line, without its checks."""
    return base * alpha ** (d_head / (d_head - 2))


def _by_speed(base: float, alpha: int, d_head: int) -> float:
    """The base at which the slowest pair, base^(−(d − 2)/d) radians a token, is alpha times as slow: solved for it."""
    speed = base ** (-(d_head - 2) / d_head) / alpha
    return speed ** (-d_head / (d_head - 2))


def _given(rng: torch.Generator) -> dict[str, float | int]:
    base, alpha, half = (
        int(torch.randint(low, high, (1,), generator=rng)) for low, high in ((2, 99), (2, 32), (3, 65))
    )
    return {"base": 1000.0 * base, "alpha": alpha, "d_head": 2 * half}


def _values(rng: torch.Generator) -> list[Case]:
    return [Case(args, _by_speed(**args)) for args in (_given(rng), _given(rng))]


def _known(rng: torch.Generator) -> list[Case]:
    known = {1: 10_000.0, 3: 30_527.7356, 7: 72_195.8676, 15: 156_588.2708}
    order = [list(known)[i] for i in torch.randperm(4, generator=rng).tolist()]
    note = "Qwen-7B, whose heads have 128 channels"
    return [Case({"base": 10_000.0, "alpha": alpha, "d_head": 128}, known[alpha], note) for alpha in order]


def _one(rng: torch.Generator) -> list[Case]:
    given = {**_given(rng), "alpha": 1}
    return [Case(given, given["base"], "alpha is 1")]


def _slowest(rng: torch.Generator) -> list[Case]:
    given = _given(rng)
    part = (given["d_head"] - 2) / given["d_head"]
    slowed = given["base"] ** -part / given["alpha"] * 1e6
    reads = "the speed of the slowest pair, 10⁶ · result^(−(d_head − 2)/d_head)"
    return [Case(given, slowed, read=lambda base: base**-part * 1e6, reads=reads)]


_wrong = partial(parts.mistake, _reference)

EXERCISE = exercise.Implement(
    name="ntk_base",
    lesson="09_long_context",
    number="9.2",
    title="Another base",
    library=long_context.ntk_base,
    reference=_reference,
    also_closed=(_by_speed,),
    in_model=True,
    statement="""\
Write `ntk_base(base, alpha, d_head)`: the base that RoPE has to use so that its slowest pair turns `alpha` times more
slowly than with `base`.

- Pair i of a head of `d_head` channels turns by base^(−2i/d_head) radians a token. Pair 0 turns by 1, whatever the
  base. The last one, i = d_head/2 − 1, turns by base^(−(d_head − 2)/d_head).
- `base` is a `float`, `alpha` a number of 1 or more, `d_head` an even number of 4 or more. The result is a `float`:

$$\\text{base}'=\\text{base}\\cdot\\alpha^{\\,d_{head}/(d_{head}-2)}$$

For example, d_head = 4: the slowest pair turns by base^(−1/2). From base 100.0 with alpha = 3 it goes to
100 · 3² = **900.0**, and its speed from 1/10 to 1/30.
""",
    why="One number changes, and the fast pairs, which tell neighbours apart, stay as they were trained.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "Solve base'^(-1/2) = base^(-1/2) / alpha for base'. And with another exponent than 1/2?",
        "Three numbers go in, a float comes out.",
        "exponent = d_head over (d_head - 2); new base = base times alpha to that exponent.",
        "In Python, x to the y is x ** y, and a quotient as exponent needs brackets.",
    ),
    tests=(
        Test("alpha 1 keeps the base", _one),
        Test("the slowest pair becomes alpha times slower", _slowest),
        Test("gives the bases of Qwen-7B", _known),
        Test("agrees with the equation solved for the base", _values),
    ),
    wrong_answers={
        "no_exponent": _wrong(
            "the base is multiplied by alpha itself; then the slowest pair is slowed by a little less than alpha.",
            ("alpha ** (d_head / (d_head - 2))", "alpha"),
        ),
        "exponent_upside_down": _wrong(
            "the exponent is upside down: it is d_head / (d_head − 2), a little more than 1.",
            ("(d_head / (d_head - 2))", "((d_head - 2) / d_head)"),
        ),
        "all_of_it_raised": _wrong(
            "base and alpha are both raised; only alpha is, ** binds more tightly than *.",
            ("base * alpha **", "(base * alpha) **"),
        ),
        "base_raised": _wrong("the base is raised in place of alpha.", ("base * alpha **", "alpha * base **")),
        "smaller_base": _wrong(
            "the base gets smaller, which speeds the pairs up; multiply.", ("base * alpha", "base / alpha")
        ),
        "exponent_below_one": _wrong(
            "the exponent is d_head / (d_head + 2); two channels, the first pair, are taken away.", ("- 2", "+ 2")
        ),
        "one_channel": _wrong(
            "one channel is taken away in the exponent; a pair has two.", ("(d_head - 2)", "(d_head - 1)")
        ),
        "brackets_lost": _wrong(
            "the exponent lost its brackets, so alpha^d_head is divided.",
            ("alpha ** (d_head / (d_head - 2))", "alpha ** d_head / (d_head - 2)"),
        ),
    },
)

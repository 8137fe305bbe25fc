"""Exercise 2.3, turning the pairs. Su et al. 2021 (arXiv:2104.09864), section 3.2.2; half-split as Qwen does it."""

import cmath
import math
from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import rope


def _reference(x, angles):
    """The library's body; float32 angles alone make the products float32."""
    first, second = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)


def _complex(x: Tensor, angles: Tensor) -> Tensor:
    """Pair i is the complex number x[i] + j·x[i + D/2]; turning it is multiplying it by e^(j·angle)."""
    half = x.shape[-1] // 2
    rows = x.flatten(0, -2).tolist()
    turns = angles.expand(*x.shape[:-1], half).flatten(0, -2).tolist()
    turned = []
    for row, turn in zip(rows, turns):
        pairs = [complex(row[i], row[i + half]) * cmath.exp(1j * turn[i]) for i in range(half)]
        turned.append([pair.real for pair in pairs] + [pair.imag for pair in pairs])
    return torch.tensor(turned, dtype=torch.float64).reshape(x.shape).to(x.dtype)


def _angles(rng: torch.Generator, *shape: int) -> Tensor:
    return 3 * draw.normal(rng, *shape)


def _given(rng: torch.Generator) -> dict[str, Tensor]:
    return {"x": draw.normal(rng, 2, 4), "angles": _angles(rng, 2, 2)}


def _case(x: Tensor, angles: Tensor, note: str = "") -> Case:
    return Case({"x": x, "angles": angles}, _complex(x, angles), note)


def _zero(rng: torch.Generator) -> list[Case]:
    x = draw.normal(rng, 1, 4)
    return [Case({"x": x, "angles": torch.zeros(1, 2)}, x, "position 0: all angles are 0")]


def _quarter(rng: torch.Generator) -> list[Case]:
    x = torch.randint(1, 9, (1, 4), generator=rng).float()
    note = "pair 0 (channels 0 and 2) turns by a quarter, pair 1 (channels 1 and 3) stays"
    expected = torch.stack([-x[:, 2], x[:, 1], x[:, 0], x[:, 3]], dim=-1)
    return [Case({"x": x, "angles": torch.tensor([[math.pi / 2, 0.0]])}, expected, note)]


def _values(rng: torch.Generator) -> list[Case]:
    T, half = draw.sizes(rng, 2)
    return [
        _case(draw.normal(rng, 1, 4), _angles(rng, 1, 2)),
        _case(draw.normal(rng, T, 2 * half), _angles(rng, T, half)),
    ]


def _lengths(rng: torch.Generator) -> list[Case]:
    given, reads = _given(rng), "the squared length of each pair (channels i and i + D/2)"
    return [Case(given, _squares(given["x"]), read=_squares, reads=reads)]


def _squares(x: Tensor) -> Tensor:
    return x.unflatten(-1, (2, -1)).square().sum(dim=-2)


def _distance(rng: torch.Generator) -> list[Case]:
    q, k = draw.normal(rng, 1, 4), draw.normal(rng, 1, 4)
    x = torch.stack([q.expand(3, 4), k.expand(3, 4)])
    angles = torch.arange(3.0)[:, None] * torch.tensor([1.0, 0.1])
    note = "the same query (x[0]) and key (x[1]) stand at positions 0, 1 and 2"
    reads = "how the scores q·k change when both move one position on: not at all"
    return [Case({"x": x, "angles": angles}, torch.zeros(2, 2), note, _changes, reads)]


def _changes(out: Tensor) -> Tensor:
    scores = out[0] @ out[1].mT
    return scores[1:, 1:] - scores[:-1, :-1]


def _leading(rng: torch.Generator) -> list[Case]:
    x = draw.normal(rng, 2, 3, 5, 14)
    shared = _case(x, _angles(rng, 5, 7), "x is (B, H, T, D), angles (T, D/2) hold for all")
    each = _case(x, _angles(rng, 2, 1, 5, 7), "x is (B, H, T, D), angles (B, 1, T, D/2): each sequence has its own")
    return [shared, each]


def _bfloat16(rng: torch.Generator) -> list[Case]:
    x = 50 * draw.normal(rng, 6, 4).bfloat16()
    # After 42 full turns each pair comes to lie on its first axis, so that its second number is a small difference of
    # large ones. bfloat16 angles are half a radian off here, and bfloat16 sines and cosines leave a rest.
    first, second = x.float().chunk(2, dim=-1)
    return [_case(x, 42 * 2 * math.pi - torch.atan2(second, first), "x is bfloat16, and the angles are above 256")]


_TURN = "[first * cos - second * sin, second * cos + first * sin]"
_wrong = partial(parts.mistake, _reference)

EXERCISE = exercise.Implement(
    name="apply_rope",
    lesson="02_positions",
    number="2.3",
    title="Turn every pair by its angle",
    library=rope.apply_rope,
    faster=rope.fused_rope,
    reference=_reference,
    also_closed=(_complex,),
    in_model=True,
    statement="""\
Write `apply_rope(x, angles)`, which turns the channels of queries or keys, pair by pair, by the angle that belongs to
their position.

- `x` has shape `(..., T, D)`: T tokens, D channels (even). `angles` has shape `(T, D/2)`, or one that broadcasts to
  `(..., T, D/2)`, in radians: one for each token and pair. The result is a new tensor with the shape **and the dtype**
  of x. `x` may be bfloat16 while the angles are float32: then turn in float32, and convert only the result.
- Pairs are **half-split**, as in Qwen: pair i is (x[i], x[i + D/2]), the i-th channels of the two halves. Turned by its
  angle a, the pair (x₁, x₂) becomes

$$(x_1 \\cos a - x_2 \\sin a,\\quad x_2 \\cos a + x_1 \\sin a)$$

  and its two numbers go back to where they came from.

For example, D = 4 and one token x = `[1, 2, 3, 4]`: the pairs are (1, 3) and (2, 4). With angles `[π/2, 0]` the first
pair becomes (−3, 1) and the second stays: the result is `[-3, 2, 1, 4]`.
""",
    why="After this, the score of a query and a key depends on how far apart they are, not on where they are.",
    points=4,
    minutes=10,
    difficulty=2,
    hints=(
        "Where do the two numbers of pair i lie in x? Where must they lie in the result?",
        "x (..., T, D) falls into two halves (..., T, D/2), which fit angles (T, D/2); the result is (..., T, D).",
        "first, second = the two halves of x; new first = first cos - second sin; "
        "new second = second cos + first sin (with the old first); put the halves together; back to x's dtype.",
        "x.chunk(2, dim=-1) gives the two halves, torch.cat([..., ...], dim=-1).to(x.dtype) puts them back.",
    ),
    tests=(
        Test("position 0 leaves x as it is", _zero),
        Test("a quarter turn takes the pair (x₁, x₂) to (−x₂, x₁)", _quarter),
        Test("agrees with complex multiplication, pair by pair", _values),
        Test("turning keeps the length of every pair", _lengths),
        Test("a score sees only the distance between query and key", _distance),
        Test("leading dimensions pass through, and angles broadcast over them", _leading),
        draw.types("the result has the dtype of x", ("x",), _given),
        Test("bfloat16 is turned in float32", _bfloat16),
        draw.gradients("a gradient reaches x", ("x",), _given),
    ),
    wrong_answers={
        "interleaved": _wrong(
            "neighbouring channels are paired, (x[0], x[1]), (x[2], x[3]), …; here pair i is (x[i], x[i + D/2]).",
            ("x.chunk(2, dim=-1)", "(x[..., i::2] for i in (0, 1))"),
            (f"torch.cat({_TURN}, dim=-1)", f"torch.stack({_TURN}, dim=-1).flatten(-2)"),
        ),
        "interleaved_on_the_way_in": _wrong(
            "pairs are taken from neighbouring channels but put back as halves; take halves: x.chunk(2, dim=-1).",
            ("x.chunk(2, dim=-1)", "(x[..., i::2] for i in (0, 1))"),
        ),
        "interleaved_on_the_way_out": _wrong(
            "pairs are taken from the halves but put back as neighbours; put the halves together with torch.cat.",
            (f"torch.cat({_TURN}, dim=-1)", f"torch.stack({_TURN}, dim=-1).flatten(-2)"),
        ),
        "sine_and_cosine_exchanged": _wrong(
            "sine and cosine are exchanged: at angle 0 the cosine is 1, and nothing may move.",
            ("angles.cos(), angles.sin()", "angles.sin(), angles.cos()"),
        ),
        "turned_backwards": _wrong(
            "the pairs turn the other way, by minus the angle: the minus belongs to the first channel.",
            (_TURN, "[first * cos + second * sin, second * cos - first * sin]"),
        ),
        "sign_lost": _wrong(
            "both channels have a plus; then it is no rotation, and lengths change.",
            ("cos - second", "cos + second"),
        ),
        "old_first_overwritten": _wrong(
            "the second channel was computed from the first one already turned; it needs the old one.",
            ("return torch.cat", "first = first * cos - second * sin\n    return torch.cat"),
            ("[first * cos - second * sin, ", "[first, "),
        ),
        "dtype_lost": _wrong(
            "the result has the dtype of the angles; hand it back in the dtype of x, or a bfloat16 model stops here.",
            (".to(x.dtype)", ""),
        ),
        "angles_in_bfloat16": _wrong(
            "the angles were made bfloat16, which above 256 counts in twos; take their sine and cosine in float32.",
            ("angles.cos(), angles.sin()", "angles.to(x.dtype).cos(), angles.to(x.dtype).sin()"),
        ),
        "turned_in_bfloat16": _wrong(
            "sine and cosine were made bfloat16 before the turn; multiply in float32, and convert only the result.",
            ("angles.cos(), angles.sin()", "angles.cos().to(x.dtype), angles.sin().to(x.dtype)"),
        ),
    },
)

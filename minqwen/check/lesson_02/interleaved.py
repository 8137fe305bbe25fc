"""Exercise 2.5, the right rotation for the wrong layout. Su et al. 2021 (arXiv:2104.09864), section 3.4.2."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import exercise, parts
from minqwen.check.lesson_02 import apply_rope
from minqwen.check.parts import Cause


def broken(x: Tensor, angles: Tensor) -> Tensor:
    """Pair i of x, which is (x[i], x[i + D/2]), turned by its angle."""
    first, second = x[..., 0::2], x[..., 1::2]
    c, s = angles.cos(), angles.sin()
    turned = [first * c - second * s, second * c + first * s]
    return torch.stack(turned, dim=-1).flatten(-2)


_CAUSES = {
    "a": Cause(
        "The pairs turn the wrong way round.",
        "turned backwards, channel 0 would still share its turn with channel D/2, with the sign changed.",
    ),
    "b": Cause(
        "The angles were computed with another base than the model was trained with.",
        "the base only changes the angles, and angles came in as they should; the wrong channels meet.",
    ),
    "c": Cause(
        "Neighbours are paired, (x[0], x[1]), (x[2], x[3]), …, but the weights pair each channel with the one D/2 on."
    ),
}

_TESTS = {test.title: test for test in apply_rope.EXERCISE.tests}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="02_interleaved",
    lesson="02_positions",
    number="2.5",
    title="The right rotation for the wrong layout",
    broken=broken,
    also_closed=apply_rope.EXERCISE.closed,
    mend=(
        ("x[..., 0::2], x[..., 1::2]", "x.chunk(2, dim=-1)"),
        ("torch.stack(turned, dim=-1).flatten(-2)", "torch.cat(turned, dim=-1)"),
    ),
    imports="import math\n\nimport torch\nfrom torch import Tensor",
    symptom="""\
x = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
turned = broken(x, torch.tensor([[math.pi / 2, 0.0, 0.0]]))
print("a quarter turn of pair 0 should move the 1 to channel 3, but:", turned.round().tolist())""",
    statement=f"""\
A colleague took this rotation from another project. It passes many tests: position 0 changes nothing, lengths are kept,
scores see only the distance. A model trained *from scratch* with it is as good as any. But with Qwen's weights, whose
pair i is (x[i], x[i + D/2]), the model writes much worse, as if it had lost its sense of place.

`x` is `(..., T, D)`, the angles are `(T, D/2)` or broadcast to `(..., T, D/2)`, the result is like x. Turned by its
angle a, a pair (x₁, x₂) becomes (x₁ cos a − x₂ sin a, x₂ cos a + x₁ sin a). Write `fixed(x, angles)`, and set `cause`
to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="Both layouts are in use, the weights do not say which they want, and no shape gives it away.",
    points=3,
    minutes=10,
    difficulty=3,
    hints=(
        "Channel 0 is turned together with one other channel. With which one here, with which in Qwen's weights?",
        "first and second are (..., T, D/2) each; in Qwen they are the two halves of x.",
        "take the halves of x; turn as before; put the two results one after the other.",
        "x.chunk(2, dim=-1) takes halves, torch.cat(turned, dim=-1) puts them back.",
    ),
    causes=_CAUSES,
    cause="c",
    tests=(
        _TESTS["position 0 leaves x as it is"],
        _TESTS["a score sees only the distance between query and key"],
        _TESTS["a quarter turn takes the pair (x₁, x₂) to (−x₂, x₁)"],
        _TESTS["agrees with complex multiplication, pair by pair"],
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "only_the_way_in": _wrong(
            "pairs are taken from the halves but put back as neighbours; put them back where they came from.",
            ("x[..., 0::2], x[..., 1::2]", "x.chunk(2, dim=-1)"),
        ),
        "only_the_way_out": _wrong(
            "pairs are put back as halves but taken from neighbours; take them from where they belong.",
            ("torch.stack(turned, dim=-1).flatten(-2)", "torch.cat(turned, dim=-1)"),
        ),
    },
)

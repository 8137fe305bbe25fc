"""Exercise 14.10, the scales of the scales. Dettmers et al. 2023, "QLoRA" (arXiv:2305.14314), section 3."""

from functools import partial

import torch
from torch import Tensor

from minqwen.adapt import qlora
from minqwen.adapt.qlora import DoubleQuantized
from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test


def _reference(absmax, block=256):
    """The library also refuses what is not finite."""
    mean, n = absmax.mean(), len(absmax)
    rows = torch.nn.functional.pad(absmax - mean, (0, -n % block)).reshape(-1, block)
    steps = rows.abs().amax(dim=1) / 127
    codes = (rows / steps.where(steps > 0, 1.0)[:, None]).round()
    return DoubleQuantized(codes.flatten()[:n].to(torch.int8), steps, mean)


def _loops(absmax: Tensor, block: int) -> DoubleQuantized:
    values = absmax.tolist()
    mean = sum(values) / len(values)
    codes, steps = [], []
    for start in range(0, len(values), block):
        part = [value - mean for value in values[start : start + block]]
        steps.append(max(abs(value) for value in part) / 127)
        codes += [round(value / steps[-1]) if steps[-1] > 1e-12 else 0 for value in part]
    made = torch.tensor(codes, dtype=torch.int8), torch.tensor(steps, dtype=torch.float64)
    return DoubleQuantized(*made, torch.tensor(mean, dtype=torch.float64))


def _case(absmax: Tensor, block: int, note: str = "") -> Case:
    return Case({"absmax": absmax, "block": block}, _loops(absmax, block), note)


def _scales(rng: torch.Generator, n: int) -> Tensor:
    return draw.normal(rng, n, dtype=torch.float64).abs() * 0.1 + 0.3 + torch.rand((), generator=rng).double()


def _one(rng: torch.Generator) -> list[Case]:
    return [_case(_scales(rng, 4), 4, "one block of four"), _case(_scales(rng, 11), 11, "one block")]


def _blocks(rng: torch.Generator) -> list[Case]:
    absmax = _scales(rng, 9)
    absmax[3:6] = absmax.mean() + (absmax[3:6] - absmax.mean()) * 0.01
    return [_case(absmax, 3, "the second block lies close to the mean")]


def _tail(rng: torch.Generator) -> list[Case]:
    return [_case(_scales(rng, 7), 3, "the last block has one scale"), _case(_scales(rng, 5), 256)]


def _equal(rng: torch.Generator) -> list[Case]:
    value = torch.randint(1, 9, (), generator=rng).double() / 4
    return [_case(value.repeat(8), 4, "all scales are equal")]


def _high(rng: torch.Generator) -> list[Case]:
    return [_case(torch.cat([_scales(rng, 6), _scales(rng, 2) * 9]), 4, "the last two are far above the mean")]


_wrong = partial(parts.mistake, _reference)

EXERCISE = exercise.Implement(
    name="double_quantize",
    lesson="14_lora_qlora",
    number="14.10",
    title="Scales in eight bits",
    library=qlora.double_quantize,
    reference=_reference,
    also_closed=(_loops,),
    in_model=True,
    imports=(
        "import torch\nfrom jaxtyping import Float\nfrom torch import Tensor\n\n"
        "from minqwen.adapt.qlora import DoubleQuantized"
    ),
    statement="""\
Write `double_quantize(absmax, block=256)`, which returns `DoubleQuantized(codes, steps, mean)`.

- `absmax` holds the scales of all blocks of weights, one row of positive numbers.
- `mean` is the mean of **all** of them, a tensor without axes. It is subtracted first.
- Then `block` scales at a time, the last block possibly shorter: the `step` of a block is its largest absolute value
  over 127, and a code is value / step, **rounded** to a whole number, int8. Where the step is 0 the codes are 0.

For example, `[1.0, 3.0]`: the mean is 2, the step 1/127, the codes -127 and 127.
""",
    why="The scales of nf4_quantize cost half a bit a weight; these cost an eighth.",
    points=3,
    minutes=12,
    difficulty=2,
    hints=(
        "How is this like nf4_quantize, and in which two things does it differ?",
        "(blocks, block) again; one step a block; one mean for all.",
        "subtract the mean; pad and reshape; largest absolute value over 127; divide, round, cut to n.",
        "tensor.round() before .to(torch.int8), which cuts the fraction off.",
    ),
    tests=(
        Test("one block", _one),
        Test("each block has a step of its own, all share the mean", _blocks),
        Test("the last block may be shorter", _tail),
        Test("equal scales have the step 0", _equal),
        Test("values above and below the mean", _high),
    ),
    wrong_answers={
        "no_mean": _wrong(
            "the mean is not subtracted, so half of the codes are never used.", ("(absmax - mean,", "(absmax,")
        ),
        "cut_off": _wrong("the fraction is cut off; round to the nearest.", (".round()", ".trunc()")),
        "rounded_down": _wrong("codes are rounded down; round to the nearest.", (".round()", ".floor()")),
        "padded_first": _wrong(
            "the short block is filled before the mean is subtracted, so its filling is −mean and not 0.",
            (
                "torch.nn.functional.pad(absmax - mean, (0, -n % block)).reshape(-1, block)",
                "torch.nn.functional.pad(absmax, (0, -n % block)).reshape(-1, block) - mean",
            ),
        ),
        "of_128": _wrong("the step is the 128th part; it is the 127th.", ("/ 127", "/ 128")),
        "means_of_blocks": _wrong(
            "each block has its own mean taken off; all share one.",
            ("steps = rows.abs()", "rows = rows - rows.mean(dim=1, keepdim=True)\n    steps = rows.abs()"),
        ),
        "of_255": _wrong(
            "the step is the 255th part: then codes leave -127 to 127 or use half of it.", ("/ 127", "/ 255")
        ),
        "signed": _wrong(
            "the step is that of the largest value; below the mean values may be larger.",
            ("rows.abs().amax(dim=1)", "rows.amax(dim=1).abs()"),
        ),
        "one_step": _wrong(
            "all blocks share one step.", ("rows.abs().amax(dim=1)", "rows.abs().amax().expand(len(rows)).clone()")
        ),
        "smallest": _wrong("the smallest scale is subtracted; subtract the mean.", ("absmax.mean()", "absmax.min()")),
        "median": _wrong("the median is subtracted; subtract the mean.", ("absmax.mean()", "absmax.median()")),
        "negated": _wrong("the signs are exchanged: scale minus mean.", ("(absmax - mean,", "(mean - absmax,")),
    },
)

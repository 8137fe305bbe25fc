"""Exercise 4.5, few keys for many queries. Ainslie et al. 2023 (arXiv:2305.13245), section 2.2."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import attention


def _loops(x: Tensor, groups: int) -> Tensor:
    heads = [x[..., h // groups, :, :] for h in range(groups * x.shape[-3])]
    return torch.stack(heads, dim=-3)


def _case(x: Tensor, groups: int, note: str = "") -> Case:
    return Case({"x": x, "groups": groups}, _loops(x, groups), note)


def _neighbours(rng: torch.Generator) -> list[Case]:
    x = torch.arange(8.0).reshape(2, 2, 2) + torch.randint(0, 50, (1,), generator=rng)
    return [_case(x, 2, "two key-value heads for four query heads: 0 and 1 share one, 2 and 3 the other")]


def _one_sequence(rng: torch.Generator) -> list[Case]:
    heads, S, D, groups = draw.sizes(rng, 4)
    return [_case(draw.normal(rng, 2, 1, 1), 3), _case(draw.normal(rng, heads, S, D), groups)]


def _leading(rng: torch.Generator) -> list[Case]:
    return [_case(draw.normal(rng, 2, 3, 5, 1), 2), _case(draw.normal(rng, 3, 2, 2, 1, 5), 3)]


def _no_groups(rng: torch.Generator) -> list[Case]:
    return [_case(draw.normal(rng, 3, 2, 1), 1, "every query head has its own, as in the first Qwen")]


def _one_for_all(rng: torch.Generator) -> list[Case]:
    (groups,) = draw.sizes(rng, 1)
    return [_case(draw.normal(rng, 1, 2, 1), groups, "multi-query attention: one key-value head for all")]


_COPIES = "x.repeat_interleave(groups, dim=-3)"

_wrong = partial(parts.mistake, attention.repeat_kv)

EXERCISE = exercise.Implement(
    name="repeat_kv",
    lesson="04_qwen_block",
    number="4.5",
    title="Let several queries share a key",
    library=attention.repeat_kv,
    also_closed=(_loops,),
    in_model=True,
    may_view=True,
    statement="""\
In grouped-query attention (later Qwens, Llama) there are fewer key-value heads than query heads. Write
`repeat_kv(x, groups)`, which copies each key-value head, so that there are as many as query heads and ordinary
attention can go on.

- `x` has shape `(..., Hkv, S, D)`: keys or values of Hkv heads, S positions, D channels. The dots stand for any leading
  dimensions, also none.
- `groups` is how many **query heads share one key-value head** (not how many key-value heads there are). The result is
  `(..., H, S, D)` with H = Hkv · groups.
- Query heads that share are **neighbours**: `out[..., h, :, :] = x[..., h // groups, :, :]`.

For example, Hkv = 2 heads A and B, and groups = 3: the result has the heads A, A, A, B, B, B.

You may use torch's own functions. The result may be a view of `x`, or x itself when `groups` is 1.
""",
    why="Keys and values are what the cache holds: with 8 of them for 64 query heads it is an eighth of the size.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "Query heads 0, 1, 2 share a head when groups is 3. Which head do they share, and which does query head 3 use?",
        "(..., Hkv, S, D) becomes (..., Hkv · groups, S, D): only the third axis from the end grows.",
        "for each key-value head in turn: put it down groups times; stack all on the axis of heads.",
        "x.repeat_interleave(n, dim=d) repeats each entry along an axis, copies next to each other; x.repeat does not.",
    ),
    tests=(
        Test("query heads that share a key-value head are neighbours", _neighbours),
        Test("agrees with plain loops on one sequence", _one_sequence),
        Test("agrees with plain loops under leading dimensions", _leading),
        Test("groups of 1 change nothing", _no_groups),
        Test("a single key-value head serves all", _one_for_all),
        draw.gradients("a gradient reaches x", ("x",), lambda rng: {"x": draw.normal(rng, 2, 3, 1), "groups": 2}),
    ),
    wrong_answers={
        "tiled": _wrong(
            "the heads come as A, B, A, B; those that share are neighbours: A, A, B, B.",
            (_COPIES, "torch.cat([x] * groups, dim=-3)"),
        ),
        "positions_repeated": _wrong(
            "positions are repeated and then cut into heads; repeat along the axis of heads, the third from the end.",
            (_COPIES, "x.repeat_interleave(groups, dim=-2).unflatten(-2, (groups, -1)).flatten(-4, -3)"),
        ),
        "channels_repeated": _wrong(
            "channels are repeated and then cut into heads; repeat along the axis of heads, the third from the end.",
            (_COPIES, "x.repeat_interleave(groups, dim=-1).reshape(*x.shape[:-3], -1, *x.shape[-2:])"),
        ),
        "first_axis": _wrong(
            "the first axis is repeated; under leading dimensions the heads are the third axis from the end.",
            ("dim=-3", "dim=0"),
        ),
        "groups_for_heads": _wrong(
            "groups is read as the number of key-value heads; it says how many query heads share one.",
            ("(groups,", "(x.shape[-3],"),
        ),
        "first_head_only": _wrong(
            "all query heads share key-value head 0; the others are never used.",
            (_COPIES, "x[..., :1, :, :].repeat_interleave(groups * x.shape[-3], dim=-3)"),
        ),
        "averaged": _wrong(
            "the key-value heads are averaged into one; each group has its own.",
            (_COPIES, "x.mean(-3, keepdim=True).repeat_interleave(groups * x.shape[-3], dim=-3)"),
        ),
        "reversed": _wrong("the groups come in reverse order.", (_COPIES, f"{_COPIES}.flip(-3)")),
        "moved_on": _wrong(
            "the groups begin one query head too late: head h uses key-value head h // groups, counted from 0.",
            (_COPIES, f"{_COPIES}.roll(1, dims=-3)"),
        ),
        "zeros_between": _wrong(
            "only the first query head of each group has a head, the others have zeros; each gets a whole copy.",
            (_COPIES, "torch.stack([x] + (groups - 1) * [torch.zeros_like(x)], dim=-3).flatten(-4, -3)"),
        ),
        "shared_out": _wrong(
            "each copy is divided by groups; nothing is shared out, every query head gets the whole.",
            (_COPIES, f"{_COPIES} / groups"),
        ),
        "no_gradient": _wrong(
            "the result is cut off from x (by detach, .data or no_grad), so keys and values never learn.",
            (_COPIES, _COPIES.replace("x.", "x.detach().")),
        ),
    },
)

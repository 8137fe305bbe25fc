"""Exercise 5.3, what makes a cache a cache. Shazeer 2019 (arXiv:1911.02150), section 2.4."""

from functools import partial
from typing import Any

import torch

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import cache


def _reference(memory, length, new):
    """As the library, which takes `narrow` for speed, in slices."""
    S = length + new.shape[-2]
    memory[:, :, length:S] = new
    return memory[:, :, :S]


def _given(rng: torch.Generator, length: int, T: int, spare: int, B: int = 1, Hkv: int = 1, D: int = 2) -> dict:
    # What stands behind the filled positions is left over from another text.
    memory = draw.normal(rng, B, Hkv, length + T + spare, D)
    return {"memory": memory, "length": length, "new": draw.normal(rng, B, Hkv, T, D)}


def _filled(given: dict[str, Any]) -> torch.Tensor:
    past = [given["memory"][:, :, i] for i in range(given["length"])]
    return torch.stack([*past, *(given["new"][:, :, i] for i in range(given["new"].shape[2]))], dim=2)


def _case(given: dict[str, Any], note: str = "") -> Case:
    return Case(given, _filled(given), note)


def _one(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 2, 1, 2), "two positions are filled, one is new")]


def _several(rng: torch.Generator) -> list[Case]:
    B, Hkv, T, D = draw.sizes(rng, 4)
    return [_case(_given(rng, 1, 3, 1)), _case(_given(rng, 5, T, 3, B, Hkv, D))]


def _first(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 0, 3, 2), "nothing is filled: the prompt comes"), _case(_given(rng, 2, 3, 0), "all full")]


def _written(rng: torch.Generator) -> list[Case]:
    given = [_given(rng, 2, 1, 2), _given(rng, 1, 3, 2, 2, 3)]
    after = [torch.cat([_filled(g), g["memory"][:, :, g["length"] + g["new"].shape[2] :]], dim=2) for g in given]
    reads = "the memory after the call; what stands behind the filled positions is none of our business"
    return [Case(g, memory, reads=reads, of="memory") for g, memory in zip(given, after)]


def _not_copied(rng: torch.Generator) -> list[Case]:
    reads = "whether the result is a view of other memory, and no copy"
    return [Case(_given(rng, 2, 1, 2), torch.tensor(True), "", lambda out: torch.tensor(out._is_view()), reads)]


_wrong = partial(parts.mistake, _reference)
_WRITE, _RETURN = "memory[:, :, length:S] = new", "return memory[:, :, :S]"

EXERCISE = exercise.Implement(
    name="update_cache",
    lesson="05_inference",
    number="5.3",
    title="Append to the past",
    library=cache.update_cache,
    reference=_reference,
    in_model=True,
    changes=("memory",),
    may_view=True,
    statement="""\
A cache holds keys (and in a second memory values) of all positions so far in one block, made once, so that nothing is
copied when it grows. Write `update_cache(memory, length, new)`:

- `memory` has shape `(B, Hkv, capacity, D)`: B texts, Hkv key-value heads, room for `capacity` positions. The first
  `length` positions are filled; what stands behind them is left over and means nothing.
- `new` has shape `(B, Hkv, T, D)`: the T positions that come next. T is the length of the prompt at first, 1 later.
- **Write** `new` into `memory`, right behind what is filled. (The one exercise where you shall change an argument.)
- **Return** the S = length + T positions that are filled now, `(B, Hkv, S, D)`, as a view of `memory`, not a copy.

There is room: `length + T` is at most `capacity`. For example, with `capacity` 4, `length` 2 and one new position, the
new one goes to place 2 (the third), and places 0 to 2 are returned.
""",
    why="With a cache a new token costs the work of one position; without it, of the whole text, each time.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "If two positions are filled, which index does the next one get? And where does the last new one go?",
        "memory (B, Hkv, capacity, D) is cut on its third axis: new goes to length … length + T − 1.",
        "S = length + T; assign new to the slice of memory; return the slice from 0 to S.",
        "An assignment to a slice, memory[:, :, a:b] = ..., writes into the memory itself; a slice alone is a view.",
    ),
    tests=(
        Test("one new position comes behind the filled ones", _one),
        Test("several positions at once, in many texts and heads", _several),
        Test("an empty cache takes the prompt, a full one is returned whole", _first),
        Test("the memory itself is written, and nothing else in it", _written),
        Test("nothing is copied", _not_copied),
    ),
    wrong_answers={
        "not_written": _wrong(
            "the result is right, but the memory was not written, so the next call will not find these positions.",
            (_WRITE, ""),
            (_RETURN, "return torch.cat([memory[:, :, :length], new], dim=2).narrow(2, 0, S)"),
        ),
        "copied": _wrong(
            "the result is a copy of everything so far, at each token; return a slice of the memory.",
            (_RETURN, f"{_RETURN}.clone()"),
        ),
        "at_the_start": _wrong(
            "new is written over the oldest positions; it goes behind what is filled.",
            (_WRITE, "memory[:, :, : S - length] = new"),
        ),
        "at_the_end": _wrong(
            "new is written to the end of the memory; it goes right behind what is filled.",
            (_WRITE, "memory[:, :, memory.shape[2] - new.shape[2] :] = new"),
        ),
        "one_too_early": _wrong(
            "new is written one place too early, over the last filled position; `length` is the first free place.",
            (_WRITE, "memory[:, :, max(length - 1, 0) : max(S - 1, new.shape[2])] = new"),
        ),
        "added": _wrong(
            "new is added to what was left over there; write over it.",
            (_WRITE, "memory[:, :, length:S] += new"),
        ),
        "backwards": _wrong(
            "the new positions are written last first; keep their order.",
            (_WRITE, "memory[:, :, length:S] = new.flip(2)"),
        ),
        "last_only": _wrong(
            "all new positions get the keys of the last one; each has its own.",
            (_WRITE, "memory[:, :, length:S] = new[:, :, -1:]"),
        ),
        "past_overwritten": _wrong(
            "the filled positions are written over as well; they stay as they are.",
            (_WRITE, "memory[:, :, :S] = new[:, :, -1:]"),
        ),
        "rest_cleared": _wrong(
            "the places behind are cleared too, which costs time for nothing: they mean nothing.",
            (_RETURN, f"memory[:, :, S:] = 0.0\n    {_RETURN}"),
        ),
        "first_head_only": _wrong(
            "only head 0 is written; every head has keys of its own.",
            (_WRITE, "memory[:, :1, length:S] = new[:, :1]"),
        ),
    },
)

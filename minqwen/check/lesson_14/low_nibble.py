"""Exercise 14.9, neighbours exchanged. Dettmers et al. 2023, "QLoRA" (arXiv:2305.14314); the layout of bitsandbytes."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(packed: Tensor, n: int) -> Tensor:
    """The n codes, 0 to 15, that uint8 `packed` holds two a byte, the first in the high half."""
    first, second = packed & 15, packed >> 4
    codes = torch.stack([first, second], dim=1)
    return codes.flatten()[:n]


def _loops(packed: Tensor, n: int) -> Tensor:
    digits = "".join(f"{byte:02x}" for byte in packed.tolist())
    return torch.tensor([int(digit, 16) for digit in digits[:n]], dtype=torch.uint8)


def _case(rng: torch.Generator, size: int, n: int, note: str = "") -> Case:
    high, low = (torch.randperm(16, generator=rng)[:size] for _ in range(2))
    low = (low + (low == high)) % 16
    packed = (16 * high + low).to(torch.uint8)
    if n % 2:
        packed[-1] &= 0xF0
    return Case({"packed": packed, "n": n}, _loops(packed, n), note)


def _one(rng: torch.Generator) -> list[Case]:
    return [_case(rng, 1, 2, "one byte, two codes")]


def _more(rng: torch.Generator) -> list[Case]:
    return [_case(rng, 5, 10), _case(rng, 11, 22)]


def _odd(rng: torch.Generator) -> list[Case]:
    return [_case(rng, 3, 5, "the last low half is only a filling")]


_CAUSES = {
    "a": Cause("The two halves of each byte are exchanged, so every pair of neighbours is."),
    "b": Cause("The codes are read as signed numbers.", "uint8 has no sign, and 0 to 15 come out."),
    "c": Cause("The last code is lost when n is odd.", "it is the first n that are kept, as asked."),
}
_wrong = partial(parts.mistake, broken)
_HALVES, _STACK = "packed & 15, packed >> 4", "torch.stack([first, second], dim=1)"

EXERCISE = exercise.Bug(
    name="14_low_nibble",
    lesson="14_lora_qlora",
    number="14.9",
    title="Neighbours exchanged",
    broken=broken,
    also_closed=(_loops,),
    mend=((_HALVES, "packed >> 4, packed & 15"),),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
packed = torch.tensor([0xF0, 0x7A], dtype=torch.uint8)
print("the codes are 15, 0, 7, 10, but:", broken(packed, 4).tolist())""",
    statement=f"""\
A model in four bits, written by one library and read by another, loads without a complaint and writes nonsense. The
histogram of its weights is exactly right.

- `packed` is `(bytes,)`, uint8, two codes a byte, **the first in the high half**; `n` is how many codes there are.
- The result should be the `(n,)` codes, 0 to 15, uint8, in their order.

Write `fixed(packed, n)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="A histogram cannot see order: compare a few weights one by one.",
    points=2,
    minutes=6,
    difficulty=2,
    hints=(
        "Why is the histogram right?",
        "(bytes,) to (bytes, 2) to (n,).",
        "which half comes first in the pair?",
        "0xF0 >> 4 is 15, and 0xF0 & 15 is 0.",
    ),
    causes=_CAUSES,
    cause="a",
    tests=(
        Test("one byte: its high half comes first", _one),
        Test("every byte, in order", _more),
        Test("an odd number of codes", _odd),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "by_halves": _wrong(
            "all high halves come first, then all low ones; the two of a byte belong together.",
            (_HALVES, "packed >> 4, packed & 15"),
            ("dim=1", "dim=0"),
        ),
        "not_cut": _wrong(
            "all codes are returned, the filling too; n says how many there are.",
            (_HALVES, "packed >> 4, packed & 15"),
            ("codes.flatten()[:n]", "codes.flatten()"),
        ),
        "last_n": _wrong(
            "the last n are kept; the filling stands at the end, so the first n are meant.",
            (_HALVES, "packed >> 4, packed & 15"),
            ("codes.flatten()[:n]", "codes.flatten()[-n:]"),
        ),
        "backwards": _wrong("the codes come backwards.", ("codes.flatten()[:n]", "codes.flatten().flip(0)[-n:]")),
        "not_shifted": _wrong(
            "the high halves are not shifted down, so they are 16 times too large.",
            (_HALVES, "packed & 240, packed & 15"),
        ),
    },
)

"""Exercise 9.4, a table that forgets a parameter. Su et al. 2021 (arXiv:2104.09864), section 3.2.2, equation 15."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Cause, Test
from minqwen.model import rope


def broken(lengths: Tensor, bases: Tensor) -> Tensor:
    """The angles of the last token of each text, in a head of 4 channels; texts that are alike share a table."""
    tables, angles = {}, []
    for length, base in zip(lengths.tolist(), bases.tolist()):
        key = length
        if key not in tables:
            tables[key] = rope.rope_angles(torch.arange(length), 4, base)
        angles.append(tables[key][-1])
    return torch.stack(angles)


def _loops(lengths: Tensor, bases: Tensor) -> Tensor:
    rows = [[length - 1, (length - 1) / base**0.5] for length, base in zip(lengths.tolist(), bases.tolist())]
    return torch.tensor(rows, dtype=torch.float32)


def _case(lengths: Tensor, bases: Tensor, note: str) -> Case:
    return Case({"lengths": lengths, "bases": bases}, _loops(lengths, bases), note)


def _integers(rng: torch.Generator, low: int, high: int, n: int) -> Tensor:
    return torch.randperm(high - low, generator=rng)[:n] + low


def _one_base(rng: torch.Generator) -> list[Case]:
    base = _integers(rng, 2, 90, 1).expand(3) * 1000.0
    return [_case(_integers(rng, 2, 50, 3), base, "three lengths, one base")]


def _one_length(rng: torch.Generator) -> list[Case]:
    length = _integers(rng, 2, 50, 1).expand(3).clone()
    return [_case(length, _integers(rng, 2, 90, 3) * 1000.0, "one length, three bases")]


def _again(rng: torch.Generator) -> list[Case]:
    lengths, bases = _integers(rng, 2, 50, 2), _integers(rng, 2, 90, 2) * 1000.0
    both = torch.cartesian_prod(lengths.double(), bases.double())
    twice = torch.cat([both, both.flip(0)])
    return [_case(twice[:, 0].long(), twice[:, 1].float(), "two lengths with two bases each, there and back")]


_CAUSES = {
    "a": Cause(
        "The base is used, but the exponent is wrong.",
        "the first text of each length gets the right angles, so the exponent is right.",
    ),
    "b": Cause(
        "A table is made for each text, and never used again.",
        "the tables are used again, and too often: that is why two texts of one length cannot differ.",
    ),
    "c": Cause("The tables are kept by length alone, so a text gets the angles of the base that came first."),
}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="09_cached_angles",
    lesson="09_long_context",
    number="9.4",
    title="A table that forgets",
    broken=broken,
    also_closed=(_loops,),
    mend=(("key = length", "key = (length, base)"),),
    imports="import torch\nfrom torch import Tensor\n\nfrom minqwen.model import rope",
    symptom="""\
angles = broken(torch.tensor([9, 9]), torch.tensor([100.0, 10_000.0]))
print("the second pair should turn by 0.8 with base 100 and by 0.08 with base 10,000, but:", angles[:, 1])""",
    statement=f"""\
To save time a colleague keeps the angles of RoPE in tables. `broken(lengths, bases)` runs through N texts, each with
its length (`lengths` is `(N,)`, int64) and the base that NTK chose for it (`bases` is `(N,)`, float32), and returns
the angles of each one's last token, `(N, 2)`. `rope.rope_angles` works and is not what is broken.

With one base for all texts every test passed. With dynamic NTK the first text of a length is read well, and later
ones are not always.

Write `fixed(lengths, bases)`, which gives every text its right angles, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="Published libraries have had this very bug: what a table depends on belongs into its key.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "Two texts of 9 tokens, two bases: how many tables should there be, and how many are there?",
        "The angles (length, 2) are computed from two numbers; the key holds one of them.",
        "key = everything that the angles are computed from; look it up; compute only if it is new.",
        "A key of a dict may be a tuple: (first, second).",
    ),
    causes=_CAUSES,
    cause="c",
    tests=(
        Test("with one base for all, every length has its angles", _one_base),
        Test("with one length for all, every base has its angles", _one_length),
        Test("texts that come again get the same angles again", _again),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "by_base": _wrong(
            "now tables are kept by base alone; the length belongs to the key too.", ("key = length", "key = base")
        ),
        "last_base": _wrong(
            "now every table is computed with the base of the last text.",
            ("key = length", "key = (length, base)"),
            ("4, base)", "4, bases[-1].item())"),
        ),
    },
)

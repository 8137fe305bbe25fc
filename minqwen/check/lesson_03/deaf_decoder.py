"""Exercise 3.4, a decoder that does not listen. Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.3."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, loops, parts
from minqwen.check.parts import Case, Cause, Test
from minqwen.model import attention


def broken(x: Tensor, memory: Tensor, wq: Tensor, wk: Tensor, wv: Tensor, is_source: Tensor) -> Tensor:
    """Cross-attention of one head: each of the T tokens of x looks at the S vectors of the memory."""
    q, k, v = x @ wq.mT, x @ wk.mT, x @ wv.mT
    mask = is_source[: len(k)].expand(len(q), len(k))
    return attention.scaled_dot_product_attention(q, k, v, mask)


def _loops(x: Tensor, memory: Tensor, wq: Tensor, wk: Tensor, wv: Tensor, is_source: Tensor) -> Tensor:
    def times(rows: Tensor, weight: Tensor) -> Tensor:
        return torch.tensor([[sum(a * w for a, w in zip(row, ws)) for ws in weight.tolist()] for row in rows.tolist()])

    mask = is_source[None].expand(len(x), len(memory))
    return loops.attention(times(x, wq), times(memory, wk), times(memory, wv), mask).to(x.dtype)


def _given(rng: torch.Generator, T: int, S: int, C: int) -> dict[str, Tensor]:
    given = {"x": draw.normal(rng, T, C), "memory": draw.normal(rng, S, C)}
    given |= {name: 2 * draw.normal(rng, C, C) / C**0.5 for name in ("wq", "wk", "wv")}
    return {**given, "is_source": torch.ones(S, dtype=torch.bool)}


def _single(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 3, 5, 2)
    given["is_source"] = torch.arange(5) == torch.randint(0, 5, (1,), generator=rng)
    value = given["memory"][given["is_source"]] @ given["wv"].mT
    return [Case(given, value.expand(3, 2).clone(), "a single token of the source is no padding")]


def _values(rng: torch.Generator) -> list[Case]:
    T, S, C = draw.sizes(rng, 3)
    given = [_given(rng, 2, 3, 2), _given(rng, min(T, S), max(T, S), C)]
    given[1]["is_source"] = draw.mask(rng, max(T, S))
    return [Case(args, _loops(**args)) for args in given]


def _longer(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 7, 3, 2)
    return [Case(given, _loops(**given), "the target is longer than the source")]


_CAUSES = {
    "a": Cause(
        "wq and wk are exchanged, so that the comparison is turned round.",
        "both act on x here, and however they are exchanged, the memory would still be nowhere.",
    ),
    "b": Cause("Keys and values are made from x, so the decoder attends to itself a second time."),
    "c": Cause(
        "The mask hides the whole memory.",
        "is_source is True for what may be seen; and a mask cannot show what keys and values do not hold.",
    ),
}

_wrong = partial(parts.mistake, broken)
_LINE = "q, k, v = x @ wq.mT, x @ wk.mT, x @ wv.mT"
_MASK = "is_source[: len(k)].expand(len(q), len(k))"
_MENDED = "is_source.expand(len(q), len(k))"

EXERCISE = exercise.Bug(
    name="03_deaf_decoder",
    lesson="03_transformer",
    number="3.4",
    title="The decoder that does not listen",
    broken=broken,
    also_closed=(_loops, loops.attention),
    mend=((_LINE, "q, k, v = x @ wq.mT, memory @ wk.mT, memory @ wv.mT"), (_MASK, _MENDED)),
    imports="import torch\nfrom torch import Tensor\n\nfrom minqwen.model import attention",
    symptom="""\
x, eye = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.eye(2)
memory, other = torch.tensor([[5.0, 5.0], [6.0, 6.0]]), torch.tensor([[-7.0, 0.0], [0.0, 9.0]])
is_source = torch.tensor([True, True])
same = broken(x, memory, eye, eye, eye, is_source).equal(broken(x, other, eye, eye, eye, is_source))
print("another source should give another result, but: the two are equal:", same)""",
    statement=f"""\
A translator is trained. Its loss falls for a while, to that of a model that only knows what targets look like, and
stays there. What it writes is well spelled, and has nothing to do with what it was given. `broken` is its
cross-attention.

- `x` is `(T, C)`, the tokens that the decoder has so far; `memory` is `(S, C)`, what the encoder made of the source.
- `wq`, `wk` and `wv` are `(C, C)`, stored as (out, in). There is one head and no output matrix.
- `is_source` is `(S,)`, boolean: False where the source is padding. **True means: may be attended to.**
- The result is `(T, C)`: for each token of x an average of values of the *source*. T may be more or less than S.

Write `fixed(x, memory, wq, wk, wv, is_source)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="Cross-attention is the only path from what is read to what is written.",
    points=3,
    minutes=10,
    difficulty=2,
    hints=(
        "Which of the arguments could be left out without changing the result of broken?",
        "Queries are (T, C); keys and values are (S, C), one for each vector to be looked at; the mask is (T, S).",
        "queries from x; keys from the memory; values from the memory; the mask as long as the memory.",
        "Whoever asks is x; whoever is looked at has wk and wv, and is_source is as long as they are.",
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("where one token of the source may be seen, its value is the result", _single),
        Test("agrees with plain loops", _values),
        Test("a target may be longer than its source", _longer),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "values_of_x": _wrong(
            "now the keys come from the memory, but what is averaged is still x; values come from the memory too.",
            (_LINE, "q, k, v = x @ wq.mT, memory @ wk.mT, x[torch.arange(len(memory)) % len(x)] @ wv.mT"),
            (_MASK, _MENDED),
        ),
        "keys_of_x": _wrong(
            "now the values come from the memory, but what is compared is still x; keys come from the memory too.",
            (_LINE, "q, k, v = x @ wq.mT, x[torch.arange(len(memory)) % len(x)] @ wk.mT, memory @ wv.mT"),
            (_MASK, _MENDED),
        ),
        "mask_lost": _wrong(
            "now the memory is read, but its padding as well: is_source has no effect.",
            (_LINE, "q, k, v = x @ wq.mT, memory @ wk.mT, memory @ wv.mT"),
            (_MASK, "is_source.new_ones(len(q), len(k))"),
        ),
        "mask_inverted": _wrong(
            "now the memory is read, but where it is padding: True means that a token may be seen.",
            (_LINE, "q, k, v = x @ wq.mT, memory @ wk.mT, memory @ wv.mT"),
            (_MASK, f"~{_MENDED}"),
        ),
        "exchanged": _wrong(
            "now wk and wv are exchanged: wk makes what is compared, wv what is averaged.",
            (_LINE, "q, k, v = x @ wq.mT, memory @ wv.mT, memory @ wk.mT"),
            (_MASK, _MENDED),
        ),
    },
)

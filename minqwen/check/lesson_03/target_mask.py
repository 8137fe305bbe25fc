"""Exercise 3.3, what the decoder may look at. Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.3."""

from functools import partial

import torch

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import transformer


def _loops(is_token: torch.Tensor) -> torch.Tensor:
    B, T = is_token.shape
    rows = [[[[s <= t and bool(is_token[b, s]) for s in range(T)] for t in range(T)]] for b in range(B)]
    return torch.tensor(rows, dtype=torch.bool).reshape(B, 1, T, T)


def _case(is_token: torch.Tensor, note: str = "") -> Case:
    return Case({"is_token": is_token}, _loops(is_token), note)


def _padded(rng: torch.Generator, B: int, T: int) -> torch.Tensor:
    """Rows that end in padding, the first a token long, the second whole, the others somewhere between."""
    lengths = torch.randint(1, T + 1, (B,), generator=rng)
    lengths[:2] = torch.tensor([1, T])[: len(lengths)]
    return torch.arange(T) < lengths[:, None]


def _whole(rng: torch.Generator) -> list[Case]:
    (T,) = draw.sizes(rng, 1)
    return [_case(torch.ones(1, T, dtype=torch.bool), "no padding"), _case(torch.ones(2, 3, dtype=torch.bool))]


def _batch(rng: torch.Generator) -> list[Case]:
    B, T = draw.sizes(rng, 2)
    return [_case(_padded(rng, 2, 3), "one text has one token, the other three"), _case(_padded(rng, B, T))]


def _left(rng: torch.Generator) -> list[Case]:
    (T,) = draw.sizes(rng, 1)
    return [_case(_padded(rng, 2, max(T, 3)).flip(-1), "padded on the left: a row may then see nothing")]


_RETURN = "attention.causal_mask(T, T) & is_token[:, None, None, :]"
_wrong = partial(parts.mistake, transformer.target_mask)

EXERCISE = exercise.Implement(
    name="target_mask",
    lesson="03_transformer",
    number="3.3",
    title="No look ahead, none at padding",
    library=transformer.target_mask,
    also_closed=(_loops,),
    in_model=True,
    imports="from minqwen.model import attention  # attention.causal_mask(T, S), or your own",
    statement="""\
Write `target_mask(is_token)`, the mask of the decoder's attention to what it has written: a batch of targets of unequal
length, padded to T.

- `is_token` is boolean of shape `(B, T)`: True where a target has a token, False on its padding.
- The result is boolean of shape `(B, 1, T, T)`; the 1 is for the heads, which all use the same mask.
- `mask[b, 0, t, s]` is **True where query t of text b may attend to key s**: when s is not later than t (s ≤ t),
  **and** key s of that text is a token. Whether the *query* is padding does not matter: nobody reads its result.

For example, a text of two tokens, padded to three, has the mask

```text
True   False  False
True   True   False
True   True   False      query 2 is padding itself; key 2 is hidden because it is padding
```

You may use `attention.causal_mask(T, S)` of the library, which is True where s ≤ t + S − T, or your own.
""",
    why="All positions of all targets are trained at once: without this mask each would copy the answer from the next.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "Two rules, and both must hold. Which of them depends on the text b, and which on t?",
        "One rule is (T, T), the same for all texts. The other is (B, T), about keys; it must become (B, 1, 1, T).",
        "triangle (T, T); is_token with two new axes in the middle (B, 1, 1, T); True where both are.",
        "x[:, None, None, :] makes two new axes; & joins two boolean tensors and broadcasts.",
    ),
    tests=(
        Test("without padding every text has the causal mask", _whole),
        Test("no query sees a key that is padding, in its own text", _batch),
        Test("padding on the left is hidden too", _left),
    ),
    wrong_answers={
        "either": _wrong(
            "a key is allowed where one of the two rules holds; both must.", (_RETURN, _RETURN.replace("&", "|"))
        ),
        "no_causal": _wrong(
            "padding is hidden, but the future is not: query t may see keys s ≤ t only.",
            ("attention.causal_mask(T, T)", "torch.ones(T, T, dtype=torch.bool)"),
        ),
        "no_padding": _wrong(
            "the future is hidden, but padding is not: key s must be a token.",
            ("is_token[:, None, None, :]", "torch.ones_like(is_token)[:, None, None, :]"),
        ),
        "queries": _wrong(
            "padded queries are hidden; it is the keys that must be tokens, so is_token belongs to the last axis.",
            ("[:, None, None, :]", "[:, None, :, None]"),
        ),
        "both_sides": _wrong(
            "padded queries are hidden as well as padded keys; only keys matter, and such rows see nothing.",
            ("is_token[:, None, None, :]", "is_token[:, None, None, :] & is_token[:, None, :, None]"),
        ),
        "padding_inverted": _wrong(
            "is_token is read the wrong way round: True is a token, which may be seen.",
            ("& is_token", "& ~is_token"),
        ),
        "inverted": _wrong(
            "True and False are exchanged, as in torch.nn.Transformer; here True means: may be attended to.",
            (_RETURN, f"~({_RETURN})"),
        ),
        "transposed": _wrong(
            "this is the other triangle: a query sees its future and not its past.",
            ("attention.causal_mask(T, T)", "attention.causal_mask(T, T).mT"),
        ),
        "strict": _wrong(
            "a token cannot see itself; s = t is allowed.",
            ("attention.causal_mask(T, T)", "attention.causal_mask(T, T).tril(-1)"),
        ),
        "first_text_for_all": _wrong(
            "every text gets the padding of the first; each has its own.",
            ("is_token[:, None", "is_token[:1].expand_as(is_token)[:, None"),
        ),
    },
)

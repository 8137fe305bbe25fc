"""Exercise 8.2, labels one token off. Qwen Technical Report (arXiv:2309.16609), section 2.4: the next token."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(logits: Tensor, ids: Tensor) -> Tensor:
    """The mean of −log p of the true next token, of a model that read `ids` and gave `logits`."""
    surprise = -logits.log_softmax(dim=-1)
    labels = ids
    return surprise.gather(-1, labels[..., None]).mean()


def _loops(logits: Tensor, ids: Tensor) -> Tensor:
    values = []
    for row, tokens in zip(logits.double(), ids.tolist()):
        for t in range(len(tokens) - 1):
            values.append(-(row[t] - row[t].logsumexp(0))[tokens[t + 1]])
    return torch.stack(values).mean().to(logits.dtype)


def _given(rng: torch.Generator, B: int, T: int, V: int) -> dict[str, Tensor]:
    return {"logits": 2 * draw.normal(rng, B, T, V), "ids": torch.randint(0, V, (B, T), generator=rng)}


def _walk(rng: torch.Generator) -> Tensor:
    """Five tokens of three, none of them twice in a row."""
    start, steps = torch.randint(0, 3, (1,), generator=rng), torch.randint(1, 3, (4,), generator=rng)
    return (torch.cat([start, steps]).cumsum(0) % 3)[None]


def _copies(rng: torch.Generator) -> list[Case]:
    ids = _walk(rng)
    logits = 30.0 * torch.nn.functional.one_hot(ids, 3).float()
    return [Case({"logits": logits, "ids": ids}, torch.tensor(30.0), "a model that says the token it just read")]


def _foresees(rng: torch.Generator) -> list[Case]:
    ids = _walk(rng)
    logits = 30.0 * torch.nn.functional.one_hot(ids.roll(-1, 1), 3).float()
    return [Case({"logits": logits, "ids": ids}, torch.tensor(0.0), "a model that always knows the next token")]


def _values(rng: torch.Generator) -> list[Case]:
    given = [_given(rng, 1, 3, 2), _given(rng, *draw.sizes(rng, 3))]
    return [Case(args, _loops(**args)) for args in given]


_CAUSES = {
    "a": Cause(
        "The softmax is taken over the wrong axis.",
        "the last axis is the vocabulary, over which probabilities add up to 1.",
    ),
    "b": Cause(
        "The model sees the future, because its causal mask is missing.",
        "the mask is inside the model; here the logits are given, and the loss alone is wrong.",
    ),
    "c": Cause("Position t is asked for the token that it has just read, and not for the one after it."),
}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="08_label_shift",
    lesson="08_pretraining",
    number="8.2",
    title="A loss that is too good",
    broken=broken,
    also_closed=(_loops,),
    mend=(
        ("logits.log_softmax", "logits[:, :-1].log_softmax"),
        ("labels = ids", "labels = ids[:, 1:]"),
    ),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
ids = torch.tensor([[0, 1, 2, 0, 1]])
copies = 30.0 * torch.nn.functional.one_hot(ids, 3)  # a model that only repeats what it reads
print("a model that only repeats its input should have a large loss, but:", broken(copies, ids).item())""",
    statement=f"""\
A training run looks wonderful: after some hundred steps the loss is near 0. The model writes the last token of the
prompt over and over. `broken` is its loss.

- `logits` is `(B, T, V)`: what the model gave at each position. `ids` is `(B, T)`: what it read.
- The result should be the mean, over all positions that *have* a next token, of −log p of that token.

Write `fixed(logits, ids)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="The shift is made in the data, in the loss, or in the model; made twice or never, nothing raises an error.",
    points=2,
    minutes=6,
    difficulty=1,
    hints=(
        "Which token should position 0 foresee? Which label does it get here?",
        "T positions have T − 1 next tokens: logits (B, T − 1, V), labels (B, T − 1).",
        "leave out the last position's logits and the first token; compare what remains.",
        "logits[:, :-1] against ids[:, 1:].",
    ),
    causes=_CAUSES,
    cause="c",
    tests=(
        Test("a model that repeats its input has a large loss", _copies),
        Test("a model that knows the next token has none", _foresees),
        Test("agrees with plain loops", _values),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "rolled": _wrong(
            "the last position is asked for the first token; it has no next one and must be left out.",
            ("labels = ids", "labels = ids.roll(-1, -1)"),
        ),
        "backwards": _wrong(
            "now position t is asked for token t − 1; it is t + 1.",
            ("logits.log_softmax", "logits[:, 1:].log_softmax"),
            ("labels = ids", "labels = ids[:, :-1]"),
        ),
        "two_ahead": _wrong(
            "now position t is asked for token t + 2; it is t + 1.",
            ("logits.log_softmax", "logits[:, :-2].log_softmax"),
            ("labels = ids", "labels = ids[:, 2:]"),
        ),
    },
)

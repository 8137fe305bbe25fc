"""Exercise 10.3, padding in the loss. Qwen report (arXiv:2309.16609), section 3.1.2: what is masked."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(logits: Tensor, ids: Tensor, is_learned: Tensor) -> Tensor:
    """The mean of −log p of the learned tokens; rows are padded on the right, and padding is never learned."""
    targets, kept = ids[:, 1:], is_learned[:, 1:]
    surprise = -logits[:, :-1].log_softmax(dim=-1).gather(-1, targets[..., None])[..., 0]
    surprise = surprise.where(kept, 0.0)
    return surprise.mean()


def _loops(logits: Tensor, ids: Tensor, is_learned: Tensor) -> Tensor:
    values = []
    for row, tokens, learned in zip(logits.double(), ids.tolist(), is_learned.tolist()):
        for t in range(1, len(tokens)):
            if learned[t]:
                values.append((row[t - 1].logsumexp(0) - row[t - 1][tokens[t]]).item())
    return torch.tensor(sum(values) / max(len(values), 1))


def _given(rng: torch.Generator, sizes: list[tuple[int, int]], T: int, V: int = 5) -> dict[str, Tensor]:
    """Rows of (question, answer) tokens, then padding."""
    ids, learned = torch.randint(1, V, (len(sizes), T), generator=rng), torch.zeros(len(sizes), T, dtype=torch.bool)
    for row, (question, answer) in enumerate(sizes):
        ids[row, question + answer :] = 0
        learned[row, question : question + answer] = True
    return {"logits": 2 * draw.normal(rng, len(sizes), T, V), "ids": ids, "is_learned": learned}


def _case(given: dict[str, Tensor], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _one(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, [(1, 2)], 3, 2), "one row: a question of one token, an answer of two")]


def _padded(rng: torch.Generator) -> list[Case]:
    given = _given(rng, [(1, 2), (2, 3)], 5)
    wider = {"ids": (0, 4), "is_learned": (0, 4), "logits": (0, 0, 0, 4)}
    more = {name: torch.nn.functional.pad(x, wider[name]) for name, x in given.items()}
    return [_case(given), Case(more, _loops(**given), "the same batch with four columns of padding more")]


def _unequal(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, [(2, 1), (1, 6)], 7), "a short answer and a long one: every token weighs the same")]


def _none(rng: torch.Generator) -> list[Case]:
    given = _given(rng, [(3, 0), (2, 0)], 3)
    return [Case(given, torch.tensor(0.0), "nothing in this batch is to be learned")]


_CAUSES = {
    "a": Cause(
        "The padding tokens are learned: the model is asked to foresee them.",
        "is_learned is False there, and their surprise is put to 0.",
    ),
    "b": Cause("The sum runs over the learned tokens, but it is divided by the number of all tokens."),
    "c": Cause(
        "The mask is not shifted with the labels.",
        "it is: both leave out the first column.",
    ),
}

_wrong = partial(parts.mistake, broken)
_MEAN = "surprise.mean()"

EXERCISE = exercise.Bug(
    name="10_padding_counts",
    lesson="10_sft",
    number="10.3",
    title="A loss that falls by padding",
    broken=broken,
    also_closed=(_loops,),
    mend=((_MEAN, "surprise.sum() / kept.sum().clamp(min=1)"),),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
ids = torch.tensor([[3, 1, 2]])
learned = torch.tensor([[False, True, True]])
print("a model that knows nothing of four tokens: loss log 4 = 1.386, but:")
for more in (0, 3, 9):  # columns of padding
    padded = [torch.nn.functional.pad(x, (0, more)) for x in (ids, learned)]
    print(f"  with {more} columns of padding", round(broken(torch.zeros(1, 3 + more, 4), *padded).item(), 3))""",
    statement=f"""\
Two runs on the same conversations, one in batches of short ones, one in batches with a long one among them. The second
run has a smaller loss, and learns more slowly. `broken` is their loss.

- `logits` is `(B, T, V)`, `ids` `(B, T)`; row b is a conversation, padded on the right. `is_learned` `(B, T)` is True
  at the tokens to be learned, so never on padding; the first token of a row is never one of them.
- The result should be the mean of −log p over the learned tokens **of the whole batch**, each with the same weight. If
  nothing is to be learned it should be 0.

Write `fixed(logits, ids, is_learned)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="A loss that depends on padding changes the step with the company a conversation happens to be in.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "How does the result change when a batch gets another column of padding? How should it?",
        "The sum has one term for each True of kept. How many are there?",
        "sum of what is kept, over the number of what is kept; and what if that number is 0?",
        "tensor.clamp(min=1) keeps a count from being 0.",
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("the mean runs over the learned tokens", _one),
        Test("more padding changes nothing", _padded),
        Test("each learned token weighs the same, in short answers and long ones", _unequal),
        Test("a batch without anything to learn gives 0", _none),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "not_a_number": _wrong(
            "a batch without anything to learn gives 0/0, which is no number, and spoils every weight; give 0.",
            (_MEAN, "surprise.sum() / kept.sum()"),
        ),
        "by_rows": _wrong(
            "each row gets its own mean, so the one token of a short answer weighs as much as a long answer.",
            (_MEAN, "(surprise.sum(1) / kept.sum(1).clamp(min=1)).mean()"),
        ),
        "by_tokens": _wrong(
            "the questions are counted too; divide by the number of learned tokens.",
            (_MEAN, "surprise.sum() / (targets != 0).sum()"),
        ),
        "sum": _wrong(
            "that is the sum, which grows with the batch; divide by the number of learned tokens.",
            (_MEAN, "surprise.sum()"),
        ),
        "one_more": _wrong(
            "the count is one too large everywhere; only a count of 0 needs help: clamp(min=1).",
            (_MEAN, "surprise.sum() / (kept.sum() + 1)"),
        ),
        "unmasked": _wrong(
            "questions and padding are learned too; the mask was right, the count was not.",
            ("surprise = surprise.where(kept, 0.0)", "pass"),
        ),
        "not_shifted": _wrong(
            "now the mask stands one token before its labels; it was shifted rightly.",
            ("is_learned[:, 1:]", "is_learned[:, :-1]"),
            (_MEAN, "surprise.sum() / kept.sum().clamp(min=1)"),
        ),
        "by_number_of_rows": _wrong(
            "that is the sum for each row, so long answers weigh more; divide by the number of learned tokens.",
            (_MEAN, "surprise.sum() / len(surprise)"),
        ),
    },
)

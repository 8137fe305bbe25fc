"""Exercise 10.4, a pad id that is the end id. Qwen report (arXiv:2309.16609), appendix A.1.1: where a turn ends."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Cause, Test

IGNORED = -100


def broken(rows: list[list[int]], end: int) -> Tensor:
    """The labels of a batch: each row's ids, padded on the right; −100 where nothing is to be learned."""
    length = max(len(row) for row in rows)
    padded = torch.tensor([row + [end] * (length - len(row)) for row in rows])
    is_padding = padded == end
    return padded.masked_fill(is_padding, -100)


def _one_by_one(rows: list[list[int]], end: int) -> Tensor:
    labels = torch.full((len(rows), max(map(len, rows))), IGNORED)
    for b, row in enumerate(rows):
        for t, token in enumerate(row):
            labels[b, t] = token
    return labels


def _given(rng: torch.Generator, *answers: list[int]) -> dict[str, Any]:
    """A row for each list: an answer of so many tokens for each number, and the end after it; 0 and end + 1 occur."""
    end = int(torch.randint(90, 99, (1,), generator=rng))
    rows = []
    for sizes in answers:
        row = []
        for size in sizes:
            row += [*torch.randint(0, 90, (size,), generator=rng).tolist(), end]
        rows.append(row)
    rows[0][0], rows[-1][0] = 0, end + 1  # each is a token like any other
    return {"rows": rows, "end": end}


def _case(given: dict[str, Any], note: str = "") -> Case:
    return Case(given, _one_by_one(**given), note)


def _ends(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, [1], [1]), "two rows of one length: there is no padding")]


def _padded(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, [1], [3]), "the first row is padded"), _case(_given(rng, [4], [2], [3]))]


def _turns(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, [1, 2], [1]), "the first row has two answers, each with its end")]


_CAUSES = {
    "a": Cause(
        "The end token stands at the wrong side of the answer.",
        "every row holds it behind its answer; look at the labels.",
    ),
    "b": Cause(
        "−100 is no valid label, and the loss fails on it.",
        "that is the mark of what a loss leaves out; the question is what it is put on.",
    ),
    "c": Cause("Padding is recognised by its id, which is also the id of the real ends, so no end is ever learned."),
}

_wrong = partial(parts.mistake, broken)
_IS_PADDING = "is_padding = padded == end"
_SIZES = "torch.tensor([[len(row)] for row in rows])"

EXERCISE = exercise.Bug(
    name="10_never_stops",
    lesson="10_sft",
    number="10.4",
    title="A model that never stops",
    broken=broken,
    also_closed=(_one_by_one,),
    mend=((_IS_PADDING, f"is_padding = torch.arange(length) >= {_SIZES}"),),
    imports="import torch\nfrom torch import Tensor",
    symptom="""\
end = 7
labels = broken([[1, 2, end], [3, end]], end)
print("two answers, each with its end token 7; labels 7 there should be two, but:", (labels == end).sum().item())
print(labels)""",
    statement=f"""\
A fine-tuned model answers well, and then goes on: another sentence, another question, until the budget is spent.
`broken` makes the labels of its batches. To save a token, somebody pads with the end token.

- `rows` is a list of lists of ids of different lengths. `end` is the id that closes each answer; a row with several
  answers holds it several times.
- The result should be the labels `(B, T)`, T the length of the longest row: the ids of the row, **its ends included**,
  and −100 on the padding behind it. Any id from 0 on may occur in a row.

Write `fixed(rows, end)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="It is the commonest reason why home-made chat models ramble, and nothing warns of it: the loss looks fine.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "What does the model learn to say after the last word of an answer?",
        "Padding is a matter of place, not of id: which places (B, T) lie behind the end of their row?",
        "compare the place of each column with the length of each row.",
        "torch.arange(length) has shape (T,); compared with a column of lengths (B, 1) it gives (B, T).",
    ),
    causes=_CAUSES,
    cause="c",
    tests=(
        Test("the end of an answer is learned", _ends),
        Test("padding is not", _padded),
        Test("nor is an end inside a row lost", _turns),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "another_id": _wrong(
            "the padding got id 0, but 0 may be a token of a row, which is lost now.",
            ("[end] * (length", "[0] * (length"),
            (_IS_PADDING, "is_padding = padded == 0"),
        ),
        "next_id": _wrong(
            "the padding got an id that may be a token of a row, which is lost now; take one below 0, or the place.",
            ("[end] * (length", "[end + 1] * (length"),
            (_IS_PADDING, "is_padding = padded == end + 1"),
        ),
        "labelled_zero": _wrong(
            "the padding is labelled 0, and 0 is a token; −100 is what a loss leaves out.",
            ("[end] * (length", "[0] * (length"),
            ("padded.masked_fill(is_padding, -100)", "padded"),
        ),
        "on_the_left": _wrong(
            "the padding stands on the left; it stands behind the row.",
            ("row + [end] * (length - len(row))", "[-100] * (length - len(row)) + row"),
            ("padded.masked_fill(is_padding, -100)", "padded"),
        ),
        "ends_but_the_first": _wrong(
            "the first end of each row is learned, and no other; a row may hold several answers.",
            (_IS_PADDING, "is_padding = (padded == end) & ((padded == end).cumsum(1) > 1)"),
        ),
        "only_the_last_end": _wrong(
            "the last end of each row is learned, and no other; a row may hold several answers.",
            (_IS_PADDING, f"is_padding = (padded == end) & (torch.arange(length) != {_SIZES} - 1)"),
        ),
        "nothing_ignored": _wrong(
            "the padding is learned too: the model learns to write end after end.",
            (_IS_PADDING, "is_padding = padded < 0"),
        ),
        "last_end_lost": _wrong(
            "the last token of each row, its end, is still left out.",
            (_IS_PADDING, f"is_padding = torch.arange(length) >= {_SIZES} - 1"),
        ),
        "one_pad_learned": _wrong(
            "one token of padding behind each row is learned.",
            (_IS_PADDING, f"is_padding = torch.arange(length) > {_SIZES}"),
        ),
        "first_end_only": _wrong(
            "everything behind the first end is left out; a row may hold several answers.",
            (_IS_PADDING, "is_padding = ((padded == end).cumsum(1) - (padded == end).long()) > 0"),
        ),
    },
)

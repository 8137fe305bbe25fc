"""Exercise 8.4, windows without a gap. Qwen report (arXiv:2309.16609), section 2.4: merge and truncate."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model.training import packing


def _reference(documents, separator, length):
    """The library's body, without its check of the arguments."""
    row = [token for document in documents for token in (separator, *document)]
    windows = len(row) // length
    return torch.tensor(row[: windows * length]).view(windows, length)


def _counted(documents: list[list[int]], separator: int, length: int) -> Tensor:
    """Token by token, a window at a time."""
    windows, window = [], []
    for document in documents:
        for token in [separator, *document]:
            window.append(token)
            if len(window) == length:
                windows.append(window)
                window = []
    return torch.tensor(windows)


def _given(rng: torch.Generator, n: int, length: int) -> dict[str, Any]:
    sizes = torch.randint(2, 6, (n,), generator=rng).tolist()
    documents = [torch.randint(1, 90, (size,), generator=rng).tolist() for size in sizes]
    return {"documents": documents, "separator": 0, "length": length}


def _case(given: dict[str, Any], note: str = "") -> Case:
    return Case(given, _counted(**given), note)


def _fits(rng: torch.Generator) -> list[Case]:
    a, b, c, d = torch.randint(1, 90, (4,), generator=rng).tolist()
    return [_case({"documents": [[a, b], [c, d]], "separator": 0, "length": 3}, "each document fills a window")]


def _crossing(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 3, 4), "documents begin inside windows")]


def _long(rng: torch.Generator) -> list[Case]:
    document = torch.randint(1, 90, (11,), generator=rng).tolist()
    return [
        _case({"documents": [document], "separator": 0, "length": 5}, "one document over two windows, two tokens lost")
    ]


def _separator(rng: torch.Generator) -> list[Case]:
    return [_case({**_given(rng, 4, 3), "separator": 99})]


def _values(rng: torch.Generator) -> list[Case]:
    (length,) = draw.sizes(rng, 1)
    return [_case(_given(rng, 9, length))]


_wrong = partial(parts.mistake, _reference)

EXERCISE = exercise.Implement(
    name="pack",
    lesson="08_pretraining",
    number="8.4",
    title="Windows without a gap",
    library=packing.pack,
    reference=_reference,
    also_closed=(_counted,),
    imports="from collections.abc import Sequence\n\nimport torch",
    statement="""\
Write `pack(documents, separator, length)`: documents of any size become windows of one size.

- `documents` is a list of lists of ids. Put the id `separator` *before* each document and join everything, in order,
  into one long row.
- Cut the row into windows of `length` tokens. The result is an integer tensor `(windows, length)`. What does not fill a
  last window is dropped. No window holds padding: a document may begin in the middle of one and end in the next.
- The row is long enough for one window.

For example, documents `[[1, 2, 3], [4, 5], [6]]` with separator 0 and length 4: the row is `0 1 2 3 0 4 5 0 6`, so the
result is `[[0, 1, 2, 3], [0, 4, 5, 0]]`, and 6 is dropped.
""",
    why="With padding, most of a batch of short poems would be computed for nothing.",
    points=2,
    minutes=8,
    difficulty=1,
    hints=(
        "How long is the row, and how many whole windows does it hold?",
        "A list of lists of any size goes in, one tensor (windows, length) comes out.",
        "join, with the separator before each; cut the end so that the rest divides by length; reshape.",
        "n // length * length tokens fill whole windows; torch.tensor(...).view(-1, length) cuts them.",
    ),
    tests=(
        Test("documents that fit stand in a window each", _fits),
        Test("documents cross the borders of windows", _crossing),
        Test("a long document is cut, and the ragged end dropped", _long),
        Test("the separator is the one that was given", _separator),
        Test("agrees with counting token by token", _values),
    ),
    wrong_answers={
        "separator_after": _wrong(
            "the separator stands after each document; put it before.",
            ("(separator, *document)", "(*document, separator)"),
        ),
        "separator_fixed": _wrong(
            "the separator is always 0; use the one that was given.", ("(separator, *document)", "(0, *document)")
        ),
        "by_columns": _wrong(
            "the row runs down the columns; a window is a piece of the row.",
            (".view(windows, length)", ".view(length, windows).T"),
        ),
        "end_kept": _wrong(
            "the end of the row is kept and the beginning lost; drop the ragged end.",
            ("row[: windows * length]", "row[len(row) - windows * length :]"),
        ),
        "separator_second": _wrong(
            "the separator stands after the first token of each document; put it before.",
            ("(separator, *document)", "(document[0], separator, *document[1:])"),
        ),
        "turned_round": _wrong(
            "each document is read from its end.",
            ("(separator, *document)", "(separator, *document[::-1])"),
        ),
        "by_size": _wrong(
            "the documents are sorted by size; keep their order.",
            ("document in documents", "document in sorted(documents, key=len)"),
        ),
        "last_window_first": _wrong(
            "the windows come in reverse order.", (".view(windows, length)", ".view(windows, length).flip(0)")
        ),
        "backwards": _wrong(
            "the documents come in reverse order.", ("for document in documents", "for document in documents[::-1]")
        ),
    },
)

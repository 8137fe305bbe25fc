"""Exercise 7.5, pages without a word. Broder 1997 (https://doi.org/10.1109/SEQUEN.1997.666900): MinHash."""

from functools import partial
from itertools import combinations

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Cause, Test
from minqwen.data import minhash

WORDS = ("moon", "frost", "river", "mountain", "spring", "rain", "night", "boat")


def broken(pages: list[str]) -> list[tuple[int, int]]:
    """The pairs (i, j), i < j, of pages with the same smallest hash."""
    smallest = []
    for page in pages:
        hashes = minhash.hash_shingles(minhash.shingle(page, 2)).tolist()
        smallest.append(min(hashes, default=2**32 - 1))
    return [(i, j) for i, j in combinations(range(len(pages)), 2) if smallest[i] == smallest[j]]


def _by_sorting(pages: list[str]) -> list[tuple[int, int]]:
    """The same by the first in order of hash; a page without a word is left out before anything is compared."""
    found = []
    full = [
        (i, sorted(minhash.hash_shingles(minhash.shingle(p, 2)).tolist())) for i, p in enumerate(pages) if p.split()
    ]
    for at, (i, hashes) in enumerate(full):
        found += [(i, j) for j, others in full[at + 1 :] if hashes[0] == others[0]]
    return found


def _case(pages: list[str], note: str = "") -> Case:
    return Case({"pages": pages}, _by_sorting(pages), note)


def _words(rng: torch.Generator, n: int) -> list[str]:
    return [WORDS[i] for i in torch.randperm(len(WORDS), generator=rng)[:n].tolist()]


def _empty(rng: torch.Generator) -> list[Case]:
    a, b = _words(rng, 2)
    return [_case(["", f"{a} {b}", ""], "two pages without a word"), _case(["", " ", a, "\n"], "blanks are no words")]


def _full(rng: torch.Generator) -> list[Case]:
    a, b, c = _words(rng, 3)
    return [
        _case([f"{a} {b}", c, f"{a} {b}"], "pages 0 and 2 are equal"),
        _case([f"{a} {b}", f"{a}  {b} "], "equal but for blanks"),
    ]


def _both(rng: torch.Generator) -> list[Case]:
    a, b, c = _words(rng, 3)
    return [_case(["", f"{a} {b} {c}", "", c, f"{a} {b} {c}"], "the numbers of the pages stay"), _case(["", a, a, ""])]


def _none(rng: torch.Generator) -> list[Case]:
    a, b = _words(rng, 2)
    return [_case([a, b], "different pages"), _case([f"{a} {b}", ""])]


_CAUSES = {
    "a": Cause(
        "Two pages got the same hash by accident.",
        "that happens once in 2³² pairs; here it happens each time, and to pages without a word only.",
    ),
    "b": Cause(
        "shingle returns one shingle, the empty string, for an empty page.",
        "it returns the empty set: try minhash.shingle('', 2).",
    ),
    "c": Cause("A page without a word gets a stand-in for its smallest hash, and all of them get the same."),
}

_SAME = "if smallest[i] == smallest[j]"
_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="07_empty_pages",
    lesson="07_data_cleaning",
    number="7.5",
    title="The largest cluster of all",
    broken=broken,
    also_closed=(_by_sorting,),
    mend=(
        ("default=2**32 - 1", "default=None"),
        (_SAME, "if smallest[i] == smallest[j] is not None"),
    ),
    imports="from itertools import combinations\n\nfrom minqwen.data import minhash",
    symptom="""\
print("only 1 and 3 are alike: [(1, 3)], but:", broken(["", "to be or not", "  ", "to be or not"]))""",
    statement=f"""\
One cluster is by far the largest: some thousand pages, all declared to be copies of one. Somebody looks at it. The
pages are empty: pictures, redirects, pages whose text was all menu.

- `pages` is a list of strings. The result is a list of pairs `(i, j)`, i < j, in rising order: pages whose **smallest
  hash** over their shingles is the same, which makes them candidates.
- A page without a word has no shingle and is **like no other**, not even an empty one; it is for a filter to drop it,
  under a name of its own. The other pages keep their numbers.

Write `fixed(pages)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="A number that stands for nothing is equal to itself. Say `None`, and decide what None means.",
    points=1,
    minutes=6,
    difficulty=1,
    hints=(
        "What is the smallest of no numbers at all? And what does broken take for it?",
        "n strings become n numbers, or fewer; then pairs of places among 0 to n - 1.",
        "a page without shingles gets something that is no number; a pair counts if both are numbers, and equal.",
        "min(..., default=None) gives None where there is nothing; ask for it when you compare.",
    ),
    causes=_CAUSES,
    cause="c",
    tests=(
        Test("pages without a word are like no other", _empty),
        Test("equal pages are found", _full),
        Test("the pages keep their numbers", _both),
        Test("different pages are no pair", _none),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "numbered_anew": _wrong(
            "now empty pages are removed first, and the others numbered anew; they keep their numbers.",
            ("    smallest = []\n", "    smallest, pages = [], [page for page in pages if page.split()]\n"),
        ),
        "nothing_found": _wrong(
            "now nothing is found at all; equal pages are still a pair.",
            (_SAME, f"{_SAME} is None"),
        ),
        "blanks_are_words": _wrong(
            'now "" is like no other, but pages of blanks still are alike; they have no word either.',
            (_SAME, f"{_SAME} and pages[i] and pages[j]"),
        ),
        "only_empty": _wrong(
            "now only the empty pages are found, and they are what should not be.",
            (_SAME, f"{_SAME} == 2**32 - 1"),
        ),
        "texts": _wrong(
            "now the texts are compared, blanks and all; what counts is the smallest hash of their shingles.",
            (_SAME, "if pages[i] == pages[j] and pages[i].split()"),
        ),
    },
)

"""Exercise 7.1, duplicates that stay. Qwen Technical Report (arXiv:2309.16609), section 2.1: exact duplicates."""

from functools import partial

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Cause, Test
from minqwen.data import normalize

WORDS = ("moon", "frost", "river", "mountain", "spring", "rain", "night", "boat")


def broken(pages: list[str]) -> list[str]:
    """The pages in normal form, each once, in the order in which they come first."""
    different = list(dict.fromkeys(pages))
    return [normalize.normalize_text(page) for page in different]


def _compared(pages: list[str]) -> list[str]:
    """Keep a page unless one that reads the same is kept already; normal forms as they were drawn."""
    kept: list[str] = []
    for page in pages:
        words = "".join(c.lower() if c.isalpha() else " " for c in page).split()
        if all(words != other.split() for other in kept):
            kept.append(" ".join(words))
    return kept


def _case(pages: list[str], note: str = "") -> Case:
    return Case({"pages": pages}, _compared(pages), note)


def _words(rng: torch.Generator, n: int) -> list[str]:
    return [WORDS[i] for i in torch.randperm(len(WORDS), generator=rng)[:n].tolist()]


def _same_reading(rng: torch.Generator) -> list[Case]:
    a, b, c = _words(rng, 3)
    return [
        _case([f"{a} {b}", f"{a.title()} {b}!"], "one page, once more with a capital and a sign"),
        _case([f"{a}, {b}", c, f"{a} {b}."], "the signs differ, and another page stands between"),
        _case([a, a.upper()], "only the case differs"),
    ]


def _first_stays(rng: torch.Generator) -> list[Case]:
    a, b, c = _words(rng, 3)
    return [_case([f"{b}.", a, f"{c}!", f"{a}?", b.upper()], "the order of the first ones")]


def _copies(rng: torch.Generator) -> list[Case]:
    a, b = _words(rng, 2)
    return [_case([a, b, a, a], "equal to the letter")]


def _different(rng: torch.Generator) -> list[Case]:
    a, b, c = _words(rng, 3)
    return [_case([f"{a} {b}", f"{b} {a}", f"{a} {b} {c}"], "no two read the same"), _case([], "no pages")]


_CAUSES = {
    "a": Cause(
        "dict.fromkeys forgets some of its keys.",
        "it keeps each different key once; the question is what counts as different when it looks.",
    ),
    "b": Cause("Pages are compared before they are normalised, so what differs only in form counts as different."),
    "c": Cause(
        "normalize_text is not thorough enough: it should make the pages equal.",
        "it does make them equal: look at the result, where the same line stands twice.",
    ),
}

_DIFFERENT = "list(dict.fromkeys(pages))"
_NORMAL = "[normalize.normalize_text(page) for page in different]"
_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="07_too_late",
    lesson="07_data_cleaning",
    number="7.1",
    title="Duplicates that stay",
    broken=broken,
    also_closed=(_compared,),
    mend=(
        (f"different = {_DIFFERENT}", "normal = [normalize.normalize_text(page) for page in pages]"),
        (_NORMAL, "list(dict.fromkeys(normal))"),
    ),
    imports="from minqwen.data import normalize",
    symptom="""\
print("two pages that read the same should leave one, but:", broken(["To be, or not to be!", "to be or not to be"]))""",
    statement=f"""\
A pipeline removes exact duplicates and writes the pages in their normal form: one case, no signs, single blanks. On its
own output a second run still finds duplicates.

- `pages` is a list of strings. The result is a list of strings: the normal form of each page, **each once**, in the
  order in which they first come.
- `normalize.normalize_text(page)` gives the normal form. It works, and is not what is broken.

Write `fixed(pages)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="The report normalises before it compares; a crawl holds many pages that differ in a sign or a capital only.",
    points=1,
    minutes=6,
    difficulty=1,
    hints=(
        "At which line does broken decide that two pages are different, and what do they look like at that line?",
        "A list of strings goes in, a list of strings comes out, no longer than the first.",
        "bring every page into normal form; of the list of normal forms keep each one once.",
        "Exchange the two steps: what goes into dict.fromkeys should be normal forms.",
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("pages that read the same are left once", _same_reading),
        Test("the first ones stay, in their order", _first_stays),
        Test("equal pages are left once", _copies),
        Test("different pages all stay", _different),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "not_normal": _wrong(
            "now the normal forms are compared, but pages come back as they were; give their normal forms.",
            (
                f"different = {_DIFFERENT}",
                "different = {normalize.normalize_text(page): page for page in reversed(pages)}",
            ),
            (_NORMAL, "list(different.values())[::-1]"),
        ),
        "sorted": _wrong(
            "now each is there once, but in the order of the alphabet; keep the order in which they first come.",
            (_NORMAL, f"sorted(set({_NORMAL}))"),
        ),
        "last_stays": _wrong(
            "now each is there once, but at the place where it comes last; it should be where it comes first.",
            (_NORMAL, f"list(dict.fromkeys({_NORMAL.replace('different', 'reversed(pages)')}))[::-1]"),
        ),
        "only_case": _wrong(
            "now capitals no longer matter, but signs still do; compare the normal forms.",
            (_DIFFERENT, "list(dict.fromkeys(page.lower() for page in pages))"),
        ),
        "neighbours": _wrong(
            "now a page goes only if the one just before it reads the same; look at all that came before.",
            (f"different = {_DIFFERENT}", f"normal = {_NORMAL.replace('different', 'pages')}"),
            (_NORMAL, "[page for i, page in enumerate(normal) if i == 0 or page != normal[i - 1]]"),
        ),
        "all_go": _wrong(
            "now of pages that read the same none is left; one should stay.",
            (f"different = {_DIFFERENT}", f"normal = {_NORMAL.replace('different', 'pages')}"),
            (_NORMAL, "[page for page in normal if normal.count(page) == 1]"),
        ),
    },
)

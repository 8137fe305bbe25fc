"""Exercise 7.7, pairs worth a look. Leskovec et al., "Mining of Massive Datasets", section 3.4.1 (http://www.mmds.org)."""

from functools import partial
from itertools import combinations

import numpy as np
import torch
from jaxtyping import UInt32

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.data import lsh


def _solution(signatures: UInt32[np.ndarray, "N K"], b: int, r: int) -> set[tuple[int, int]]:
    """The library's, with its buckets written out."""
    pairs = set()
    for band in range(b):
        together = {}
        for row, entries in enumerate(signatures[:, band * r : (band + 1) * r].tolist()):
            together.setdefault(tuple(entries), []).append(row)
        for rows in together.values():
            pairs.update(combinations(rows, 2))
    return pairs


def _all_pairs(signatures: np.ndarray, b: int, r: int) -> set[tuple[int, int]]:
    """Every pair, asked band by band."""
    rows = signatures.tolist()
    agree = [[[x == y for x, y in zip(p, q)] for q in rows] for p in rows]
    return {
        (i, j)
        for j in range(len(rows))
        for i in range(j)
        if any(all(agree[i][j][band * r + k] for k in range(r)) for band in range(b))
    }


def _case(rows: list[list[int]], b: int, r: int, note: str = "") -> Case:
    signatures = np.array(rows, np.uint32)
    return Case({"signatures": signatures, "b": b, "r": r}, _all_pairs(signatures, b, r), note)


def _numbers(rng: torch.Generator, n: int) -> list[int]:
    """n different numbers."""
    return (torch.randperm(900, generator=rng)[:n] + 100).tolist()


def _one_band(rng: torch.Generator) -> list[Case]:
    v, w, x, y, z = _numbers(rng, 5)
    return [
        _case([[v, w, x, y], [v, w, y, z]], 2, 2, "they agree on the first band"),
        _case([[v, w, x, y], [w, z, x, y]], 2, 2, "they agree on the second"),
        _case([[v, w, x, y]] * 2, 2, 2, "they agree on both: still one pair"),
    ]


def _whole_bands(rng: torch.Generator) -> list[Case]:
    v, w, x, y, z = _numbers(rng, 5)
    return [
        _case([[v, w, x, y], [v, z, x, z]], 2, 2, "in each band only the first entry agrees"),
        _case([[v, w, x, y], [z, w, x, z]], 2, 2, "two entries agree, but of two bands"),
        _case([[v, w, x, y], [w, v, y, x]], 2, 2, "the same entries in another order"),
        _case([[v, w + 1, x, y], [v + 1, w, y, x]], 2, 2, "other entries, the same sums"),
        _case([[v, 10 * w + 1, x, y], [10 * v + w // 100, 10 * (w % 100) + 1, y, x]], 2, 2, "the same digits in a row"),
    ]


def _place(rng: torch.Generator) -> list[Case]:
    v, w, x, y = _numbers(rng, 4)
    return [_case([[v, w, x, y], [x, y, v, w]], 2, 2, "the first band of one is the second band of the other")]


def _several(rng: torch.Generator) -> list[Case]:
    v, w, x, y, z = _numbers(rng, 5)
    return [
        _case([[v, w], [v, x], [v, y]], 2, 1, "three rows agree: three pairs"),
        _case([[v, w], [x, y], [v, z], [x, z]], 2, 1),
    ]


def _rest(rng: torch.Generator) -> list[Case]:
    v, w, x, y, z = _numbers(rng, 5)
    return [
        _case([[v, w, x], [y, z, x]], 1, 2, "they agree on what is left over: no pair"),
        _case([[v, w, x], [v, w, y]], 1, 2, "what is left over differs: still a pair"),
    ]


def _nothing(rng: torch.Generator) -> list[Case]:
    v, w = _numbers(rng, 2)
    return [_case([[v, w]], 1, 2, "one row has no partner"), _case([[v, w], [w, v]], 2, 1)]


def _values(rng: torch.Generator) -> list[Case]:
    drawn = torch.randint(0, 3, (7, 12), generator=rng).tolist()
    return [_case(drawn, b, r) for b, r in ((4, 3), (6, 2), (3, 4))]


_KEY, _PAIRS = "tuple(entries)", "combinations(rows, 2)"
_wrong = partial(parts.mistake, _solution)

EXERCISE = exercise.Implement(
    name="candidate_pairs",
    lesson="07_data_cleaning",
    number="7.7",
    title="Pairs worth a look",
    library=lsh.candidate_pairs,
    reference=_solution,
    also_closed=(_all_pairs, lsh.buckets),
    imports="from itertools import combinations\n\nimport numpy as np\nfrom jaxtyping import UInt32",
    statement="""\
A million pages make half a million million pairs. Write `candidate_pairs(signatures, b, r)`, which finds those that are
worth comparing without looking at all of them.

- `signatures` is an array of shape `(N, K)`: row i is the signature of page i. It is cut into `b` bands of `r` entries:
  band 0 is the columns 0 to r - 1, band 1 the columns r to 2r - 1, and so on. Columns after the last band are not used.
- Two rows are a candidate pair if **all r entries of at least one band** agree, at the same places.
- The result is a **set of pairs** `(i, j)` with i < j, plain ints, each pair once.

For example, b = 2, r = 2 and the rows (1, 2, 3, 4), (1, 2, 9, 9), (5, 2, 3, 4): rows 0 and 1 agree on band 0, rows 0
and 2 on band 1, so the result is {(0, 1), (0, 2)}.

Put rows into buckets, band by band: those with equal entries into the same one. `array.tolist()` gives plain ints.
""",
    why="Buckets turn N² comparisons into b tables of N entries.",
    points=3,
    minutes=15,
    difficulty=3,
    hints=(
        "If you could only sort rows into boxes, how would you find those that agree on band 0?",
        "(N, K) is cut into b pieces of shape (N, r); from each come boxes of rows; from each box pairs.",
        "for each band: an empty table; put every row under the entries of its band; all pairs of rows that stand "
        "together go into the result.",
        "A tuple of ints can be a key of a dict, a list cannot; itertools.combinations(rows, 2) gives i < j.",
    ),
    tests=(
        Test("one band on which two rows agree is enough", _one_band),
        Test("a band must agree as a whole, entry by entry", _whole_bands),
        Test("only the same band counts", _place),
        Test("every two rows of a bucket are a pair", _several),
        Test("columns after the last band are not used", _rest),
        Test("where nothing agrees there is no pair", _nothing),
        Test("agrees with asking every pair", _values),
    ),
    wrong_answers={
        "first_band": _wrong("only the first band is looked at.", ("range(b)", "range(1)")),
        "last_band_lost": _wrong("the last band is left out.", ("range(b)", "range(max(1, b - 1))")),
        "one_table": _wrong(
            "all bands share one table, so that band 0 of one row meets band 1 of another; begin a table for each.",
            ("    pairs = set()\n", "    pairs, together = set(), {}\n"),
            ("        together = {}\n", ""),
        ),
        "first_entry": _wrong("one entry of a band decides; all r must agree.", (_KEY, "tuple(entries[:1])")),
        "sorted": _wrong(
            "the entries of a band are sorted; they must agree at the same places.", (_KEY, "tuple(sorted(entries))")
        ),
        "sums": _wrong("bands with the same sum are taken for equal; compare all entries.", (_KEY, "sum(entries)")),
        "bands_overlap": _wrong(
            "a band begins at every column; band i begins at column i · r.",
            ("band * r : (band + 1) * r", "band : band + r"),
        ),
        "neighbours": _wrong(
            "in a bucket only neighbours are paired; every two rows are a pair.", (_PAIRS, "zip(rows, rows[1:])")
        ),
        "with_the_first": _wrong(
            "in a bucket each row is paired with the first only; every two rows are a pair.",
            (_PAIRS, "((rows[0], row) for row in rows[1:])"),
        ),
        "turned": _wrong("the pairs are (j, i); the smaller comes first.", (_PAIRS, "combinations(rows[::-1], 2)")),
        "every_band": _wrong(
            "a pair must agree on every band; one is enough.",
            ("range(b)", "range(1)"),
            ("band * r : (band + 1) * r", ": b * r"),
        ),
        "all_columns": _wrong(
            "the last band goes on to the end of the signature; it has r entries like the others.",
            ("band * r : (band + 1) * r", "band * r : (band + 1) * r if band + 1 < b else None"),
        ),
        "digits": _wrong(
            "the digits of a band are glued together, so 1, 23 and 12, 3 are the same; a tuple keeps them apart.",
            (_KEY, '"".join(map(str, entries))'),
        ),
        "both_orders": _wrong(
            "each pair is there twice, in both orders.", (_PAIRS, "((i, j) for i in rows for j in rows if i != j)")
        ),
        "with_itself": _wrong(
            "a row is paired with itself.", (_PAIRS, "((i, j) for i in rows for j in rows if i <= j)")
        ),
        "exchanged": _wrong(
            "b and r are exchanged: there are b bands.",
            ("range(b)", "range(r)"),
            ("band * r : (band + 1) * r", "band * b : (band + 1) * b"),
        ),
        "rest": _wrong(
            "the columns after the last band count as one more.", ("range(b)", "range(-(-signatures.shape[1] // r))")
        ),
    },
)

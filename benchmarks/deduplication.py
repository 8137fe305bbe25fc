"""Measures MinHash and deduplication beside `datasketch` and `rensa`, and writes benchmarks/RESULTS_DEDUPLICATION.md.

    python benchmarks/deduplication.py               all tables, into the file; about five minutes
    python benchmarks/deduplication.py signatures    one table, printed only

One thread on both sides. Needs the packages of the extra `dev`.
"""

import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness import Goal, Report, Row, Table, in_fresh_process, interleave

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "RESULTS_DEDUPLICATION.md"
TITLES = {
    "signatures": "Signatures beside `datasketch`",
    "signatures_in_rust": "Signatures beside `rensa`, which is Rust",
    "accuracy": "How well the signatures estimate",
    "whole": "From texts to clusters, beside a loop on `datasketch`",
    "memory": "Memory a page",
}
INTRODUCTION = """\
# The speed of deduplication

Written by `make bench` on {date}. Ours is Python and NumPy. Both sides have one thread and run by turns in the same
minutes; seconds are those of the processor, so that what else the machine does counts for less. A cell holds the median
of the rounds (least to most), the ratio is the median of ours / theirs within a round.

{machine}
"""
K, N, SEED, THRESHOLD = 128, 5, 1, 0.7
SIZES = {300: 640, 3000: 64}  # words of a document: how many documents


def documents(count: int, length: int, seed: int = 0) -> list[str]:
    """Texts of `length` words; a few words are common and most are rare, as in a language (Zipf's law)."""
    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(20_000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    return [" ".join(draw.choices(words, weights, k=length)) for _ in range(count)]


def with_duplicates(texts: list[str], share: float = 0.2, seed: int = 1) -> list[str]:
    """The texts and near copies of some, `share` of all, each with 1 to 5 % of its words replaced."""
    draw = random.Random(seed)
    copies = []
    for text in draw.sample(texts, round(len(texts) * share / (1 - share))):
        words = text.split()
        for place in draw.sample(range(len(words)), max(1, round(len(words) * draw.uniform(0.01, 0.05)))):
            words[place] = f"new{draw.randrange(10**6)}"
        copies.append(" ".join(words))
    mixed = texts + copies
    draw.shuffle(mixed)
    return mixed


def signatures(sizes: dict[int, int] = SIZES, rounds: int = 7) -> Table:
    """Documents a second from texts and from ready sets of shingles, under datasketch's two families."""
    rows = []
    for length, count in sizes.items():
        for what, (runs, found) in beside_datasketch(documents(count, length)).items():
            timed = interleave(runs, rounds, time.process_time)
            goal = Goal("ratio", "≥", 5.0) if "affine32, SHA-1" in what else None
            rows.append(Row(f"{length}-word documents, {what}", "documents/s", *timed.speeds(count), goal))
            if "XXH32" in what:
                same = np.mean(found["ours"] == np.stack([each.hashvalues for each in found["peer"]]))
                rows.append(Row("equal entries", "%", [float(same)], None, Goal("ours", "≥", 1.0)))
    notes = [
        f"{K} permutations, {N}-word shingles; {' and '.join(f'{c} texts of {n} words' for n, c in sizes.items())}.",
        "`datasketch`: `MinHash.bulk`, with its own hash function (SHA-1) and with ours (XXH32), where both have the "
        "same permutations and find the same. From sets: it gets bytes, ours strings, which it encodes within the "
        "measured time. From texts: `minhash.shingle` makes the shingles for it; ours hashes slices of the text.",
        timed.quiet(),
    ]
    return Table(rows, notes, "datasketch")


def beside_datasketch(texts: list[str]) -> dict[str, tuple[dict, dict]]:
    """What both sides do, by what they start from, and where their signatures land."""
    import xxhash
    from datasketch import MinHash

    from minqwen.data import minhash

    sets = [minhash.shingle(text, N) for text in texts]
    in_bytes = [[shingle.encode() for shingle in each] for each in sets]
    p = {scheme: minhash.random_permutations(K, SEED, scheme) for scheme in ("affine32", "legacy")}
    fast = {"hashfunc": xxhash.xxh32_intdigest}

    def made() -> list[list[bytes]]:
        return [[shingle.encode() for shingle in minhash.shingle(text, N)] for text in texts]

    def both(scheme: str, ours: Any, theirs: Any, settings: dict) -> tuple[dict, dict]:
        found: dict[str, Any] = {}
        settings = settings | {"num_perm": K, "seed": SEED, "scheme": scheme}
        runs = {
            "ours": lambda: found.update(ours=ours(p[scheme])),
            "peer": lambda: found.update(peer=MinHash.bulk(theirs(), **settings)),
        }
        return runs, found

    from_sets = (lambda p: sign_sets(sets, p)), (lambda: in_bytes)
    from_texts = (lambda p: minhash.signatures([minhash.hash_text(text, N) for text in texts], p)), made
    return {
        "affine32, SHA-1, from texts": both("affine32", *from_texts, {}),
        "affine32, SHA-1, from sets": both("affine32", *from_sets, {}),
        "affine32, XXH32, from sets": both("affine32", *from_sets, fast),
        "legacy, XXH32, from sets": both("legacy", *from_sets, fast),
    }


def sign_sets(sets: list[set[str]], permutations: Any) -> np.ndarray:
    """Our signatures of ready sets of shingles."""
    from minqwen.data import minhash

    batches = (sets[at : at + 128] for at in range(0, len(sets), 128))
    return np.concatenate([minhash.signatures([*map(minhash.hash_shingles, b)], permutations) for b in batches])


def signatures_in_rust(sizes: dict[int, int] = SIZES, rounds: int = 7) -> Table:
    """Documents a second from three starting points: texts, ready sets of shingles, ready hashes of shingles."""
    rows = []
    for length, count in sizes.items():
        for start, runs in beside_rensa(documents(count, length)).items():
            timed = interleave(runs, rounds, time.process_time)
            goal = None if start == "hashes" else Goal("ratio", "≥", 0.5)
            rows.append(Row(f"{length}-word documents, from {start}", "documents/s", *timed.speeds(count), goal))
    notes = [
        "Permutations, shingles and documents as in table 1. `rensa`: `digest_matrix_from_token_sets` and, for hashes, "
        "`digest_matrix_from_flat_token_hashes`: the paths that look at every shingle for every permutation. (Its "
        "`rho` path looks at a few dozen shingles only, and its equal entries are no estimate of Jaccard.)",
        "From texts: it makes no shingles, so `minhash.shingle` makes them for it; ours hashes slices of the text and "
        "never builds them. From sets: calling a hash function for each string from Python takes longer than all that "
        "`rensa` does.",
        timed.quiet(),
    ]
    return Table(rows, notes, "rensa")


def beside_rensa(texts: list[str]) -> dict[str, dict]:
    """What both sides do, by what they start from."""
    from rensa import RMinHash

    from minqwen.data import minhash

    p = minhash.random_permutations(K, SEED)
    sets = [minhash.shingle(text, N) for text in texts]
    hashed = [minhash.hash_shingles(each) for each in sets]
    starts = np.cumsum([0, *map(len, hashed)]).astype(np.uint64)
    together = np.concatenate(hashed).astype(np.uint64)
    full, flat = RMinHash.digest_matrix_from_token_sets, RMinHash.digest_matrix_from_flat_token_hashes
    return {
        "texts": {
            "ours": lambda: minhash.signatures([minhash.hash_text(text, N) for text in texts], p),
            "peer": lambda: full([minhash.shingle(text, N) for text in texts], K, SEED),
        },
        "sets": {"ours": lambda: sign_sets(sets, p), "peer": lambda: full(sets, K, SEED)},
        "hashes": {"ours": lambda: minhash.signatures(hashed, p), "peer": lambda: flat(together, starts, K, SEED)},
    }


def accuracy(pairs: int = 1000, size: int = 300, seeds: int = 5) -> Table:
    """Root mean square error of the estimated Jaccard similarity, and its bias, beside what theory expects."""
    errors: dict[str, list[np.ndarray]] = {"ours": [], "datasketch": [], "rensa": []}
    expected = []
    for seed in range(seeds):
        sets, exact = pairs_of_sets(pairs, size, seed)
        expected.append(np.mean(exact * (1 - exact)) / K)
        for name, entries in signed_by_all(sets, seed).items():
            errors[name].append(np.mean(entries[0::2] == entries[1::2], axis=1) - exact)
    rmse = {name: [float(np.mean(e**2)) ** 0.5 for e in each] for name, each in errors.items()}
    bias = ", ".join(f"{name} {np.mean(each):+.4f}" for name, each in errors.items())
    theory = [float(each) ** 0.5 for each in expected]
    rows = [
        Row("RMSE, beside theory", "", rmse["ours"], theory, Goal("ratio", "≤", 1.1)),
        *(Row(f"RMSE, beside {name}", "", rmse["ours"], rmse[name]) for name in ("datasketch", "rensa")),
    ]
    notes = [
        f"{seeds} seeds of {pairs} pairs of sets of up to {size} strings, Jaccard from 0.05 to 0.95, {K} permutations. "
        "Theory: √(mean of J (1 - J) / K).",
        f"Bias: {bias}. The pairs of one seed share their permutations.",
        "`datasketch` with its own hash function, SHA-1; `rensa` by its full path.",
    ]
    return Table(rows, notes, "the peer")


def pairs_of_sets(pairs: int, size: int, seed: int) -> tuple[list[list[str]], np.ndarray]:
    """Pairs of sets of strings, one after the other, and their Jaccard similarities by Python's sets."""
    draw, sets, exact = random.Random(seed), [], []
    for _ in range(pairs):
        share = draw.uniform(0.05, 0.95)
        strings = {f"{draw.getrandbits(40)} {draw.getrandbits(40)}" for _ in range(size)}
        sides = [draw.choices(("both", "left", "right"), (share, (1 - share) / 2, (1 - share) / 2))[0] for _ in strings]
        a, b = ({s for s, on in zip(sorted(strings), sides) if on in ("both", side)} for side in ("left", "right"))
        sets += [list(a), list(b)]
        exact.append(len(a & b) / len(a | b))
    return sets, np.array(exact)


def signed_by_all(sets: list[list[str]], seed: int) -> dict[str, np.ndarray]:
    """The signatures that the three libraries give the sets."""
    from datasketch import MinHash
    from rensa import RMinHash

    from minqwen.data import minhash

    theirs = MinHash.bulk([[string.encode() for string in each] for each in sets], num_perm=K, seed=seed)
    return {
        "ours": sign_sets(sets, minhash.random_permutations(K, seed)),
        "datasketch": np.stack([each.hashvalues for each in theirs]),
        "rensa": np.array(RMinHash.digest_matrix_from_token_sets(sets, K, seed).to_rows()),
    }


def whole(count: int = 2000, length: int = 300, rounds: int = 5) -> Table:
    """Pages a second from texts to clusters of verified pairs."""
    from minqwen.data import dedup

    english = with_duplicates(documents(count, length))
    rows = []
    for language, texts in {"English": english, "Chinese": [in_chinese(text) for text in english]}.items():
        for hashing in ("SHA-1", "XXH32"):
            found: dict[str, list[int]] = {}

            def ours(texts: list[str] = texts, found: dict = found) -> None:
                found["ours"] = dedup.deduplicate(texts, THRESHOLD, N, K, SEED).first

            def peer(texts: list[str] = texts, found: dict = found, hashing: str = hashing) -> None:
                found["peer"] = loop_on_datasketch(texts, hashing)

            timed = interleave({"ours": ours, "peer": peer}, rounds, time.process_time)
            goal = Goal("ratio", "≥", 3.0) if hashing == "SHA-1" else None
            rows.append(Row(f"{language} pages, {hashing}", "pages/s", *timed.speeds(len(texts)), goal))
            same = sum(map(int.__eq__, *found.values())) / len(texts)
            rows.append(Row(f"equal clusters, {language}, {hashing}", "%", [same]))
    notes = [
        f"{len(english):,} pages of {length} words or characters, a fifth of them near copies; Jaccard ≥ {THRESHOLD}.",
        "The loop: a `MinHashLSH` is asked for candidates, each is compared exactly, then the page is inserted. It has "
        "our normalisation, shingles, bands, permutations and union-find, keeps all shingles in memory, and hashes by "
        "its own SHA-1 or by our XXH32.",
        timed.quiet(),
    ]
    return Table(rows, notes, "datasketch")


def in_chinese(text: str) -> str:
    """A text of as many Chinese characters as the text has words: equal words become equal characters."""
    return "".join(chr(0x4E00 + hash_of(word) % 3000) for word in text.split())


def hash_of(word: str) -> int:
    """The same number in every process, unlike `hash`."""
    return int.from_bytes(word.encode()[:12])


def loop_on_datasketch(texts: list[str], hashing: str) -> list[int]:
    """What one writes with datasketch: ask the index, compare, insert."""
    import xxhash
    from datasketch import MinHash, MinHashLSH

    from minqwen.data import clusters, dedup, lsh, minhash, normalize

    bands = lsh.choose_bands(THRESHOLD, K, dedup.FP_WEIGHT)
    index, shingled, pairs = MinHashLSH(num_perm=K, params=bands), [], []
    settings: dict[str, Any] = {"permutations": MinHash(num_perm=K, seed=SEED).permutations, "scheme": "affine32"}
    settings |= {"hashfunc": xxhash.xxh32_intdigest} if hashing == "XXH32" else {}
    for i, text in enumerate(texts):
        shingled.append(minhash.shingle(normalize.normalize_text(text), N))
        signature = MinHash(num_perm=K, **settings)
        signature.update_batch([shingle.encode() for shingle in shingled[i]])
        pairs += [(j, i) for j in index.query(signature) if dedup.jaccard(shingled[j], shingled[i]) >= THRESHOLD]
        index.insert(i, signature, check_duplication=False)
    return clusters.clusters(len(texts), pairs)


class Pages(Sequence):
    """Pages that are made when they are asked for, as a file gives them, a fifth of them near copies."""

    def __init__(self, count: int, length: int = 300):
        self.count, self.length = count, length
        self.words = documents(1, 5000)[0].split()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> str:
        if i % 5 == 4:
            return f"{self[i - 1]} copied"
        return " ".join(random.Random(i).choices(self.words, k=self.length))


def peak(count: int) -> float:
    """The peak memory of this process in kB once it has deduplicated so many pages."""
    import resource

    from minqwen.data import dedup

    assert len(dedup.deduplicate(Pages(count)).kept) == count - count // 5
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1000 if sys.platform == "darwin" else 1000 / 1024)


def memory(few: int = 2000, many: int = 20_000, rounds: int = 3) -> Table:
    """How much more memory more pages take, in fresh processes. Linux and macOS."""
    peaks = [[in_fresh_process("deduplication", "peak", n) for n in (few, many)] for _ in range(rounds)]
    rows = [
        Row(f"memory a page, from {few:,} to {many:,} pages", "kB", [(b - a) / (many - few) for a, b in peaks],
            None, Goal("ours", "≤", 1.0)),
        Row(f"peak with {many:,} pages", "MB", [b / 1000 for _, b in peaks]),
    ]  # fmt: skip
    notes = [
        "Pages of 300 words that are made when asked for, so what counts is what deduplication keeps: a signature of "
        f"{4 * K} bytes, a digest of 16 with its place in a table, and the buckets of one band at a time.",
        f"{rounds} processes of each size; the largest resident set, Python included.",
    ]
    return Table(rows, notes, "")


def main(names: list[str]) -> None:
    """The named tables, or all of them into RESULTS_DEDUPLICATION.md."""
    packages = ("numpy", "xxhash", "datasketch", "rensa")
    Report("deduplication.py", RESULTS, INTRODUCTION, TITLES, measure, packages).write(names, prepare)


def measure(name: str) -> Table:
    """One table; `memory` starts processes of its own."""
    return memory() if name == "memory" else in_fresh_process("deduplication", name)


def prepare() -> None:
    """One thread on both sides, and this checkout, whatever is installed."""
    sys.path.insert(0, str(ROOT))
    import course

    os.environ.update(course.allocator(), RAYON_NUM_THREADS="1", OMP_NUM_THREADS="1")


if __name__ == "__main__":
    main(sys.argv[1:])

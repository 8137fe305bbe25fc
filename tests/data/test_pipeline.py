"""The whole of cleaning. Oracles: what was planted, and the files of a run that nobody interrupted."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from itertools import combinations

import pytest

from minqwen.data import crawl, decontaminate, html, language, pipeline, quality, stages, store
from minqwen.data.crawl import prose

NOTHING = decontaminate.collect_ngrams([])
FILES = ("kept.jsonl", "dropped.jsonl", "funnel.json")


@pytest.fixture(scope="module")
def settings(mini_crawl, extracted):
    labelled = [t for t in mini_crawl.truth.values() if t.kind in ("good", "spam") and t.split == "train"]
    texts, is_good = [extracted[t.url].text for t in labelled], [t.kind == "good" for t in labelled]
    classifier = quality.Classifier().fit(texts, is_good)
    threshold = quality.keep_threshold(classifier.score(texts), is_good)
    test_ngrams = decontaminate.collect_ngrams(mini_crawl.test_set)
    return stages.Settings(language.Identifier(), classifier.score, threshold, test_ngrams)


@pytest.fixture(scope="module")
def cleaned(mini_crawl, settings, tmp_path_factory):
    """The folder of a run over the mini-crawl, and its funnel."""
    folder = tmp_path_factory.mktemp("cleaned")
    return folder, pipeline.run(mini_crawl.pages, folder, settings, progress=False)


def records(folder, name):
    return list(store.read_lines(folder / name))


def ends(folder):
    """The stage that ended each page, by its URL; "" for those that are kept."""
    return {r["url"]: r.get("stage", "") for name in FILES[:2] for r in records(folder, name)}


def test_every_page_is_in_one_file_once(mini_crawl, cleaned):
    kept, dropped = (records(cleaned[0], name) for name in FILES[:2])
    assert sorted(record["page"] for record in kept + dropped) == list(range(2000))
    assert [(r["page"], r["url"]) for r in sorted(kept + dropped, key=lambda r: r["page"])] == [
        (i, page.url) for i, page in enumerate(mini_crawl.pages)
    ]


def test_the_funnel_counts_what_the_files_hold(cleaned):
    folder, funnel = cleaned
    kept, dropped = (records(folder, name) for name in FILES[:2])
    assert list(funnel.left) == ["crawled", *stages.STAGES]
    assert funnel.left["crawled"] == 2000 and funnel.left["decontamination"] == len(kept)
    counted = Counter((record["stage"], record["reason"]) for record in dropped)
    assert counted == {(s, reason): n for s, found in funnel.reasons.items() for reason, n in found.items()}
    assert records(folder, "funnel.json") == [json.loads(json.dumps(funnel._asdict()))]


def test_hazards_end_at_the_parser_and_foreign_pages_at_the_language(mini_crawl, cleaned):
    ended = ends(cleaned[0])
    assert {ended[t.url] for t in mini_crawl.truth.values() if t.kind == "hazard"} == {"html"}
    assert {ended[t.url] for t in mini_crawl.truth.values() if t.kind == "foreign"} == {"language"}
    labels = {r["url"]: r["reason"] for r in records(cleaned[0], "dropped.jsonl") if r["stage"] == "language"}
    right = [labels[t.url] == t.family for t in mini_crawl.truth.values() if t.kind == "foreign"]
    assert sum(right) >= 0.98 * len(right)


def test_planted_duplicates_are_found(mini_crawl, cleaned):
    compared = {url for url, stage in ends(cleaned[0]).items() if stage not in ("html", "language")}
    planted, found = defaultdict(list), defaultdict(list)
    urls = [page.url for page in mini_crawl.pages]
    for truth in mini_crawl.truth.values():
        if truth.url in compared:
            planted[truth.original if truth.kind == "duplicate" else truth.url].append(truth.url)
    like = {r["url"]: urls[r["like"]] for r in records(cleaned[0], "dropped.jsonl") if "like" in r}
    for url in compared:
        found[like.get(url, url)].append(url)
    pairs = [{frozenset(p) for group in groups.values() for p in combinations(group, 2)} for groups in (planted, found)]
    hits = len(pairs[0] & pairs[1])
    assert 2 * hits / (len(pairs[0]) + len(pairs[1])) >= 0.95


def test_near_misses_are_no_duplicates(mini_crawl, cleaned):
    ended = ends(cleaned[0])
    misses = [ended[t.url] for t in mini_crawl.truth.values() if t.kind == "good" and t.original]
    assert len(misses) >= 40 and not {"exact", "near"} & set(misses)


def test_every_leaked_item_is_found_and_nothing_else(mini_crawl, extracted, settings, cleaned):
    ended, leaks = ends(cleaned[0]), [t for t in mini_crawl.truth.values() if t.kind == "leaked"]
    read = [t for t in leaks if in_words(t.leaked) in in_words(extracted[t.url].text)]
    assert len(read) >= 0.9 * len(leaks), "what the extractor cuts off cannot leak any more"
    for truth in read:
        assert decontaminate.overlaps(extracted[truth.url].text, settings.test_ngrams)
        assert ended[truth.url] != ""
    assert {t.kind for t in mini_crawl.truth.values() if ended[t.url] == "decontamination"} == {"leaked"}
    items = [in_words(item) for item in mini_crawl.test_set]
    for record in records(cleaned[0], "kept.jsonl"):
        assert not any(item in in_words(record["text"]) for item in items)


def in_words(text):
    return " ".join(["", *prose.tokens(text), ""])


def test_spam_goes_and_most_of_what_is_good_stays(mini_crawl, cleaned):
    ended = ends(cleaned[0])
    tested = [t for t in mini_crawl.truth.values() if t.split == "test"]
    spam = [ended[t.url] == "" for t in tested if t.kind == "spam"]
    good = [ended[t.url] == "" for t in tested if t.kind == "good"]
    assert sum(spam) <= 0.2 * len(spam) and sum(good) >= 0.7 * len(good)


def small_pages(n=60):
    """Pages of which some are empty, some are copies, and two come from one URL."""
    words = random.Random(0)
    pages = []
    for i in range(n):
        text = " ".join(f"w{words.randrange(999)}." for _ in range(60))
        raw = b"" if i % 11 == 3 else f"<html><body><article><p>{text}</p></article></body></html>".encode()
        pages.append(crawl.Page(f"https://a.example/{i % 50}", pages[i - 3].html if i % 7 == 5 else raw, "text/html"))
    return pages


def english(text):
    return language.Guess("en", 1.0, "en")


def by_length(texts):
    return [len(text) % 10 / 10 for text in texts]


CHEAP = stages.Settings(english, by_length, min_score=0.2, test_ngrams=NOTHING, rules=())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    pipeline.run(iter(small_pages()), folder, CHEAP, shard_size=7, progress=False)
    return {name: (folder / name).read_bytes() for name in FILES}


def test_the_small_run_uses_several_stages(undisturbed):
    left = json.loads(undisturbed["funnel.json"])["left"]
    assert left["crawled"] == 60 > left["html"] > left["exact"] > left["quality"] > 10
    reasons = json.loads(undisturbed["funnel.json"])["reasons"]
    assert reasons["exact"]["same_url"] > 0 and reasons["exact"]["same_text"] > 0


@pytest.mark.parametrize("seed", range(12))
def test_a_run_that_is_interrupted_anywhere_ends_as_if_it_had_not_been(seed, tmp_path, undisturbed, monkeypatch):
    luck, interruptions = random.Random(seed), 0

    def perhaps(function):
        def interrupted(*args, **kwargs):
            before, after = (interruptions < 40 and luck.random() < 0.008 for _ in range(2))
            if before:
                raise KeyboardInterrupt
            result = function(*args, **kwargs)
            if after:
                raise KeyboardInterrupt
            return result

        return interrupted

    for module, name in ((html, "extract"), (os, "fsync"), (os, "replace"), (json, "dumps"), (json, "loads")):
        monkeypatch.setattr(module, name, perhaps(getattr(module, name)))
    finished = False
    while not finished:
        try:
            pipeline.run(iter(small_pages()), tmp_path, CHEAP, shard_size=7, progress=False)
            finished = True
        except KeyboardInterrupt:
            interruptions += 1
    assert interruptions > 3
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == undisturbed


SLOW_RUN = """
import sys, time
sys.path[:0] = {path!r}
import test_pipeline as t
from minqwen.data import html, pipeline
quick = html.extract
html.extract = lambda *args: time.sleep(0.02) or quick(*args)
pipeline.run(t.small_pages(), sys.argv[1], t.CHEAP, shard_size=7, progress=False)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")
def test_a_run_that_is_killed_ends_as_if_it_had_not_been(tmp_path, undisturbed):
    script = SLOW_RUN.format(path=[os.path.dirname(__file__), *sys.path])
    for shards in (2, 5):
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
        while len(list((tmp_path / "read").glob("*.jsonl"))) < shards if (tmp_path / "read").exists() else True:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (tmp_path / "kept.jsonl").exists()
    done = len(list((tmp_path / "read").glob("*.jsonl")))
    assert 5 <= done < 9
    pipeline.run(small_pages(), tmp_path, CHEAP, shard_size=7, progress=False)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == undisturbed


def test_what_is_done_is_not_done_again(tmp_path, monkeypatch):
    pipeline.run(small_pages(), tmp_path, CHEAP, shard_size=7, progress=False)

    def fail(*args):
        raise AssertionError("read again")

    monkeypatch.setattr(html, "extract", fail)
    pipeline.run(small_pages(), tmp_path, CHEAP, shard_size=7, progress=False)


@pytest.mark.parametrize(
    ("pages", "changed"),
    [
        pytest.param(small_pages()[::-1], {}, id="other pages"),
        pytest.param(small_pages()[:20], {}, id="fewer pages"),
        pytest.param(small_pages(), {"min_score": 0.3}, id="another threshold"),
        pytest.param(small_pages(), {"score": lambda texts: [0.9] * len(texts)}, id="another classifier"),
        pytest.param(
            small_pages(), {"test_ngrams": decontaminate.collect_ngrams(["a b c d e"])}, id="another test set"
        ),
        pytest.param(small_pages(), {"rules": stages.Settings.__dataclass_fields__["rules"].default}, id="more rules"),
    ],
)
def test_a_folder_of_another_run_is_refused(tmp_path, pages, changed):
    pipeline.run(small_pages(), tmp_path, CHEAP, shard_size=7, progress=False)
    other = stages.Settings(**{**vars(CHEAP), **changed})
    with pytest.raises(ValueError, match="delete the folder, or choose another"):
        pipeline.run(pages, tmp_path, other, shard_size=7, progress=False)


def test_no_pages_make_an_empty_corpus(tmp_path):
    funnel = pipeline.run([], tmp_path, CHEAP, progress=False)
    assert set(funnel.left.values()) == {0} and records(tmp_path, "kept.jsonl") == []
    with pytest.raises(ValueError, match="200 pages make a shard"):
        pipeline.run([], tmp_path, CHEAP, shard_size=0)


@pytest.mark.parametrize("wrong", [("u", "text", ""), ("u", b"", None), (None, b"", ""), ("u", b"")])
def test_a_page_of_other_parts_is_told_what_a_page_is(tmp_path, wrong):
    page = crawl.Page(*wrong) if len(wrong) == 3 else wrong
    with pytest.raises(ValueError, match=r'page 60 has parts of type .*, "" where there is none'):
        pipeline.run([*small_pages(), page], tmp_path, CHEAP, shard_size=60, progress=False)
    assert pipeline.run(small_pages(), tmp_path, CHEAP, shard_size=60, progress=False).left["crawled"] == 60


def test_pages_without_a_url_are_not_taken_for_one(tmp_path):
    pages = [page._replace(url="") for page in small_pages(12) if page.html]
    reasons = pipeline.run(pages, tmp_path, CHEAP, progress=False).reasons["exact"]
    assert set(reasons) == {"same_text"} and reasons["same_text"] < len(pages) - 1


def test_progress_is_shown_and_cleared(tmp_path, capsys):
    pipeline.run(small_pages(), tmp_path, CHEAP, shard_size=7)
    bars = capsys.readouterr().err
    assert "read:" in bars and "judge:" in bars and "/60 " in bars and "/9 " in bars
    assert bars.endswith("\r"), "a stored output of a notebook shall hold no bar"

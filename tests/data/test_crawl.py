"""The mini-crawl and what was planted in it. Oracles: the shares said before, and similarities counted again here."""

import re
import statistics
from collections import Counter, defaultdict

import pytest

from minqwen.data import crawl, html, language
from minqwen.data.crawl import markup, plan, prose, spam


def of_kind(crawled, kind):
    return [truth for truth in crawled.truth.values() if truth.kind == kind]


def shingles(text):
    """Runs of five words or Chinese characters, by another way than the generator's."""
    spaced = re.sub(r"([\u4e00-\u9fff])", r" \1 ", text.lower())
    words = re.sub(r"[\W_]+", " ", spaced).split()
    return {" ".join(words[i : i + 5]) for i in range(len(words) - 4)}


def test_the_shares_are_those_said_before(mini_crawl):
    counts = Counter(truth.kind for truth in mini_crawl.truth.values())
    assert len(mini_crawl.pages) == len(mini_crawl.truth) == 2000
    assert counts == {"spam": 300, "duplicate": 400, "foreign": 200, "leaked": 30, "hazard": 20, "good": 1050}
    assert {page.url for page in mini_crawl.pages} == set(mini_crawl.truth)


def test_a_seed_gives_the_same_bytes_and_another_seed_others(mini_crawl):
    first, again = crawl.make(100, seed=3), crawl.make(100, seed=3)
    assert first == again
    assert len({page.html for page in first.pages} & {page.html for page in mini_crawl.pages}) < 5  # blanks, no text


def test_the_truth_stands_apart_from_the_pages(mini_crawl):
    assert set(crawl.Page._fields) == {"url", "html", "content_type"}
    assert not any(kind in page.url for page in mini_crawl.pages for kind in [*plan.SHARES, "good"])


def test_what_is_tested_stands_in_domains_templates_and_families_of_its_own(mini_crawl):
    assert set(markup.TEMPLATES["train"]).isdisjoint(markup.TEMPLATES["test"])
    sides = defaultdict(set)
    for truth in mini_crawl.truth.values():
        sides["domain", truth.domain].add(truth.split)
    for truth in of_kind(mini_crawl, "spam"):
        sides["family", truth.family].add(truth.split)
    assert all(len(split) == 1 for split in sides.values())
    assert {family.name for family in spam.FAMILIES} == {name for kind, name in sides if kind == "family"}


def test_copies_have_the_similarity_that_is_said_of_them(mini_crawl):
    copies = [truth for truth in mini_crawl.truth.values() if truth.original]
    for copy in copies:
        a, b = shingles(copy.text), shingles(mini_crawl.truth[copy.original].text)
        assert copy.similarity == 1 or len(a & b) / len(a | b) == pytest.approx(copy.similarity, abs=0.01)
    found = sorted(copy.similarity for copy in copies if copy.kind == "duplicate")
    planned = [level for level in sorted(plan.SIMILARITIES) for _ in range(80)]
    assert all(similarity == pytest.approx(level, abs=0.045) for similarity, level in zip(found, planned))
    assert statistics.mean(found) == pytest.approx(statistics.mean(plan.SIMILARITIES), abs=0.005)
    unlike = [copy.similarity for copy in copies if copy.kind == "good"]
    assert len(unlike) >= 40 and max(unlike) < 0.6


def test_what_is_no_copy_is_not_like_any_other_page(mini_crawl):
    single = [t for t in mini_crawl.truth.values() if t.kind in ("good", "spam", "leaked") and not t.original]
    sets, holders = [shingles(truth.text) for truth in single], defaultdict(list)
    for i, each in enumerate(sets):
        for shingle in each:
            holders[shingle].append(i)
    shared = Counter((i, j) for found in holders.values() for i in found for j in found if i < j)
    unlike = [n / (len(sets[i]) + len(sets[j]) - n) for (i, j), n in shared.items()]
    assert max(unlike) < 0.6


def test_a_leak_holds_the_item_that_is_said_to_leak(mini_crawl):
    leaks = of_kind(mini_crawl, "leaked")
    assert all(" ".join(prose.tokens(t.leaked)) in " ".join(prose.tokens(t.text)) for t in leaks)
    assert all(truth.leaked in mini_crawl.test_set for truth in leaks)
    lengths = [len(prose.tokens(truth.leaked)) for truth in leaks]
    assert min(lengths) < 13 <= max(lengths), "short answers leak as well as long ones"


def test_what_stands_in_a_page_by_chance_is_no_item():
    texts = ["He said: To be, or not to be!", "船走了。"]
    items = ["to be or not to be", "to be or not to bed", "船走了", "走了船"]
    assert plan.unseen(items, texts) == ["to be or not to bed", "走了船"]


def test_no_other_page_holds_an_item_of_the_test_set(mini_crawl):
    items = [" ".join(prose.tokens(item)) for item in mini_crawl.test_set]
    for truth in mini_crawl.truth.values():
        text = " ".join(prose.tokens(truth.text))
        assert truth.kind == "leaked" or not any(item in text for item in items)


def test_a_hazard_is_refused_for_its_reason_and_no_other_page_is(mini_crawl, extracted):
    assert {truth.reason for truth in of_kind(mini_crawl, "hazard")} == set(markup.HAZARDS) <= set(html.REASONS)
    for url, (_, reason) in extracted.items():
        assert (reason or "") == mini_crawl.truth[url].reason


def test_nineteen_of_twenty_pages_are_read_word_for_word(mini_crawl, extracted):
    read = [(t.text, extracted[t.url].text) for t in mini_crawl.truth.values() if t.text]
    assert sum(prose.tokens(planted) == prose.tokens(found) for planted, found in read) >= 0.95 * len(read)


def test_the_pages_lie_about_their_encodings(mini_crawl):
    headers = Counter(page.content_type for page in mini_crawl.pages)
    assert len(headers) > 5
    gzipped = sum(page.html.startswith(b"\x1f\x8b") for page in mini_crawl.pages)
    assert 0.02 < gzipped / 2000 < 0.08


def test_languages_are_known_for_98_of_100_pages(mini_crawl, extracted):
    identify, right = language.Identifier(), defaultdict(list)
    for url, (text, reason) in extracted.items():
        if reason is None:
            expected = mini_crawl.truth[url].language
            right[expected].append(identify(text).language == expected)
    everything = [each for found in right.values() for each in found]
    assert sum(everything) >= 0.98 * len(everything)
    assert all(sum(found) >= 0.96 * len(found) for found in right.values())
    assert all(right["other"]), "no page in another language passes for one of ours"


def test_a_crawl_that_is_too_small_is_told_the_least_size():
    with pytest.raises(ValueError, match="ask for 100 or more"):
        crawl.make(99)

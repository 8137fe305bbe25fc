"""Clean against dirty, and specialists. Oracles: what was planted in the crawl; the shipped model itself."""

import pytest
import torch

import continued
import evidence
from minqwen.data import corpus, exercises
from minqwen.tokenizer import Tokenizer

SMALL = {"d_model": 48, "n_layers": 1, "d_ff": 64, "max_length": 16, "batch_size": 2, "steps": 4, "warmup": 1}
DIRTY = {**continued.DIRTY, **SMALL, "evaluate_every": 2, "windows": 8, "pages": 300}
MORE = {**continued.MORE, "steps": 2, "warmup": 1, "windows": 2, "items": 4, "length": 64, "batch_size": 2}


@pytest.fixture(scope="module")
def texts():
    return continued.page_texts(300)


def test_the_three_variants_are_cleaner_and_cleaner(texts):
    assert len(texts["clean"]) < len(texts["extracted"]) <= len(texts["markup"])
    packed = [text for text in texts["markup"] if text.startswith("\x1f")]  # a page may be sent as gzip
    assert all("<" in text or text in packed for text in texts["markup"]) and len(packed) < 0.1 * len(texts["markup"])
    assert not any("<body" in text for text in texts["extracted"])


def test_no_variant_holds_a_page_that_leaks(texts):
    from minqwen.data import crawl

    leaked = [t.leaked for t in crawl.make(300, seed=0).truth.values() if t.kind == "leaked"]
    assert leaked and not any(item in text for item in leaked for text in texts["extracted"])


@pytest.fixture
def few(monkeypatch):
    held_out, load = corpus.load("held_out"), corpus.load
    monkeypatch.setattr(
        corpus,
        "load",
        lambda split, language=None: [d for d in held_out[:2] + held_out[-20:] if language in (None, d.language)],
    )
    return load


def test_all_variants_of_a_seed_read_as_many_tokens_from_the_same_start(few, texts, monkeypatch):
    monkeypatch.setattr(continued, "page_texts", lambda n: texts)
    sources, firsts = continued.crawled(DIRTY), []
    for variant in continued.DIRTY_VARIANTS:
        first, last = continued.measure_dirty(variant, DIRTY, 0, sources)
        assert (first["step"], last["step"]) == (2, 4) and last["epochs"] > 0
        firsts.append(last["bits_per_byte"])
    assert len({str(bits) for bits in firsts}) == 3, "what they read differs"


def test_the_shipped_model_is_measured_before_and_after(few):
    sources = continued.more(MORE)
    before, after = continued.measure_more("math", MORE, 0, sources)
    assert (before["step"], after["step"]) == (0, 2) and {"sums", "functions", "bits_per_byte"} <= before.keys()
    assert after["bits_per_byte"] != before["bits_per_byte"]


@pytest.mark.parametrize(("variant", "kind"), [("math", exercises.sums), ("code", exercises.functions)])
def test_a_specialist_never_reads_what_it_is_asked(variant, kind):
    tokenizer = Tokenizer.from_pretrained(continued.assets.TINY_QWEN)
    sources = continued.Sources(tokenizer, {}, {})
    windows = continued.read_next(variant, {**MORE, "steps": 40}, 5, sources)
    assert len(windows) >= 40 * MORE["batch_size"]
    read = tokenizer.decode(torch.cat(list(windows)).tolist())
    asked = exercises.split(kind(), 5)[1][: MORE["items"]]
    assert not any(f"\n{item.text}" in read for item in asked)


def test_both_experiments_are_listed_with_their_variants():
    assert evidence.EXPERIMENTS["dirty"].variants is continued.DIRTY_VARIANTS
    assert evidence.EXPERIMENTS["specialists"].variants is continued.MORE_VARIANTS


def test_half_of_the_chinese_pages_are_no_utf_8():
    """Lesson 08 says so, to explain what the raw pages cost."""
    from minqwen.data import crawl

    made = crawl.make(continued.DIRTY["pages"], seed=0)
    chinese = [p.html for p in made.pages if made.truth[p.url].language == "zh" and made.truth[p.url].kind != "hazard"]
    lost = ["\ufffd" in raw.decode(errors="replace") for raw in chinese]
    assert 0.4 < sum(lost) / len(lost) < 0.6

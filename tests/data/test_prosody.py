"""Tones and rhymes as poets used them. Oracles: what every reader of verse knows, and poems not learned from."""

import itertools
import json
from importlib import resources

import pytest

from minqwen.data import corpus, prosody


@pytest.fixture(scope="module")
def table():
    return prosody.load()


@pytest.mark.parametrize(("characters", "tone"), [("山天风流中", "平"), ("月水不去落", "仄"), ("看教", "平仄")])
def test_well_known_tones(characters, tone, table):
    assert {table.tone[character] for character in characters} == {tone}


@pytest.mark.parametrize("rhymes", ["流楼秋舟愁", "东风中红空", "山间闲还关", "光霜乡长香", "心林深琴音"])
def test_well_known_rhymes_are_of_one_class(rhymes, table):
    assert len({table.rhyme[character] for character in rhymes}) == 1


def test_classes_are_apart_and_all_their_characters_may_be_level(table):
    assert len({table.rhyme[character] for character in "流红山光心"}) == 5
    assert all("平" in table.tone[character] for character in table.rhyme)


def test_held_out_poets_of_the_corpus_rhyme_by_the_table(table):
    pairs = []
    for document in corpus.load("held_out", "zh"):
        lines = [line for line in document.text.split("\n")[1:] if len(line) in (12, 16)]
        ends = [line[-2] for line in lines if line[-2] in table.rhyme]
        pairs += [table.rhyme[a] == table.rhyme[b] for a, b in itertools.pairwise(ends)]
    assert len(pairs) > 1000 and sum(pairs) / len(pairs) > 0.85


def test_the_notes_give_the_agreement_that_was_measured():
    measured = json.loads(resources.files("minqwen.assets").joinpath("prosody/prosody.json").read_text("utf-8"))
    notes = resources.files("minqwen.assets").joinpath("README.md").read_text("utf-8")
    in_one, chance = measured["agreement"]["in one poem"], measured["agreement"]["by chance"]
    assert f"two rhymes of one poem are of one class in {in_one:.1%} of the cases; by chance in {chance:.1%}" in notes
    assert f"{measured['poems']['learned from']:,} regular poems" in notes

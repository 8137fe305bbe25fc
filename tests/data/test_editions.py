"""Real near-duplicates. Oracle: the editors, who gave both editions of a work the same title."""

import numpy as np
import pytest

from minqwen.data import dedup, editions, minhash, normalize


def similarities(pairs, n, unit=None):
    runs = [
        [minhash.shingle(normalize.normalize_text(text), n, **({"unit": unit} if unit else {})) for text in texts]
        for texts in ([pair.first for pair in pairs], [pair.second for pair in pairs])
    ]
    return np.array([[dedup.jaccard(a, b) for b in runs[1]] for a in runs[0]])


def found(pairs, **settings):
    texts = [pair.first for pair in pairs] + [pair.second for pair in pairs]
    first = dedup.deduplicate(texts, **settings).first
    return np.mean([first[i] == first[len(pairs) + i] for i in range(len(pairs))])


def test_there_are_35_plays_and_some_900_poems():
    assert len(editions.load("en")) == 35
    assert 800 < len(editions.load("zh")) < 1000
    assert all(pair.first != pair.second for pair in editions.load("en"))


@pytest.mark.parametrize(("n", "unit"), [(1, "word"), (5, "word"), (5, "character")])
def test_every_play_is_nearest_to_itself_in_the_old_spelling(n, unit):
    matrix = similarities(editions.load("en"), n, unit)
    assert (matrix.argmax(axis=1) == np.arange(35)).all()


def test_old_spelling_hides_a_play_from_the_usual_threshold():
    pairs = editions.load("en")
    assert found(pairs, threshold=0.7) == 0
    assert found(pairs, threshold=0.1) == 1


def test_runs_of_three_find_poems_that_runs_of_five_miss():
    pairs = editions.load("zh")
    assert found(pairs, threshold=0.7, n=5) < 0.8
    assert found(pairs, threshold=0.5, n=3) > 0.9


def test_a_language_without_editions_is_told_the_choice():
    with pytest.raises(ValueError, match="choose one of"):
        editions.load("fr")

"""The classifier on planted spam of kinds that it has not seen. Oracle: scikit-learn's AUC, and the planted truth."""

import statistics

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from minqwen.data import crawl, html, quality

GOOD = [f"The ferry leaves harbour {n} at dawn, and the clerk counts its passengers twice." for n in range(20)]
BAD = [f"Buy {n} cheap pills online, click here, best price guaranteed!" for n in range(20)]


@pytest.fixture(scope="module")
def classifier():
    return quality.Classifier().fit(GOOD + BAD, [True] * 20 + [False] * 20)


def labelled(crawled):
    truths = [crawled.truth[page.url] for page in crawled.pages]
    return [(page, truth) for page, truth in zip(crawled.pages, truths) if truth.kind in ("good", "spam")]


def area(seed):
    """AUC on the test domains of one crawl, learnt on its others."""
    sides = {"train": ([], []), "test": ([], [])}
    for page, truth in labelled(crawl.make(600, seed)):
        texts, is_good = sides[truth.split]
        texts.append(html.extract(page.html, page.content_type).text)
        is_good.append(truth.kind == "good")
    model = quality.Classifier().fit(*sides["train"])
    texts, is_good = sides["test"]
    return roc_auc_score(is_good, model.score(texts))


def test_unseen_spam_in_unseen_templates_is_told_from_good_pages():
    areas = [area(seed) for seed in range(1, 6)]
    # Student's t with 4 degrees of freedom: the interval of the mean over crawls, 95 %.
    low = statistics.mean(areas) - 2.776 * statistics.stdev(areas) / 5**0.5
    assert low >= 0.95, areas


def test_good_texts_score_higher(classifier):
    good, bad = classifier.score(["At dawn the clerk counts the ferry's passengers."]), classifier.score(BAD[:1])
    assert 0 <= bad[0] < 0.5 < good[0] <= 1


def test_scores_come_one_a_text(classifier):
    assert classifier.score([]).shape == (0,)
    assert np.allclose(classifier.score(GOOD), [classifier.score([text])[0] for text in GOOD])


@pytest.mark.parametrize("text", ["", " ", "\0", "\ud800", "。", "x" * 10**6], ids=lambda text: repr(text[:3]))
def test_any_text_has_a_score(classifier, text):
    assert 0 <= classifier.score([text])[0] <= 1


def test_labels_of_one_kind_are_refused():
    with pytest.raises(ValueError, match="label some good texts and some bad"):
        quality.Classifier().fit(GOOD, [True] * 20)


def test_a_domain_lies_on_one_side():
    domains = [f"d{i % 7}" for i in range(100)]
    train, test = quality.split_by_domain(domains, 0.3, seed=5)
    assert sorted(train + test) == list(range(100))
    assert {domains[i] for i in train}.isdisjoint({domains[i] for i in test})
    assert len({domains[i] for i in test}) == 2
    assert (
        quality.split_by_domain(domains, 0.3, seed=5) == (train, test) != quality.split_by_domain(domains, 0.3, seed=6)
    )
    with pytest.raises(ValueError, match=r"such as 0\.3"):
        quality.split_by_domain(domains, 1.0)


def test_the_threshold_keeps_the_share_of_good_texts_that_it_promises():
    scores, is_good = [i / 100 for i in range(100)] + [0.0] * 9, [True] * 100 + [False] * 9
    for percent in (100, 98, 90, 50, 7, 1):
        threshold = quality.keep_threshold(scores, is_good, percent / 100)
        assert sum(score >= threshold for score, fine in zip(scores, is_good) if fine) == percent
    assert quality.keep_threshold([0.1, 0.2, 0.3], [True] * 3, 0.5) == 0.2, (
        "two of three are more than half, one is less"
    )
    with pytest.raises(ValueError, match="label some"):
        quality.keep_threshold([0.5], [False])
    for keep in (0.0, 1.1):
        with pytest.raises(ValueError, match=r"such as 0\.98"):
            quality.keep_threshold([0.5], [True], keep)

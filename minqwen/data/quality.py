"""How good a text is, by a classifier over its words: good pages against spam, as people labelled some of them.

The Qwen report (arXiv:2309.16609), section 2.1, scores texts with several models and says no more. Logistic regression
on hashed features is GPT-3's choice (Brown et al. 2020, arXiv:2005.14165, appendix A). Runs of characters stand beside
words, since Chinese has no blanks. scikit-learn does the work (Pedregosa et al. 2011, JMLR 12).
"""

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

READ = 4000  # characters of a text
FEATURES = 2**18


class Split(NamedTuple):
    """Indices on either side."""

    train: list[int]
    test: list[int]


def split_by_domain(domains: Sequence[str], test_share: float = 0.3, seed: int = 0) -> Split:
    """Whole domains on one side, so that no template, author or shop is learnt by heart and met again."""
    if not 0 < test_share < 1:
        raise ValueError(f"test_share={test_share} leaves a side empty; choose one between 0 and 1, such as 0.3")
    names = sorted(set(domains))
    random.Random(seed).shuffle(names)
    tested = set(names[: max(1, round(test_share * len(names)))])
    sides = ([i for i, domain in enumerate(domains) if (domain in tested) is test] for test in (False, True))
    return Split(*sides)


class Classifier:
    """Hashed single words and runs of 1 to 3 characters, then logistic regression."""

    def __init__(self):
        from sklearn.feature_extraction.text import HashingVectorizer  # 1 s, for this class only
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union

        characters = HashingVectorizer(analyzer="char", ngram_range=(1, 3), n_features=FEATURES, alternate_sign=False)
        words = HashingVectorizer(token_pattern=r"\w+", n_features=FEATURES, alternate_sign=False)
        self._model = make_pipeline(make_union(characters, words), LogisticRegression(C=10, max_iter=300))

    def fit(self, texts: Sequence[str], is_good: Sequence[bool]) -> "Classifier":
        """Learn from texts that people called good or not; returns itself."""
        if len(set(is_good)) < 2:
            raise ValueError(
                "all labels are equal, so there is nothing to tell apart; label some good texts and some bad"
            )
        self._model.fit([_readable(text) for text in texts], list(is_good))
        return self

    def score(self, texts: Sequence[str]) -> Float[np.ndarray, " N"]:
        """P(good) of each text."""
        return self._model.predict_proba([_readable(text) for text in texts])[:, 1] if len(texts) else np.empty(0)


def _readable(text: str) -> str:
    return text[:READ].encode("utf-8", "replace").decode()  # halves of surrogate pairs cannot be hashed


def keep_threshold(
    scores: Sequence[float] | Float[np.ndarray, " N"], is_good: Sequence[bool], keep: float = 0.98
) -> float:
    """The highest threshold at which this share of the good texts stays."""
    good = sorted(score for score, fine in zip(scores, is_good) if fine)
    if not good:
        raise ValueError("no text is labelled good, so no threshold keeps any; label some")
    if not 0 < keep <= 1:
        raise ValueError(f"keep={keep} is no share of the good texts; choose one above 0 and up to 1, such as 0.98")
    kept = math.ceil(round(keep * len(good), 9))  # 0.07 · 100 is a little above 7, and 7 are enough
    return float(good[-kept])

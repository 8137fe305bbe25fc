"""The mini-crawl: pages with planted spam, duplicates, foreign languages and leaks, and the truth apart from them.

The steps that it tests are those of section 2.1 of the Qwen report (Bai et al. 2023, arXiv:2309.16609).
"""

import random
from typing import NamedTuple

from minqwen.data.crawl import foreign, markup, plan
from minqwen.data.html import Page

SMALLEST = 100


class Crawl(NamedTuple):
    """Pages in random order, the truth about each by its URL, and the test set that some of them leak."""

    pages: list[Page]
    truth: dict[str, plan.Truth]
    test_set: list[str]


def make(size: int = 2400, seed: int = 0) -> Crawl:
    """The mini-crawl of this seed: the same bytes each time."""
    if size < SMALLEST:
        raise ValueError(f"size={size} leaves some kinds without a page; ask for {SMALLEST} or more")
    rng = random.Random(seed)
    test_set, sites = plan.exam(rng), plan.sites(rng, size)
    planner = plan.Planner(rng, size, sites, test_set)
    truths = planner.all()
    rng.shuffle(truths)
    pages = [_page(rng, truth, sites[truth.domain]) for truth in truths]
    return Crawl(pages, {truth.url: truth for truth in truths}, planner.test_set)


def _page(rng: random.Random, truth: plan.Truth, site: plan.Site) -> Page:
    if truth.reason:
        return Page(truth.url, markup.hazard(rng, truth.reason), "text/html")
    codecs = {"en": ("cp1252", "utf-8"), "zh": ("gb18030", "gb18030", "utf-8", "utf-16")}
    own = foreign.CODECS.get(truth.family, "utf-8")
    codec = rng.choice(("utf-8", "utf-8", *codecs.get(truth.language, (own, own))))
    paragraphs = truth.text.split("\n")
    title = paragraphs[0][:40]
    return Page(truth.url, *markup.wrap(rng, title, paragraphs, site.template, site.menu, codec))

"""One mini-crawl for all tests of its steps, and the texts of its pages."""

import pytest

from minqwen.data import crawl, html


@pytest.fixture(scope="session")
def mini_crawl():
    return crawl.make(2000, seed=0)


@pytest.fixture(scope="session")
def extracted(mini_crawl):
    """What each page of the crawl reads, by its URL."""
    return {page.url: html.extract(page.html, page.content_type) for page in mini_crawl.pages}

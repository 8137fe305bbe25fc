"""A small web to practise on: pages as a crawler brings them home, and the truth about what was planted in them."""

from minqwen.data.crawl.pages import Crawl, make
from minqwen.data.crawl.plan import Truth
from minqwen.data.html import Page

__all__ = ["Crawl", "Page", "Truth", "make"]

"""The funnel's bars and words. Oracle: the numbers given, read back from the axes."""

import pytest

from minqwen import show

LEFT = {"crawled": 2400, "html": 2376, "language": 2100, "exact": 2100, "quality": 120}


def test_the_bars_are_the_numbers_and_centred():
    ax = show.funnel(LEFT, "Half of the crawl is left")
    assert [bar.get_width() for bar in ax.patches] == list(LEFT.values())
    assert all(bar.get_x() == -bar.get_width() / 2 for bar in ax.patches)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(LEFT)
    assert ax.yaxis_inverted() and ax.get_title(loc="left") == "Half of the crawl is left"


def test_every_number_is_written_and_every_loss_beside_its_stage():
    ax = show.funnel(LEFT, "A claim")
    words = [text.get_text() for text in ax.texts]
    assert words == ["2,400", "2,376", "−24  (1%)", "2,100", "−276  (12%)", "2,100", "120", "−1,980  (94%)"]


def test_the_alternative_text_says_all_numbers():
    alt = show.funnel(LEFT, "A claim").figure.alt
    said = "crawled 2,400, html 2,376, language 2,100, exact 2,100, quality 120"
    assert alt == f"Funnel, pages left after each stage: {said}. A claim"


@pytest.mark.parametrize("left", [{}, {"crawled": 0}, {"crawled": 5, "html": 6}])
def test_what_is_no_funnel_is_refused(left):
    with pytest.raises(ValueError, match="let none come back"):
        show.funnel(left, "A claim")

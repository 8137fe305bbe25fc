"""Oracles: a first page of three rows written here, and what the artists of the figure hold."""

from itertools import combinations
from pathlib import Path

import matplotlib.colors
import pytest

from minqwen import show
from minqwen.show import overview

ROOT = Path(__file__).resolve().parents[2]
README = """
| | lesson | minutes |
| --- | --- | --: |
| 00 | [start: `check`, the map](notebooks/00_start.ipynb) | 45 |
| 01 | the middle | to come |
| 02 | [end](notebooks/02_end.ipynb) | 7 |
"""


def test_the_lessons_are_read_off_the_first_page():
    assert show.lessons(README) == [
        overview.Lesson(0, "start: check, the map", "00_start", 45),
        overview.Lesson(1, "the middle", "", 0),
        overview.Lesson(2, "end", "02_end", 7),
    ]


def test_a_stop_is_filled_where_the_lesson_is_written_and_hollow_where_it_is_to_come():
    ax = show.course_map(show.lessons(README), {"short": frozenset({0, 1}), "all": frozenset({0, 1, 2})})
    stops = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert len({line.get_xdata()[0] for line in stops}) == 2
    hollow = [
        (line.get_ydata()[0], matplotlib.colors.to_rgb(line.get_markerfacecolor()) == (1, 1, 1)) for line in stops
    ]
    assert sorted(hollow) == [(0, False), (0, False), (1, True), (1, True), (2, False)]
    said = {text.get_text() for text in ax.texts}
    assert {"short", "all", "start: check, the map", "45 min", "the middle", "to come", "7 min"} <= said
    assert ax.get_title(loc="left").startswith("Three ways") and "2 of 3" in ax.get_title(loc="left")


def test_the_map_can_be_heard():
    alt = show.course_map(show.lessons(README), {"a\nway": frozenset({0, 2})}).figure.alt
    assert alt == "Map of 3 lessons. a way: lessons 00, 02. Written so far: 00, 02."


def test_each_way_is_a_part_of_the_next_and_the_last_is_everything():
    evening, weekend, everything = overview.PATHS.values()
    assert evening < weekend < everything == set(range(17))


@pytest.mark.parametrize("readme", [README, (ROOT / "README.md").read_text("utf-8")], ids=["three rows", "the course"])
def test_no_words_of_the_map_lie_on_others(readme):
    ax = show.course_map(show.lessons(readme))
    ax.figure.draw_without_rendering()
    boxes = {text: text.get_window_extent() for text in ax.texts}
    assert [(a.get_text(), b.get_text()) for a, b in combinations(boxes, 2) if boxes[a].overlaps(boxes[b])] == []


def test_where_every_lesson_is_written_the_title_speaks_of_none_to_come():
    written = show.course_map([overview.Lesson(0, "start", "00_start", 45), overview.Lesson(1, "end", "01_end", 7)])
    assert written.get_title(loc="left") == "Three ways through the course"

"""Oracles: the lineage of the report's Figure 1 written out once more, and the points that arrows join."""

import pytest

from minqwen import show
from minqwen.show import family

FIGURE_1 = {
    "Qwen": {"Qwen-PMP", "Qwen-Chat", "Code-Qwen", "Math-Qwen-Chat", "Qwen-VL"},
    "Qwen-PMP": {"Qwen-RM"},
    "Qwen-Chat": {"Qwen-Chat-RLHF"},
    "Code-Qwen": {"Code-Qwen-Chat"},
    "Qwen-VL": {"Qwen-VL-Chat"},
}


def test_the_family_is_that_of_figure_1():
    pairs = {(model.base, model.name) for model in show.FAMILY if model.base}
    assert pairs == {(base, name) for base, names in FIGURE_1.items() for name in names}
    assert [model.name for model in show.FAMILY if not model.base] == ["Qwen"]


@pytest.mark.parametrize("model", show.FAMILY, ids=lambda model: model.name)
def test_every_field_is_filled_and_a_silence_of_the_report_is_said(model):
    assert all(model[2:]) and model.stage in family.STAGES
    assert all(f[0].isdigit() or f.startswith((family.UNKNOWN, family.ELSEWHERE, "about")) for f in model[3:6])


def test_no_two_models_stand_in_one_place_and_each_stands_right_of_its_base():
    at = family.places(show.FAMILY)
    assert len(set(at.values())) == len(show.FAMILY)
    assert all(at[model.name][0] == at[model.base][0] + 1 for model in show.FAMILY if model.base)
    assert at["Qwen-RM"][0] == at["Qwen-Chat-RLHF"][0], "so that the judge stands above whom it judges"


def test_the_figure_has_a_box_for_each_model_and_an_arrow_for_each_descent():
    ax = show.lineage()
    boxes = [text.get_text() for text in ax.texts if text.get_bbox_patch()]
    assert sorted(boxes) == sorted(f"{model.name}\n{model.stage}" for model in show.FAMILY)
    at = family.places(show.FAMILY)
    arrows = [(note.xyann, note.xy) for note in ax.texts if getattr(note, "arrow_patch", None)]

    def nearest(point):
        return min(at, key=lambda name: (at[name][0] - point[0]) ** 2 + (at[name][1] - point[1]) ** 2)

    joined = {(nearest(tail), nearest(head)) for tail, head in arrows}
    descents = {(model.base, model.name) for model in show.FAMILY if model.base}
    assert joined == descents | {("Qwen-RM", "Qwen-Chat-RLHF")}
    assert "Code-Qwen (pre-training) starts from Qwen;" in ax.figure.alt


def test_a_second_root_and_grandchildren_find_room():
    rows = (("a", ""), ("b", "a"), ("c", "b"), ("d", "b"), ("e", "a"), ("f", ""))
    models = [family.Model(name, base, "SFT", "-", "-", "-", "-", "-") for name, base in rows]
    assert family.places(models) == {"a": (0, 0), "b": (1, 0), "c": (2, 0), "d": (2, 1), "e": (1, 2), "f": (0, 3)}


def test_the_table_has_a_row_for_each_model():
    lines = show.family_table().data.splitlines()
    assert len(lines) == 2 + len(show.FAMILY) and len({line.count("|") for line in lines}) == 1
    assert (
        "| Code-Qwen | Qwen | pre-training | 8,192 | 3×10⁻⁵ (7B), 6×10⁻⁵ (14B) | about 90B more | 4.1 | 08 |" in lines
    )


def test_a_table_names_its_columns():
    assert show.table(["a", "b"], [["1", "2"]]).data == "| a | b |\n| --- | --- |\n| 1 | 2 |"

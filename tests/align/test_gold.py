"""The gold rule on poems that everybody knows, and on what breaks one rule at a time."""

import pytest

from minqwen.align import gold
from minqwen.data import corpus, prosody

TOWER = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"


@pytest.fixture(scope="module")
def table():
    return prosody.load()


def score(poem, table, title="登鹳雀楼"):
    return gold.score(title, poem, table.tone, table.rhyme)


def test_the_stork_tower_keeps_every_rule(table):
    found = score(TOWER, table, "登楼望黄河")
    assert found == gold.Score(pytest.approx(1.0), 1.0, 1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("poem", "part", "value"),
    [
        pytest.param(TOWER.replace("楼", "台"), "rhyme", 0.0, id="no rhyme"),
        pytest.param(TOWER.replace("楼", "流"), "rhyme", 0.0, id="the same word is no rhyme"),
        pytest.param(TOWER.replace("海", "河"), "no_repeat", (19 / 20) ** 2, id="a character twice"),
        pytest.param(TOWER.replace("目", "山"), "tones", 0.9, id="line 3 ends level"),
        pytest.param(TOWER.replace("日", "云"), "tones", 0.8, id="one wrong tone breaks two rules"),
        pytest.param(TOWER.replace("楼", "秋"), "title", 0.0, id="nothing of the title"),
    ],
)
def test_one_broken_rule_costs_its_part_alone(poem, part, value, table):
    found, whole = score(poem, table), score(TOWER, table)
    assert getattr(found, part) == pytest.approx(value)
    assert found.total < whole.total
    others = set(gold.WEIGHTS) - {part, "no_repeat"}
    if part == "tones":
        assert all(getattr(found, each) == getattr(whole, each) for each in others)


@pytest.mark.parametrize(
    "poem",
    [
        "",
        "白日依山尽，黄河入海流。",
        TOWER + "\n白日依山尽，黄河入海流。",
        TOWER.replace("白日依山尽", "白日依山"),
        TOWER.replace("白", "a"),
        "白日依山尽黄河入海流欲穷千里目更上一层楼",
    ],
)
def test_what_is_no_quatrain_of_five_scores_nothing(poem, table):
    assert score(poem, table).total == 0


def test_a_title_of_empty_words_asks_for_nothing(table):
    assert score(TOWER, table, "赠答三首").title == 1


def test_two_telling_characters_of_a_title_are_enough(table):
    assert [score(TOWER, table, title).title for title in ("登鹳雀楼", "楼河雀鹳", "秋夜")] == [0.5, 1.0, 0.0]


def test_poets_score_above_shuffled_poets(table):
    poems = [d for d in corpus.load("held_out", "zh") if len(gold.lines_of(d.text.partition("\n")[2])) == 4]
    texts = [d.text.partition("\n")[2] for d in poems]
    real = [score(text, table, d.title) for d, text in zip(poems, texts)]
    real, texts, poems = zip(*[each for each in zip(real, texts, poems) if each[0].form])
    lines = [gold.lines_of(text) for text in texts]
    mixed = ["，".join(lines[(i + shift) % len(lines)][shift] for shift in range(4)) for i in range(len(lines))]
    shuffled = [score(text, table, d.title) for d, text in zip(poems, mixed)]
    assert len(real) > 50

    def mean(scores, part):
        return sum(getattr(each, part) for each in scores) / len(scores)

    assert mean(real, "rhyme") > mean(shuffled, "rhyme") + 0.4
    assert mean(real, "total") > mean(shuffled, "total") + 0.15

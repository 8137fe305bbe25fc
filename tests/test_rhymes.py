"""How tones and rhymes are learned. Oracle: a handful of poems in three rhymes that are known beforehand."""

import json

import pytest

import rhymes

ENDS = ["东中红", "山间闲", "流楼秋"]


def poem(ends, tone="平"):
    lines = [f"甲乙丙丁{c}" for end in ends for c in ("目", end)]
    return rhymes.Verses(lines, ["平仄平仄" + mark for _ in ends for mark in ("仄", tone)])


def poems():
    return [poem(group[i:] + group[:i]) for group in ENDS for i in range(3) for _ in range(5)]


def test_characters_that_meet_at_the_ends_are_of_one_class():
    tone = rhymes.tones(poems())
    found = rhymes.classes(poems(), tone)
    assert {"".join(sorted(group)) for group in ENDS} == {"".join(each) for each in found}
    shares = rhymes.agreement(poems(), tone, found)
    assert shares["in one poem"] == 1 and shares["by chance"] < 0.6


@pytest.mark.parametrize(("level", "tone"), [(20, "平"), (18, "平"), (10, "平仄"), (2, "仄"), (0, "仄")])
def test_a_tone_is_sure_from_nine_in_ten_uses(level, tone):
    uses = [poem("东东", "平" if i < level else "仄") for i in range(20)]
    assert rhymes.tones(uses)["东"] == tone


def test_a_rare_character_has_no_tone_and_an_oblique_ending_no_rhyme():
    assert "东" not in rhymes.tones([poem("东"), poem("东")])
    assert rhymes.endings(poem("东中"), {"东": "平", "中": "仄"}) == []


def test_only_regular_poems_with_their_tones_are_read(tmp_path):
    def record(id, *lines):
        return {"id": id, "paragraphs": lines}

    five, six = "白日依山尽，黄河入海流。", "白日依山尽了，黄河入海流啊。"
    texts, tones = (
        [record("a", five, five), record("b", six, six), record("c", five, five)],
        [
            {"id": "a", "strains": ["仄仄平平仄，平平仄仄平。"] * 2},
            {"id": "b", "strains": ["仄仄平平仄仄，平平仄仄平平。"] * 2},
        ],
    )
    for folder, content in (("quantangshi", texts), ("strains/json", tones)):
        (tmp_path / "dist" / folder).mkdir(parents=True)
        (tmp_path / "dist" / folder / "poet.tang.0.json").write_text(json.dumps(content), encoding="utf-8")
    [found] = rhymes.read(tmp_path, lambda text: text)
    assert found.lines[1] == "黄河入海流" and found.tones[1] == "平平仄仄平"

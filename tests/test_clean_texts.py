"""The cleaning of the corpus. Oracle: small corpora in which every near-duplicate and every leak is planted."""

from collections import Counter

import pytest

import clean_texts
from minqwen.data import corpus

WALL = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"
SPRING = "春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。"
FROST = "床前看月光，疑是地上霜。\n举头望山月，低头思故乡。"


def poem(author, body, title="诗"):
    return corpus.Document("zh", author, author, title, f"《{title}》{author}\n{body}")


def scene(title, words):
    return corpus.Document("en", "Nobody", title, title, f"{title} by Nobody\n\n{words}")


def test_a_poem_with_one_other_character_is_a_copy_of_the_first():
    train = [poem("王之涣", WALL), poem("朱斌", WALL.replace("穷", "窮")), poem("孟浩然", SPRING)]
    kept, [record] = clean_texts.clean(train, [])
    assert kept == [train[0], train[2]]
    assert (record["author"], record["stage"], record["like"]["author"]) == ("朱斌", "near", "王之涣")
    assert record["similarity"] == pytest.approx(15 / 21, abs=1e-3), "3 of 18 runs of three differ"


def test_a_poem_that_shares_half_its_lines_stays():
    train = [poem("甲甲", WALL), poem("乙乙", WALL.split("\n")[0] + "\n" + SPRING.split("\n")[1])]
    assert clean_texts.clean(train, []) == (train, [])


def test_titles_do_not_make_two_poems_alike():
    title = "奉和圣制从蓬莱向兴庆阁道中留春雨中春望之作应制"
    train = [poem("王维", WALL, title), poem("王维", SPRING, title)]
    assert clean_texts.clean(train, []) == (train, [])


def test_training_gives_way_to_a_held_out_text_and_the_held_out_text_stays():
    held_out = [poem("李白", FROST)]
    kept, [record] = clean_texts.clean([poem("甲甲", FROST.replace("上", "下")), poem("孟浩然", SPRING)], held_out)
    assert [document.author for document in kept] == ["孟浩然"]
    assert (record["stage"], record["reason"]) == ("decontamination", "near_held_out")


def test_thirteen_words_of_a_held_out_play_are_a_leak_and_twelve_are_none():
    words = [f"word{i}" for i in range(60)]
    other = [f"other{i}" for i in range(200)]
    held_out = [scene("Held", " ".join(words))]
    twelve, thirteen = (scene(f"Play {n}", " ".join(other[n:] + words[:n])) for n in (12, 13))
    kept, dropped = clean_texts.clean([twelve, thirteen], held_out)
    assert kept == [twelve]
    assert (dropped[0]["title"], dropped[0]["reason"]) == ("Play 13", "held_out_run")
    assert dropped[0]["run"] == " ".join(words[:13])


def test_the_funnel_counts_down_from_the_package_to_what_stays():
    train = [poem("王之涣", WALL), poem("朱斌", WALL.replace("穷", "窮")), poem("甲甲", FROST)]
    kept, dropped = clean_texts.clean(train, [poem("李白", FROST)])
    begun = {"zh": Counter(signs=4, same_text=2, held_out=1)}
    left = clean_texts.funnel(begun, train, dropped)["zh"]
    assert list(left.values()) == [10, 6, 4, 3, 2, 1] and len(kept) == 1

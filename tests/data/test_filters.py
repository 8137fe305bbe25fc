"""The table of rules. Oracles: the thresholds of the papers, and texts built to lie just inside and outside of each."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minqwen.data import corpus, filters

BY_NAME = {rule.name: rule for rule in filters.RULES}
ENGLISH = (
    "The ferry leaves the northern harbour at nine, and again at a quarter to five. Passengers with bicycles wait at "
    "the second gate, where a clerk counts them twice.\nIn winter the last boat is cancelled whenever the ice reaches "
    "the old lighthouse. Tickets are sold on board, and the captain accepts coins of either country.\nNobody has ever "
    "seen him give change, but he always thanks his guests in their own language."
)
CHINESE = (
    "渡船每天上午九点从北边的港口出发，下午五点差一刻还有一班。带自行车的乘客要在第二个门口等候，有一位职员会数两遍。\n"
    "冬天的时候，只要冰面到了旧灯塔，最后一班船就会取消。船票在船上出售，船长两个国家的硬币都收。\n"
    "没有人见过他找零钱，不过他总是用客人自己的语言道谢。"
)


@pytest.mark.parametrize(("text", "language"), [(ENGLISH, "en"), (CHINESE, "zh")])
def test_a_good_text_breaks_no_rule(text, language):
    assert filters.broken_rules(text, language) == []
    assert filters.first_broken(text, language) is None


def test_the_thresholds_are_those_of_the_papers():
    assert {name: rule.bounds["en"] for name, rule in BY_NAME.items()} == {
        "gopher_duplicate_lines": (0, 0.3),
        "gopher_duplicate_line_characters": (0, 0.2),
        "gopher_top_2_gram": (0, 0.2),
        "gopher_top_3_gram": (0, 0.18),
        "gopher_top_4_gram": (0, 0.16),
        "gopher_duplicate_5_grams": (0, 0.15),
        "gopher_duplicate_6_grams": (0, 0.14),
        "gopher_duplicate_7_grams": (0, 0.13),
        "gopher_duplicate_8_grams": (0, 0.12),
        "gopher_duplicate_9_grams": (0, 0.11),
        "gopher_duplicate_10_grams": (0, 0.1),
        "gopher_word_count": (50, 100_000),
        "gopher_word_length": (3, 10),
        "gopher_symbols": (0, 0.1),
        "gopher_bullet_lines": (0, 0.9),
        "gopher_ellipsis_lines": (0, 0.3),
        "gopher_alphabetic_words": (0.8, 1),
        "gopher_stop_words": (2, float("inf")),
        "c4_sentences": (5, float("inf")),
        "c4_longest_word": (0, 1000),
        "c4_curly_brackets": (0, 0),
        "c4_lorem_ipsum": (0, 0),
        "fineweb_ended_lines": (0.12, 1),
        "fineweb_short_lines": (0, 0.67),
        "fineweb_duplicate_line_characters": (0, 0.01),
        "fineweb_line_breaks": (0, 0.3),
    }
    assert len(BY_NAME) == len(filters.RULES), "a name tells which rule it was"


NAMES = [f"Captain {a}{b} sails home. " for a in "ABCDEFGH" for b in "abcdefgh"]
BREAKS = {
    "gopher_word_count": ("The ferry leaves. And it waits. Waits. Waits.", "渡船出发。它等。等。等。等。"),
    "gopher_word_length": (" ".join(f"we go to {a} {b} of it." for a in "abcdef" for b in "ghijk"), None),
    "gopher_symbols": (ENGLISH + " #" * 9, CHINESE.replace("。", "。######")),
    "gopher_bullet_lines": ("- " + "\n- ".join(NAMES), "\n".join(f"• 第{i}班船走了。" for i in range(99))),
    "gopher_ellipsis_lines": (ENGLISH.replace(".\n", "...\n"), CHINESE.replace("。\n", "……\n")),
    "gopher_alphabetic_words": (ENGLISH + " 1 2 3 4 5 6 7 8 9 =" * 3, CHINESE + " 1 2 3 4 5 6 7 8 9 =" * 10),
    "gopher_stop_words": ("".join(NAMES[:20]), "春眠觉晓，处闻啼鸟，夜雨声，花落知。" * 5),
    "gopher_duplicate_lines": (ENGLISH + "\nBoats!" * 3, CHINESE + "\n船！" * 3),
    "gopher_duplicate_line_characters": (f"{ENGLISH}\n{ENGLISH}", f"{CHINESE}\n{CHINESE}"),
    "gopher_top_2_gram": (ENGLISH + " northern harbour" * 8, CHINESE + "港口，" * 19),
    "gopher_duplicate_5_grams": (ENGLISH + " " + ENGLISH[:150], CHINESE + CHINESE[:50]),
    "gopher_duplicate_10_grams": (ENGLISH + " " + ENGLISH[:150], CHINESE + CHINESE[:50]),
    "c4_sentences": (ENGLISH.replace(".", ","), CHINESE.replace("。", "，")),
    "c4_longest_word": (ENGLISH + " " + "x" * 1001, CHINESE + "x" * 1001),
    "c4_curly_brackets": (ENGLISH + " if (x) { go }", CHINESE + "{"),
    "c4_lorem_ipsum": (ENGLISH + " Lorem ipsum dolor", CHINESE + "lorem ipsum"),
    "fineweb_ended_lines": ("\n".join(NAMES[:20]).replace(". ", " now"), CHINESE.replace("。", "\n")),
    "fineweb_short_lines": ("\n".join(NAMES[:20]), "\n".join(CHINESE[i : i + 8] for i in range(0, 120, 8))),
    "fineweb_duplicate_line_characters": (ENGLISH + "\nThe end.\nThe end.", CHINESE + "\n完了。\n完了。"),
    "fineweb_line_breaks": (ENGLISH.replace(" ", "\n"), "\n".join(CHINESE)),
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", BREAKS)
def test_a_text_that_breaks_a_rule_is_told_its_name(name, language):
    text = BREAKS[name][language == "zh"]
    if text is None:
        assert BY_NAME[name].bounds[language] == filters.ANY
    else:
        assert name in filters.broken_rules(text, language)
        assert filters.first_broken(text, language) == filters.broken_rules(text, language)[0]


def test_a_text_is_dropped_for_the_first_rule_of_the_table_that_it_breaks():
    text = BREAKS["fineweb_short_lines"][0]
    broken = filters.broken_rules(text, "en")
    assert len(broken) > 1
    assert broken == [rule.name for rule in filters.RULES if rule.name in broken]


def test_bounds_are_allowed_themselves():
    rule = filters.Rule("half", lambda view: 0.5, {"en": (0.5, 0.5), "zh": (0.6, 1)})
    assert filters.broken_rules("a", "en", (rule,)) == []
    assert filters.broken_rules("a", "zh", (rule,)) == ["half"]


@pytest.mark.parametrize(
    ("line", "dropped"),
    [("春眠，", False), ("春眠不，", False), ("春，", True)],
    ids=["2 of 3", "3 of 4", "1 of 2"],
)
def test_three_of_five_parts_of_a_chinese_text_hold_a_letter(line, dropped):
    assert ("gopher_alphabetic_words" in filters.broken_rules(line * 60, "zh")) is dropped


def test_english_bounds_on_blanks_would_drop_all_chinese():
    split_at_blanks = [filters.View(CHINESE, "en").words]
    assert len(split_at_blanks[0]) == 3 < 50 <= len(filters.View(CHINESE, "zh").words)
    assert "gopher_word_count" in filters.broken_rules(CHINESE, "en")


def test_most_pages_of_tang_poems_stay():
    texts = [document.text for document in corpus.load("held_out", "zh")]
    pages = ["\n".join(texts[i : i + 6]) for i in range(0, len(texts), 6)]
    assert sum(filters.first_broken(page, "zh") is None for page in pages) > 0.8 * len(pages)


def test_lines_about_policies_and_marks_of_citations_go():
    kept, dropped = (
        "The ferry leaves.[1] It waits.[edit]\n",
        "We use cookies to count you.\nPlease enable JavaScript.\n",
    )
    text = f"{kept}{dropped}船走了[2]。\n网站备案号 12\n"
    assert filters.clean_lines(text) == "The ferry leaves. It waits.\n船走了。\n"


def test_a_language_without_rules_is_told_the_choice():
    with pytest.raises(ValueError, match="choose one of en, zh"):
        filters.first_broken("Le ferry", "fr")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("text", ["", " \n ", "。。。", "####", "\0", "-\n-\n-", "…"])
def test_a_text_without_a_word_is_dropped_and_raises_nothing(text, language):
    assert filters.first_broken(text, language) is not None
    assert all(value == value for value in filters.measure(text, language).values())


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["en", "zh"]))
def test_no_text_raises(text, language):
    measured = filters.measure(text, language)
    assert list(measured) == list(BY_NAME) and all(value >= 0 for value in measured.values())
    filters.clean_lines(text)

"""The three writings against numbers written by hand, and against readers that add up words and characters."""

import pytest

from minqwen.data import numbers

BY_HAND = {
    0: ("0", "zero", "零"),
    7: ("7", "seven", "七"),
    10: ("10", "ten", "十"),
    12: ("12", "twelve", "十二"),
    20: ("20", "twenty", "二十"),
    45: ("45", "forty-five", "四十五"),
    100: ("100", "one hundred", "一百"),
    105: ("105", "one hundred five", "一百零五"),
    110: ("110", "one hundred ten", "一百一十"),
    213: ("213", "two hundred thirteen", "二百一十三"),
    990: ("990", "nine hundred ninety", "九百九十"),
    999: ("999", "nine hundred ninety-nine", "九百九十九"),
}
ONES = "one two three four five six seven eight nine"
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
WORDS = {word: n for n, word in enumerate(f"zero {ONES} {TEENS}".split())}
WORDS |= {word: n for n, word in zip(range(20, 100, 10), TENS.split())}


def of_words(text: str) -> int:
    total = 0
    for word in text.replace("-", " ").split():
        total = total * 100 if word == "hundred" else total + WORDS[word]
    return total


def of_characters(text: str) -> int:
    total, digit = 0, None
    for character in text:
        if character in "十百":
            total, digit = total + (1 if digit is None else digit) * {"十": 10, "百": 100}[character], None
        else:
            digit = "零一二三四五六七八九".index(character)
    return total + (digit or 0)


@pytest.mark.parametrize(("number", "texts"), BY_HAND.items(), ids=BY_HAND)
def test_numbers_are_written_as_by_hand(number, texts):
    assert tuple(numbers.write(number, writing) for writing in numbers.WRITINGS) == texts


def test_every_number_can_be_added_up_from_its_parts():
    for number in range(numbers.LIMIT):
        assert int(numbers.write(number, "digits")) == number
        assert of_words(numbers.write(number, "english")) == number
        assert of_characters(numbers.write(number, "chinese")) == number


@pytest.mark.parametrize("writing", numbers.WRITINGS)
def test_reading_undoes_writing_and_no_two_numbers_look_alike(writing):
    assert len({numbers.write(n, writing) for n in range(numbers.LIMIT)}) == numbers.LIMIT
    assert all(numbers.read(numbers.write(n, writing), writing) == n for n in range(0, numbers.LIMIT, 37))


@pytest.mark.parametrize(
    ("text", "writing"), [("012", "digits"), ("one hundred and two", "english"), ("一十二", "chinese"), ("", "digits")]
)
def test_what_nobody_writes_is_no_number(text, writing):
    assert numbers.read(text, writing) is None


def test_the_split_parts_all_numbers_and_keeps_the_only_zero():
    known, held_out = numbers.split(200)
    assert len(held_out) == 200 and sorted(known + held_out) == list(range(numbers.LIMIT)) and 0 in known
    assert numbers.split(200) == (known, held_out) != numbers.split(200, seed=1)


def test_a_held_out_number_stands_in_no_pair_of_the_others():
    known, held_out = numbers.split(200)
    seen = {numbers.decode(ids) for pair in numbers.pairs(known) for ids in pair}
    assert not seen & {numbers.write(n, writing) for n in held_out for writing in numbers.WRITINGS}


def test_pairs_are_the_six_directions_and_say_what_is_asked_for():
    pairs = numbers.pairs([12])
    read = [(numbers.decode(pair.source), numbers.decode(pair.target)) for pair in pairs]
    texts = ("12", "twelve", "十二")
    assert read == [(a, b) for a in texts for b in texts if a != b]
    assert all(
        pair.source[0] == numbers.question("", numbers.WRITINGS[texts.index(b)])[0] for pair, (_, b) in zip(pairs, read)
    )
    assert all(pair.target[0] == numbers.START and pair.target[-1] == numbers.STOP for pair in pairs)


def test_ids_are_characters_below_the_size_of_the_vocabulary():
    ids = numbers.encode("".join(numbers.ALPHABET))
    assert len(set(ids)) == len(ids) and max(ids) == numbers.VOCAB_SIZE - 1
    assert numbers.decode(ids) == "".join(numbers.ALPHABET)
    assert numbers.decode([*ids[:3], numbers.STOP, *ids]) == "".join(numbers.ALPHABET[:3])


def test_bad_input_names_the_way_out():
    with pytest.raises(ValueError, match="between 0 and 999"):
        numbers.write(1000, "digits")
    with pytest.raises(ValueError, match="use one of digits, english, chinese"):
        numbers.write(1, "roman")
    with pytest.raises(ValueError, match="characters are '0123456789"):
        numbers.encode("1,000")

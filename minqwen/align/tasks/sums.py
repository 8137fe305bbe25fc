"""Tasks on numbers in three writings, 12, twelve and 十二: convert one into another; add two."""

from collections.abc import Iterable, Iterator

from minqwen.align.tasks.example import Example
from minqwen.data import numbers

INTO = {"digits": "Write {} in digits.", "english": "Write {} in English.", "chinese": "把{}写成汉字。"}
PLUS = {"digits": "{} + {} = ?", "english": "What is {} plus {}?", "chinese": "{}加{}等于几？"}


def conversions(of: Iterable[int]) -> Iterator[Example]:
    """Every number in all six directions."""
    for number in of:
        for source in numbers.WRITINGS:
            for target in numbers.WRITINGS:
                if source != target:
                    given = numbers.write(number, source)
                    yield Example("convert", INTO[target].format(given), numbers.write(number, target), given)


def additions(pairs: Iterable[tuple[int, int]]) -> Iterator[Example]:
    """Every sum in the three writings; the answer is in the writing of the question."""
    for a, b in pairs:
        for writing in numbers.WRITINGS:
            first, second = (numbers.write(n, writing) for n in (a, b))
            answer = numbers.write(a + b, writing)
            yield Example("add", PLUS[writing].format(first, second), answer, f"{first} {second}")

"""Exercise 15.4, a sum in steps. Zhou et al. 2023, "Least-to-Most Prompting" (arXiv:2205.10625), section 2."""

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.prompt import least_to_most


def _solution(question: str) -> list[str]:
    """The library's, without regular expressions."""
    numbers = question.removesuffix(" = ?").split(" + ")
    if len(numbers) < 2 or not question.endswith(" = ?") or not all(number.isdigit() for number in numbers):
        return [question]
    first, second, *rest = numbers
    return [f"{first} + {second} = ?"] + [f"{{}} + {number} = ?" for number in rest]


def _by_places(question: str) -> list[str]:
    """From the last number to the first: what stands before its sign is one question less."""
    head, sign, last = question.rpartition(" + ")
    whole = [question]
    numbers = question.replace(" = ?", "").split(" + ")
    if not sign or question != f"{head} + {last}" or not last.endswith(" = ?") or not "".join(numbers).isdigit():
        return whole
    return whole if len(numbers) == 2 else [*_by_places(f"{head} = ?"), "{} + " + last]


def _numbers(rng: torch.Generator, n: int) -> list[int]:
    return torch.randint(2, 100, (n,), generator=rng).tolist()


def _case(question: str, note: str = "") -> Case:
    return Case({"question": question}, _by_places(question), note)


def _sum(rng: torch.Generator, n: int) -> str:
    return " + ".join(map(str, _numbers(rng, n))) + " = ?"


def _three(rng: torch.Generator) -> list[Case]:
    return [_case(_sum(rng, 3))]


def _many(rng: torch.Generator) -> list[Case]:
    return [_case(_sum(rng, n), f"{n} numbers") for n in (4, 6)]


def _two(rng: torch.Generator) -> list[Case]:
    return [_case(_sum(rng, 2), "already a sum of two")]


def _others(rng: torch.Generator) -> list[Case]:
    a, b, c = _numbers(rng, 3)
    return [
        _case(f"{a} - {b} = ?", "no sum"),
        _case(f"{a} + {b} - {c} = ?", "not a sum alone"),
        _case(f"{a} * {b} + {c} = ?", "not a sum alone"),
        _case(f"{a} = ?", "one number"),
        _case(f"seven + {b} + {c} = ?", "not digits alone"),
        _case(f"{a} + five + {c} = ?", "not digits alone"),
        _case(f"{a} + {b} + {c}", '" = ?" is missing at the end'),
        _case(f"{a} + {b} + {c} = ? Write it in Chinese.", '" = ?" is not the end'),
        _case(f"What is {a} + {b} + {c} = ?", "something stands before it"),
        _case(f"Write {a} in Chinese.", "another task"),
    ]


_REST = '[f"{{}} + {number} = ?" for number in rest]'


def _wrong(sentence: str, *edits: tuple[str, str]) -> parts.WrongAnswer:
    return parts.mistake(_solution, sentence, *edits)


EXERCISE = exercise.Implement(
    name="decompose",
    lesson="15_tools",
    number="15.4",
    title="A sum in steps",
    library=least_to_most.decompose,
    reference=_solution,
    also_closed=(_by_places, least_to_most.chain_of_thought, least_to_most.least_to_most),
    statement="""\
A model that adds two numbers can add ten, if somebody asks it nine times. Write `decompose(question)`: what to ask one
after the other in place of the string `question`, a list of strings.

- A sum such as `"7 + 5 + 9 + 2 = ?"` (digits, `" + "` between them, `" = ?"` at the end) becomes
  `["7 + 5 = ?", "{} + 9 = ?", "{} + 2 = ?"]`. In place of the two characters `{}` the answer to the question before
  will be put.
- A sum of two numbers is its own only part.
- So is everything else, `"7 - 5 = ?"` or `"Name a river."`: return `[question]`.
""",
    why="Whoever splits a question has to know where to stop: a part that is split wrongly spoils all that follow.",
    points=2,
    minutes=10,
    difficulty=2,
    hints=(
        "How many questions does a sum of n numbers make?",
        "A string goes in; a list of n - 1 strings comes out, or of one.",
        "cut the end off, split at the signs, check that all are numbers; the first two make one question, each other "
        "number one more.",
        "In an f-string, two braces {{ stand for one.",
    ),
    tests=(
        Test("three numbers make two questions", _three),
        Test("each further number makes one more", _many),
        Test("two numbers stay one question", _two),
        Test("what is no sum stays whole", _others),
    ),
    wrong_answers={
        "always_first": _wrong(
            "each question begins with the first number; it should begin with {}, the answer before.",
            (_REST, '[f"{first} + {number} = ?" for number in rest]'),
        ),
        "pairs": _wrong(
            "each question begins with the number before; it should begin with {}, the answer before.",
            (_REST, '[f"{before} + {number} = ?" for before, number in zip(numbers[1:], rest)]'),
        ),
        "worked_out": _wrong(
            "the sums are worked out here; that is for the model: write {} in place of the answer.",
            (_REST, '[f"{sum(map(int, numbers[: at + 2]))} + {number} = ?" for at, number in enumerate(rest)]'),
        ),
        "four_braces": _wrong(
            "{{}} stands there; in an f-string two braces make one, in another string they stay two.",
            (_REST, '["{{}} + " + number + " = ?" for number in rest]'),
        ),
        "no_braces": _wrong(
            "nothing stands in place of the answer; in an f-string {{}} makes {}.",
            (_REST, '[f" + {number} = ?" for number in rest]'),
        ),
        "blanks_kept": _wrong(
            'blanks stand twice: split at " + ", with its blanks.',
            ('split(" + ")', 'split("+")'),
            ("number.isdigit()", "number.strip().isdigit()"),
        ),
        "single_digits": _wrong(
            "a number of two digits is cut into digits.",
            ('numbers = question.removesuffix(" = ?").split(" + ")', "numbers = [c for c in question if c.isdigit()]"),
            ("not question.endswith", '" + " not in question or not question.endswith'),
        ),
        "end_forgotten": _wrong(
            'a question without " = ?" at its end is split too; return it whole.',
            (' or not question.endswith(" = ?")', ""),
        ),
        "begins_with_a_digit": _wrong(
            "only the first number is looked at; one word among them, and it is no sum.",
            ("all(number.isdigit() for number in numbers)", "numbers[0].isdigit()"),
        ),
        "last_lost": _wrong("the last number is never added.", ("for number in rest]", "for number in rest[:-1]]")),
        "one_too_many": _wrong(
            "the second number is added twice.", ("for number in rest]", "for number in [second, *rest]]")
        ),
        "backwards": _wrong(
            "{} stands behind the number; the answer before comes first.",
            (_REST, '[f"{number} + {{}} = ?" for number in rest]'),
        ),
        "from_the_end": _wrong(
            "the numbers are added in reverse order.", ("for number in rest]", "for number in rest[::-1]]")
        ),
        "no_question": _wrong(
            '" = ?" is missing in the later questions.', (_REST, '[f"{{}} + {number}" for number in rest]')
        ),
        "not_split": _wrong(
            "all other numbers stay in one question; ask for one more number at a time.",
            (_REST, "([f\"{{}} + {' + '.join(rest)} = ?\"] if rest else [])"),
        ),
        "any_text": _wrong(
            "text that is no sum is split too; return it whole.",
            (" or not all(number.isdigit() for number in numbers)", ""),
        ),
        "nothing": _wrong(
            "what is no sum gives an empty list, so it is never asked; return it whole.",
            ("return [question]", "return []"),
        ),
    },
)

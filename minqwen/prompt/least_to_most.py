"""Hard questions in steps: chain of thought in one answer, least-to-most as questions that build on one another.

Wei et al. 2022, "Chain-of-Thought Prompting Elicits Reasoning in Large Language Models" (arXiv:2201.11903); Zhou et al.
2023, "Least-to-Most Prompting Enables Complex Reasoning in Large Language Models" (arXiv:2205.10625), section 2; the
Qwen report (arXiv:2309.16609) names both for mathematics, in section 6.5.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple


class Step(NamedTuple):
    """A part of a question as it was asked, and the model's answer."""

    question: str
    answer: str


def decompose(question: str) -> list[str]:
    """A sum of many numbers, "7 + 5 + 9 = ?", as sums of two: "7 + 5 = ?", "{} + 9 = ?".

    {} stands for the answer to the question before. A question that is no such sum is its own only part.
    """
    numbers = re.findall(r"\d+", question)
    if len(numbers) < 2 or question != " + ".join(numbers) + " = ?":
        return [question]
    first, second, *rest = numbers
    return [f"{first} + {second} = ?"] + [f"{{}} + {number} = ?" for number in rest]


def least_to_most(
    generate: Callable[[str], str], question: str, split: Callable[[str], list[str]] | None = None
) -> Iterator[Step]:
    """Ask the parts in order, each with the answer before put in for {}, and yield each; the last answer is the answer.

    `split` makes the parts, `decompose` if it is not given; it may ask a model, as the paper does. An empty answer
    ends it: nothing can be built on it.
    """
    before = ""
    for part in (split or decompose)(question):
        asked = part.replace("{}", before)
        before = generate(asked).strip()
        yield Step(asked, before)
        if not before:
            return


def chain_of_thought(question: str) -> str:
    """A worked example: every partial sum of "7 + 5 + 9 = ?", then the result."""
    numbers = [int(number) for number in re.findall(r"\d+", question)]
    if len(numbers) < 2 or decompose(question) == [question] != [f"{numbers[0]} + {numbers[1]} = ?"]:
        raise ValueError(f"{question!r} is no sum to work out; write it as '7 + 5 + 9 = ?'")
    totals = list(itertools.accumulate(numbers))
    lines = [f"{before} + {number} = {after}" for before, number, after in zip(totals, numbers[1:], totals[1:])]
    return "\n".join([*lines, f"Answer: {totals[-1]}"])


def chain_of_thought_prompt(examples: Sequence[str], question: str) -> str:
    """Worked examples, then the question, for a model that imitates what it reads."""
    worked = [f"{example}\n{chain_of_thought(example)}" for example in examples]
    return "\n\n".join([*worked, f"{question}\n"])

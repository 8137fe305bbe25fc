"""Questions for tools, made by a program: with tools to choose from, the right call, and what the tool says.

Qwen Technical Report (arXiv:2309.16609), section 3.4: tools in the test are not among those of training, and some
questions need none. Here most tools look something up, the heart of "king": names and nouns are drawn, so that
nothing can be known about a tool but what stands in the prompt. Three are the real ones of `prompt.tools`.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from minqwen.prompt import tools
from minqwen.prompt.tools import Parameter, Tool

ASKS = ('What is the {} of "{}"?', 'Tell me the {} of "{}".', 'The {} of "{}"?', 'I want the {} of "{}".')
DESCRIBED = ("Gives the {}.", "Tells the {}.", "For the {}.", "Finds the {}.")
AFFIXES = ("get_{}", "find_{}", "{}_of", "{}_finder", "ask_{}", "{}s", "my_{}", "the_{}")
KEYS = ("thing", "name", "word", "of", "what")
REAL = ("calculator", "dictionary", "poem_search")
UNKNOWN = "I do not know."


class Task(NamedTuple):
    """A question, the tools on offer, and what is right: a call and its result, or, without one, an answer."""

    kind: str
    tools: tuple[Tool, ...]
    question: str
    thought: str
    name: str | None
    arguments: str
    result: str

    @property
    def trace(self) -> list[tuple[str, bool]]:
        """The assistant's turn in pieces, and which of them the assistant says: not what comes from the tool."""
        if self.name is None:
            return [(f"Thought: {self.thought}\nFinal Answer: {self.result}", True)]
        said = f"Thought: {self.thought}\nAction: {self.name}\nAction Input: {self.arguments}\nObservation:"
        return [(said, True), (f" {self.result}\nThought:", False), (f" I know it.\nFinal Answer: {self.result}", True)]


@dataclass(frozen=True)
class Words:
    """What tools and questions are made of: REAL tools by name, `plain` questions without a tool."""

    nouns: Sequence[str]
    names: Sequence[str]
    things: Sequence[str]
    dictionary: Mapping[str, str]
    real: Mapping[str, Tool]
    plain: Sequence[tuple[str, str]]


def lookup(noun: str, name: str, words: Words, rng: random.Random) -> Tool:
    """A tool that looks up the `noun` of a thing, and always finds the same."""
    said = rng.choice(list(words.things))
    parameter = Parameter(rng.choice(KEYS), "what to look up")
    return Tool(name, name, rng.choice(DESCRIBED).format(noun), (parameter,), lambda **given: said)


def task(words: Words, rng: random.Random, kind: str, most: int = 3) -> Task:
    """One task, with up to `most` tools that look something up, one of REAL in place of one or beside them.

    The tool that is needed has a "telling" name, which holds its noun, or an "arbitrary" one, two words; or is one of
    REAL. "no tool" is needed for a question of `words.plain`; it is "missing" if no tool gives what is asked.
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is no kind of task; choose one of {', '.join(KINDS)}")
    nouns = rng.sample(list(words.nouns), most)
    telling = {"telling": True, "arbitrary": False}.get(kind, rng.random() < 0.5)
    pairs = rng.sample(list(words.names), 2 * most)
    names = [rng.choice(AFFIXES).format(n) if telling else "_".join(pairs[2 * i :][:2]) for i, n in enumerate(nouns)]
    made = [lookup(noun, name, words, rng) for noun, name in zip(nouns, names)]
    offered = made[1 : rng.randint(2, most)]
    if kind in REAL:
        return _real(words, rng, kind, offered)
    if rng.random() < 0.5:
        offered = _mix(offered, words.real[rng.choice(REAL)], rng)
    if kind == "no tool":
        question, answer = rng.choice(list(words.plain))
        return Task(kind, tuple(offered), question, "I need no tool.", None, "", answer)
    thing = rng.choice(list(words.things))
    question = rng.choice(ASKS).format(nouns[0], thing)
    if kind == "missing":
        thought = f"I need the {nouns[0]}. No tool gives it."
        return Task(kind, tuple(offered), question, thought, None, "", UNKNOWN)
    return _asked(kind, _mix(offered, made[0], rng), made[0], question, f"the {nouns[0]}", thing)


def _real(words: Words, rng: random.Random, name: str, offered: list[Tool]) -> Task:
    tool = words.real[name]
    if name == "calculator":
        a, b = rng.randint(2, 99), rng.randint(2, 99)
        given = f"{a} {rng.choice('+-*')} {b}"
        question, needed = rng.choice(("What is {}?", "Work out {}.", "{} = ?")).format(given), "a sum"
    elif name == "dictionary":
        pair = rng.choice(list(words.dictionary.items()))
        given, into = rng.choice(((pair[0], "Chinese"), (pair[1], "English")))
        question = rng.choice(('What is "{}" in {}?', 'How do you say "{}" in {}?')).format(given, into)
        needed = "a word in the other language"
    else:
        given = rng.choice(list(words.dictionary.values()))
        question, needed = (
            rng.choice(('Find a line with "{}".', 'Which poem has "{}"?')).format(given),
            "a line of a poem",
        )
    return _asked(name, _mix(offered, tool, rng), tool, question, needed, given)


def _asked(kind: str, offered: list[Tool], tool: Tool, question: str, needed: str, given: str) -> Task:
    thought = f"I need {needed}. {tool.name}({tool.parameters[0].name}) gives it."
    arguments = json.dumps({tool.parameters[0].name: given}, ensure_ascii=False)
    result = tools.call(offered, tool.name, arguments)
    return Task(kind, tuple(offered), question, thought, tool.name, arguments, result)


def _mix(offered: list[Tool], tool: Tool, rng: random.Random) -> list[Tool]:
    at = rng.randint(0, len(offered))
    return [*offered[:at], tool, *offered[at:]]


KINDS = ("telling", "arbitrary", *REAL, "no tool", "missing")

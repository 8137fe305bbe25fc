"""Tools: what a program offers a model, and a call of one that cannot do harm by what is written in it.

The fields are those of the Qwen reference code, https://github.com/QwenLM/Qwen, examples/react_prompt.md: a name for
the model, one for people, a description, and parameters with name, description and schema. What the model writes is
read as JSON and given to the tool as text; it is never run. Whatever goes wrong becomes a line that the model can read.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minqwen.prompt import calculator

LONGEST = 200  # characters of a result: it has to fit into the model's context
QUOTED = 40  # characters of what a model wrote, where an error repeats it: the reason behind them must stay
ERROR = "Error: "


@dataclass(frozen=True)
class Parameter:
    """One argument of a tool, as a JSON schema would say it."""

    name: str
    description: str
    type: str = "string"
    required: bool = True


@dataclass(frozen=True)
class Tool:
    """A function with the words that tell a model what it is for; `run` gets the arguments by name."""

    name: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    run: Callable[..., str]

    @property
    def schema(self) -> list[dict[str, Any]]:
        """The parameters as the reference writes them."""
        return [
            {"name": p.name, "description": p.description, "required": p.required, "schema": {"type": p.type}}
            for p in self.parameters
        ]


def call(tools: Sequence[Tool], name: str, arguments: str, seconds: float = 2.0) -> str:
    """What the tool answers, or "Error: " and the reason: one line of at most LONGEST characters in either case.

    One line, so that a result cannot forge a label such as `Action:`, which counts at the beginning of a line only.
    """
    by_name = {tool.name.lower(): tool for tool in tools}
    tool = by_name.get(name.strip().lower())
    if tool is None:
        there = ", ".join(tool.name for tool in tools)
        return one_line(f"{ERROR}there is no tool {name[:QUOTED]!r}; there are {there or 'none'}")
    given = read_arguments(tool, arguments)
    return one_line(given if isinstance(given, str) else _within(tool, given, seconds))


def read_arguments(tool: Tool, arguments: str) -> dict[str, Any] | str:
    """The arguments by name, or the reason why they cannot be used."""
    example = json.dumps({p.name: "..." for p in tool.parameters}, ensure_ascii=False)
    try:
        given = json.loads(arguments, parse_constant=_refuse, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return f"{ERROR}the arguments are no JSON object; write {example}"
    known = {parameter.name for parameter in tool.parameters}
    missing = [p.name for p in tool.parameters if p.required and p.name not in given]
    if missing or set(given) - known:
        takes, has = ", ".join(p.name for p in tool.parameters) or "no arguments", ", ".join(given) or "nothing"
        return f"{ERROR}{tool.name} takes {takes}, not {has}"
    wrong = [p.name for p in tool.parameters if p.type == "string" and not isinstance(given.get(p.name, ""), str)]
    return f"{ERROR}{wrong[0]} is no text; write {example}" if wrong else given


def _refuse(word: str) -> None:
    """NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(f"{word} is no JSON")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Python keeps the last of two values of one name, and nobody would know that there was another."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def one_line(text: str) -> str:
    """Without line breaks, cut, and � for what cannot be printed, such as half a character or a change of direction."""
    line = " ".join(text.split())
    line = line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
    return "".join(c if c.isprintable() else "�" for c in line)


def _within(tool: Tool, given: Mapping[str, Any], seconds: float) -> str:
    """Run the tool in a thread, and wait so long for it.

    Python cannot end a thread: a tool that hangs is left behind, and ends with the program. One that may keep the
    processor busy for ever belongs into a process of its own.
    """
    said: list[str] = []

    def run() -> None:
        try:
            said.append(str(tool.run(**given)))
        except BaseException as error:  # exit() in a tool must not end the loop
            said.append(f"{ERROR}{_in_words(error)}")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return said[0] if said else f"{ERROR}{tool.name} took more than {seconds:g} seconds"


def _in_words(error: BaseException) -> str:
    try:
        return str(error).strip() or type(error).__name__
    except BaseException:  # an error may be broken itself
        return type(error).__name__


def calculator_tool() -> Tool:
    """Sums, exactly."""
    expression = Parameter("expression", "a sum such as (3 + 4) * 5")
    return Tool(
        "calculator",
        "Calculator",
        "Works out a sum.",
        (expression,),
        lambda expression: calculator.written(calculator.calculate(expression)),
    )


def dictionary_tool(entries: Mapping[str, str]) -> Tool:
    """A word of one language in the other, in both directions."""
    both = {**{chinese: english for english, chinese in entries.items()}, **entries}

    def look_up(word: str) -> str:
        found = both.get(word.strip().lower())
        if found is None:
            raise ValueError(f"{word[:QUOTED]!r} is not in this dictionary of {len(entries)} words")
        return found

    return Tool(
        "dictionary",
        "English-Chinese dictionary",
        "Gives a word in the other language.",
        (Parameter("word", "a word in English or Chinese"),),
        look_up,
    )


def poem_tool(poems: Sequence[str]) -> Tool:
    """The first line of a poem that holds some characters; a poem is its title line and its verses."""
    lines = [line for poem in poems for line in poem.split("\n")[1:]]

    def find(text: str) -> str:
        wanted = text.strip()
        if not wanted:
            raise ValueError("nothing to look for; give a character or more")
        found = next((line for line in lines if wanted in line), None)
        if found is None:
            raise ValueError(f"no line holds {wanted[:QUOTED]!r}")
        return found

    return Tool(
        "poem_search",
        "Search in the poems of the Tang",
        "Finds a line of a poem.",
        (Parameter("text", "Chinese characters that the line holds"),),
        find,
    )


def real_tools(entries: Mapping[str, str], poems: Sequence[str]) -> dict[str, Tool]:
    """The three tools that work, by name."""
    made = calculator_tool(), dictionary_tool(entries), poem_tool(poems)
    return {tool.name: tool for tool in made}

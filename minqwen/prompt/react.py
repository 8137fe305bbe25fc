"""ReAct: a model that thinks, asks a tool, reads what it says, and thinks on.

Yao et al. 2023, "ReAct: Synergizing Reasoning and Acting in Language Models" (arXiv:2210.03629). Labels, their order,
the parser and the stop rule are those of the Qwen reference code (https://github.com/QwenLM/Qwen,
examples/react_prompt.md and react_demo.py); the sentences are our own. The prompt is the user's turn, the trace the
assistant's.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from minqwen.prompt import tools as toolbox
from minqwen.prompt.tools import Tool

ACTION, INPUT, OBSERVATION, ANSWER = "\nAction:", "\nAction Input:", "\nObservation:", "\nFinal Answer:"
STOP = "Observation:"  # where a model has to stop: what follows is for the tool to say

PARAGRAPH = """\
{name}: with this tool you use {title}. What it does: {description} Parameters: {parameters} Write the arguments as a \
JSON object."""
LAYOUT = """\
Answer the question at the end. You may ask these tools:

{paragraphs}

Write in these lines:

Question: the question that you are to answer
Thought: what has to be done next
Action: the tool to ask, one of [{names}]
Action Input: the arguments for it
Observation: what the tool said
... (Thought, Action, Action Input and Observation may come again)
Thought: now the answer is known
Final Answer: the answer to the question

Begin!

Question: {question}"""
BRIEF_LINE = "{description} {name}({arguments})"
BRIEF_LAYOUT = "{paragraphs}\n\nQuestion: {question}"


class Call(NamedTuple):
    """What the model wants of a tool, as it wrote it; without a name it wants nothing."""

    name: str
    arguments: str


class Event(NamedTuple):
    """A part of a trace: "model" wrote it, a "tool" said it, it is the "answer", or the reason why it "stopped"."""

    kind: str
    text: str


def react_prompt(tools: Sequence[Tool], question: str, brief: bool = False) -> str:
    """The user's turn. `brief` leaves out what a model that was trained on traces need not be told: what each tool
    is for, then its name and arguments, in the order in which a model that copies reads them."""
    if not tools:
        raise ValueError("there is no tool to ask; give at least one, or put the question as it is")
    names = [tool.name for tool in tools]
    if len({name.lower() for name in names}) < len(names):
        raise ValueError(f"two tools have one name among {', '.join(names)}; a call could mean either, so rename one")
    paragraphs = ("\n" if brief else "\n\n").join(
        (BRIEF_LINE if brief else PARAGRAPH).format(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            parameters=json.dumps(tool.schema, ensure_ascii=False),
            arguments=", ".join(parameter.name for parameter in tool.parameters),
        )
        for tool in tools
    )
    layout = BRIEF_LAYOUT if brief else LAYOUT
    return layout.format(paragraphs=paragraphs, names=",".join(names), question=question)


def parse_react(text: str) -> Call:
    """The last call in `text`: what stands between `Action:`, `Action Input:` and `Observation:`; else two empty texts.

    Each label counts at the beginning of a line, and its last place counts. A missing `Observation:` is taken to stand
    at the end, for there the model was stopped. The three must come in this order.
    """
    action, given, seen = text.rfind(ACTION), text.rfind(INPUT), text.rfind(OBSERVATION)
    if seen < given:
        seen = len(text)
    if not 0 <= action < given < seen:
        return Call("", "")
    return Call(text[action + len(ACTION) : given].strip(), text[given + len(INPUT) : seen].strip())


def final_answer(text: str) -> str | None:
    """What stands behind the last `Final Answer:`, or None."""
    found = text.rfind(ANSWER)
    return None if found < 0 else text[found + len(ANSWER) :].strip()


def run_react(
    generate: Callable[[str, str], str],
    tools: Sequence[Tool],
    question: str,
    max_steps: int = 5,
    *,
    brief: bool = False,
    seconds: float = 60.0,
    tool_seconds: float = 2.0,
) -> Iterator[Event]:
    """Ask, call, append what the tool said, ask again, and yield each part as soon as it is there.

    `generate(prompt, written)` continues the assistant's turn `written`, and should stop at STOP. What it writes past
    its first `Observation:` is dropped: only a tool says what a tool said. Of a call and an answer in one reply the
    call counts. The loop ends with an answer, or after `max_steps` calls or `seconds`, or when a reply is neither a
    call nor an answer, or when `generate` cannot go on (ValueError), as where the trace fills the context.
    """
    prompt, written, start = react_prompt(tools, question, brief), "", time.monotonic()
    for _ in range(max_steps):
        try:
            said = ("\n" + generate(prompt, written)).partition(OBSERVATION)[0].removeprefix("\n")
        except ValueError as error:
            if not written:
                raise
            yield Event("stopped", str(error))
            return
        yield Event("model", said)
        name, arguments = parse_react("\n" + said)
        if not name:
            answer = final_answer("\n" + said)
            reason = "the reply is neither a call of a tool nor a final answer"
            yield Event("stopped", reason) if answer is None else Event("answer", answer)
            return
        result = toolbox.call(tools, name, arguments, tool_seconds)
        yield Event("tool", result)
        written += f"{said.rstrip()}{OBSERVATION} {result}\nThought:"
        if time.monotonic() - start > seconds:
            yield Event("stopped", f"no answer within {seconds:g} seconds")
            return
    yield Event("stopped", f"no answer after {max_steps} calls")

"""Exercise 15.1, reading a call out of a reply. Yao et al. 2023 (arXiv:2210.03629); the rule is that of the parser
in examples/react_demo.py of https://github.com/QwenLM/Qwen."""

from functools import partial

import torch

from minqwen.check import chats, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.prompt import react


def _by_lines(text: str) -> tuple[str, str]:
    """The last line that begins with each label; a label in the very first line counts for nothing."""
    lines = text.split("\n")
    last = {}
    for label in ("Action:", "Action Input:", "Observation:"):
        last[label] = max((i for i, line in enumerate(lines) if i and line.startswith(label)), default=-1)
    action, given, seen = last.values()
    if seen < given:
        seen = len(lines)
    if action < 0 or not action < given < seen:
        return "", ""
    name, arguments = "\n".join(lines[action:given]), "\n".join(lines[given:seen])
    return name.removeprefix("Action:").strip(), arguments.removeprefix("Action Input:").strip()


def _case(text: str, note: str = "") -> Case:
    return Case({"text": text}, _by_lines(text), note)


def _call(rng: torch.Generator) -> str:
    thought, name, key, value = (chats.word(rng) for _ in range(4))
    return f'Thought: {thought}\nAction: {name.upper()}\nAction Input: {{"{key}": "{value}"}}'


def _one(rng: torch.Generator) -> list[Case]:
    return [_case(f"{_call(rng)}\nObservation: {chats.word(rng)}")]


def _stopped(rng: torch.Generator) -> list[Case]:
    return [_case(_call(rng), "the model was stopped where Observation: would stand")]


def _several(rng: torch.Generator) -> list[Case]:
    first = f"{_call(rng)}\nObservation: {chats.word(rng)}\n"
    return [
        _case(f"{first}{_call(rng)}\nObservation: {chats.word(rng)}", "two calls: the last counts"),
        _case(first + _call(rng), "the last call has no Observation: yet"),
    ]


def _long(rng: torch.Generator) -> list[Case]:
    a, b, name = (chats.word(rng) for _ in range(3))
    given = f'{{\n  "{a}": "{b}"\n}}'
    return [
        _case(f"x\nAction:   {name} {a}  \nAction Input:\n{given}\n\nObservation: 1", "a name of two words, and lines"),
        _case(f"x\nAction: {name}\nAction Input: {given}\n", "stopped at the end of a line"),
    ]


def _none(rng: torch.Generator) -> list[Case]:
    word = chats.word(rng)
    return [
        _case(f"Thought: {word}\nFinal Answer: {word}", "no call"),
        _case(f"Thought: {word}\nAction: {word}", "no Action Input:"),
        _case(f"Thought: {word}\nAction Input: {word}\nObservation: {word}", "no Action:"),
        _case(f"Thought: {word}\naction: {word}\naction input: {word}", "small letters are no labels"),
        _case("", "the model wrote nothing"),
    ]


def _order(rng: torch.Generator) -> list[Case]:
    a, b = chats.word(rng), chats.word(rng)
    call = f"Action: {b}\nAction Input: {b}"
    return [
        _case(f"Thought: {a}\nAction Input: {a}\nAction: {b}\nObservation: {a}", "the labels are exchanged"),
        _case(f"{a}\n{call}\nObservation: 1\nAction: {a}", "the last Action: comes after the last Action Input:"),
    ]


def _last(rng: torch.Generator) -> list[Case]:
    a, b, c = (chats.word(rng) for _ in range(3))
    return [
        _case(f"{a}\nAction: {b}\nAction Input: {c}\nObservation: {a}\nObservation: {b}", "Observation: comes twice"),
        _case(f"{a}\nAction: {b}\nAction Input: {a}\nAction Input: {c}", "Action Input: comes twice"),
    ]


def _inside(rng: torch.Generator) -> list[Case]:
    word, other = chats.word(rng), chats.word(rng)
    said = f'Thought: x\nAction: {word}\nAction Input: {{"a": "Action: {word}, Observation: {word}"}}'
    told = f'Thought: x\nAction: {word}\nAction Input: {{"a": "Action Input: {other}, Final Answer: {word}"}}'
    return [
        _case(f"{said}\nObservation: 1", "labels inside a line are text"),
        _case(said, "the same, stopped"),
        _case(told, "so is Action Input: inside a line"),
        _case(f"Thought: x\nAction: {word}\nAction Input: {{\n  Action: {other}\n}}", "a label behind blanks"),
        _case(f"Action: {word}\nAction Input: {other}", "no line break stands before the first line"),
        _case(f"\nAction: {word}\nAction Input: {other}", "one does here"),
    ]


_wrong = partial(parts.mistake, react.parse_react)
_PLACES = "text.rfind(ACTION), text.rfind(INPUT), text.rfind(OBSERVATION)"
_ORDER = "if not 0 <= action < given < seen:"
_NAME, _GIVEN = "text[action + len(ACTION) : given].strip()", "text[given + len(INPUT) : seen].strip()"

EXERCISE = exercise.Implement(
    name="parse_react",
    lesson="15_tools",
    number="15.1",
    title="Reading a call out of a reply",
    library=react.parse_react,
    also_closed=(_by_lines,),
    imports="from minqwen.prompt.react import ACTION, INPUT, OBSERVATION, Call",
    statement="""\
The model writes text; a program has to find the call in it. Write `parse_react(text)`. It returns
`Call(name, arguments)`, a tuple of two strings.

- The labels are `ACTION`, `INPUT` and `OBSERVATION`: `"\\nAction:"`, `"\\nAction Input:"`, `"\\nObservation:"`. The
  line break is part of each, so a label inside a line does not count. Of each label its **last** place counts.
- `name` stands between Action and Action Input, `arguments` between Action Input and Observation, both without blanks
  and line breaks around them. The arguments stay text; they may take several lines.
- If there is no Observation **after** Action Input, the arguments reach to the end of `text`: there the model was
  stopped.
- If Action or Action Input is missing, or they do not come in this order, there is no call: return `Call("", "")`.

For example, `"Thought: ...\\nAction: dictionary\\nAction Input: {}"` gives `Call("dictionary", "{}")`.
""",
    why="The parser is where text becomes action: what it lets through is what a model can do.",
    points=3,
    minutes=12,
    difficulty=2,
    hints=(
        "Which method of a string finds the last place of a text in it, and what does it give if there is none?",
        "Three places go in, numbers from -1 on; two slices of the text come out.",
        "find the three; if the third lies before the second, it is the end; check the order; cut and strip.",
        "A comparison may be chained: 0 <= a < b < c is false as soon as one step fails.",
    ),
    tests=(
        Test("one call, with what the tool said", _one),
        Test("a reply that was stopped before Observation:", _stopped),
        Test("the last call counts", _several),
        Test("arguments on several lines, blanks around them", _long),
        Test("where a label is missing there is no call", _none),
        Test("nor where they come in another order", _order),
        Test("of a label that comes twice the last place counts", _last),
        Test("a label counts at the beginning of a line only", _inside),
    ),
    wrong_answers={
        "first_action": _wrong("the first Action: is taken; the last one counts.", ("rfind(ACTION)", "find(ACTION)")),
        "first_of_all": _wrong(
            "the first place of every label is taken, so that the first call is made again and again.",
            (_PLACES, _PLACES.replace("rfind", "find")),
        ),
        "first_input": _wrong("the first Action Input: is taken, not the last.", ("rfind(INPUT)", "find(INPUT)")),
        "first_observation": _wrong(
            "the arguments end at the first Observation: after them; of every label the last place counts.",
            ("text.rfind(OBSERVATION)", "text.find(OBSERVATION, text.rfind(INPUT))"),
        ),
        "needs_observation": _wrong(
            "a reply that was stopped before Observation: has no call; its arguments reach to the end.",
            ("if seen < given:", "if False:"),
        ),
        "to_the_end": _wrong(
            "the arguments reach to the end of the text, over what the tool said.",
            (_GIVEN, "text[given + len(INPUT) :].strip()"),
        ),
        "not_stripped": _wrong(
            "blanks and line breaks stand around name and arguments.",
            (_NAME, _NAME.removesuffix(".strip()")),
            (_GIVEN, _GIVEN.removesuffix(".strip()")),
        ),
        "blanks_only": _wrong(
            'strip(" ") takes blanks away and leaves line breaks; strip() takes both.',
            (_GIVEN, _GIVEN.replace("strip()", 'strip(" ")')),
        ),
        "one_line": _wrong(
            "only the first line of the arguments is kept; they may take several.",
            (_GIVEN, _GIVEN.replace("strip()", 'split("\\n")[0].strip()')),
        ),
        "label_kept": _wrong("the label Action: is part of the name.", (_NAME, "text[action:given].strip()")),
        "any_order": _wrong("Action Input: before Action: passes for a call.", (_ORDER, "if min(action, given) < 0:")),
        "always_a_call": _wrong("a reply without a call gives one; return two empty texts.", (_ORDER, "if False:")),
        "inside_everywhere": _wrong(
            "labels inside a line are taken for labels; the line break before them is part of them.",
            (_PLACES, "(text.rfind(label[1:]) for label in (ACTION, INPUT, OBSERVATION))"),
        ),
        "first_line": _wrong(
            "a label in the very first line is taken for one; no line break stands before it.",
            ("text.rfind(ACTION)", '("\\n" + text).rfind(ACTION) - 1'),
            ("if not 0 <=", "if not -1 <="),
        ),
    },
)

"""Exercise 15.2, a tool result inside the loss. Qwen report (arXiv:2309.16609), section 3.4; the released `finetune.py`
of https://github.com/QwenLM/Qwen learns whole traces."""

from functools import partial

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Cause, Test

IGNORED = -100


def broken(pieces: list[tuple[str, list[int]]]) -> list[int]:
    """The labels of a trace: its ids where they are learned, −100 elsewhere."""
    labels = []
    for speaker, ids in pieces:
        learned = speaker != "user"
        labels += ids if learned else [-100] * len(ids)
    return labels


def _one_by_one(pieces: list[tuple[str, list[int]]]) -> list[int]:
    flat = [(speaker, token) for speaker, ids in pieces for token in ids]
    return [token if speaker == "assistant" else IGNORED for speaker, token in flat]


def _case(rng: torch.Generator, speakers: str, note: str) -> Case:
    """A piece for each letter of `speakers`, of one to three ids."""
    names = {"u": "user", "a": "assistant", "t": "tool"}
    sizes = torch.randint(1, 4, (len(speakers),), generator=rng).tolist()
    pieces = [(names[s], torch.randint(0, 90, (n,), generator=rng).tolist()) for s, n in zip(speakers, sizes)]
    return Case({"pieces": pieces}, _one_by_one(pieces), note)


def _plain(rng: torch.Generator) -> list[Case]:
    return [_case(rng, "ua", "no tool was called")]


def _tool(rng: torch.Generator) -> list[Case]:
    return [_case(rng, "uata", "one call")]


def _tools(rng: torch.Generator) -> list[Case]:
    return [_case(rng, "uatata", "two calls"), _case(rng, "uatauata", "two questions with a call each")]


_CAUSES = {
    "a": Cause(
        "The result of the tool is part of the assistant's turn, so it is learned like the assistant's own words."
    ),
    "b": Cause(
        "The call itself is learned, and should not be.",
        "to call the tool is just what the model is to learn.",
    ),
    "c": Cause(
        "The labels are one place off from the ids.",
        "each label stands at the place of its id; the loss makes the shift.",
    ),
}

_wrong = partial(parts.mistake, broken)
_LEARNED = 'learned = speaker != "user"'
_RIGHT = 'learned = speaker == "assistant"'
_ADDED = "labels += ids if learned else [-100] * len(ids)"

EXERCISE = exercise.Bug(
    name="15_result_learned",
    lesson="15_tools",
    number="15.2",
    title="A model that answers for its tools",
    broken=broken,
    also_closed=(_one_by_one,),
    mend=((_LEARNED, _RIGHT),),
    symptom="""\
trace = [("user", [1, 2]), ("assistant", [3, 4]), ("tool", [85]), ("assistant", [5])]
print("the tool says 85, and nobody can know that before; label -100 expected, but:", broken(trace)[4])""",
    statement=f"""\
A model was fine-tuned on traces of tools. Where it may go on after `Observation:`, it writes results of its own
invention, fluent and wrong. `broken` makes the labels.

- `pieces` is a list of `(speaker, ids)`, in order. A speaker is `"user"`, `"assistant"` or `"tool"`; a tool speaks
  inside the assistant's turn, between two of its pieces.
- The result should be a list of labels, one for each id: the id where it is to be learned, −100 elsewhere. Learned is
  what the **assistant** says, in every one of its pieces.

Write `fixed(pieces)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="The released fine-tuning code learns whole traces, as others do: nothing fails, and the loss looks fine.",
    points=2,
    minutes=6,
    difficulty=1,
    hints=(
        "Which of the ids could the model have known before it read them?",
        "As many labels as ids, in the same order.",
        "for each piece ask who speaks; one of the three is learned.",
        "Naming the one speaker who is learned is safer than naming one who is not.",
    ),
    causes=_CAUSES,
    cause="a",
    tests=(
        Test("a trace without a tool is learned as before", _plain),
        Test("the result of a tool is not learned", _tool),
        Test("nor are several, and what stands between them is", _tools),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "user_learned": _wrong(
            "what the user says is learned now; only the assistant's pieces are.",
            (_LEARNED, 'learned = speaker != "tool"'),
        ),
        "left_out": _wrong(
            "the ids of the tool have no labels at all, so labels and ids no longer stand side by side.",
            (_LEARNED, _RIGHT),
            (_ADDED, "labels += ids if learned else [-100] * len(ids) * (speaker == 'user')"),
        ),
        "only_the_end": _wrong(
            "only the last piece is learned; the calls before it are the point.",
            (_LEARNED, "learned = ids is pieces[-1][1]"),
        ),
        "zeros": _wrong(
            "what is not learned has label 0, which is an id like others; the loss leaves out -100 only.",
            (_LEARNED, _RIGHT),
            ("[-100] * len(ids)", "[0] * len(ids)"),
        ),
        "one_label": _wrong(
            "a piece that is not learned has one label only; each of its ids needs one.",
            (_LEARNED, _RIGHT),
            ("[-100] * len(ids)", "[-100]"),
        ),
        "shifted": _wrong(
            "each label stands one place before its id; the loss makes the shift.",
            (_LEARNED, _RIGHT),
            ("return labels", "return [*labels[1:], -100]"),
        ),
        "tool_only": _wrong(
            "now only the tool's pieces are learned; the assistant's are.", (_LEARNED, 'learned = speaker == "tool"')
        ),
        "everything": _wrong(
            "everything is learned: whoever speaks is not one of the two.",
            (_LEARNED, 'learned = speaker != "user" or speaker != "tool"'),
        ),
        "until_the_tool": _wrong(
            "after the first tool nothing is learned any more, not even the answer.",
            (_LEARNED, 'learned = speaker == "assistant" and len(labels) <= sum(len(i) for _, i in pieces[:1])'),
        ),
    },
)

"""Three metrics of tool use: is the right tool asked, with the right arguments, and none where none is needed?

Qwen Technical Report (arXiv:2309.16609), Table 6, as eval/evaluate_plugin.py of https://github.com/QwenLM/Qwen counts
them. ROUGE-L is Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries", section 3.
"""

import json
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from minqwen.prompt import react

ACTION = "\nAction: "


def calls_a_tool(written: str) -> bool:
    """Whether a reply asks for any tool; where none is needed, this is a false positive."""
    return ACTION in written


def selects(written: str, name: str) -> bool:
    """Whether a reply calls this tool; upper and lower case are one."""
    asked, _ = react.parse_react(written)
    return calls_a_tool(written) and asked.lower() == name.lower()


def canonical(arguments: str) -> str:
    """JSON with its keys in order, so that their order is no difference; "" if it is none."""
    try:
        return json.dumps(json.loads(arguments), sort_keys=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""


def rouge_l(written: Sequence[Hashable], right: Sequence[Hashable]) -> float:
    """2PR / (P + R), where P and R are the longest common subsequence's share of the written and of the right one."""
    longest = [[0] * (len(right) + 1) for _ in range(len(written) + 1)]  # of the first i and the first j pieces
    for i, a in enumerate(written):
        for j, b in enumerate(right):
            longest[i + 1][j + 1] = longest[i][j] + 1 if a == b else max(longest[i][j + 1], longest[i + 1][j])
    shared = longest[-1][-1]
    return 2 * shared / (len(written) + len(right)) if shared else 0.0


def argument_match(written: str, arguments: str, pieces: Callable[[str], Sequence[Hashable]]) -> float:
    """ROUGE-L of the arguments in a reply, both sides canonical and cut by `pieces`, such as a tokenizer's encode."""
    _, given = react.parse_react(written)
    return rouge_l(pieces(canonical(given)), pieces(canonical(arguments)))


def scores(
    tasks: Sequence[Any], written: Sequence[str], pieces: Callable[[str], Sequence[Hashable]]
) -> dict[str, float]:
    """Means over the tasks, `prompt.practice.Task`, whose replies these are: of those with a tool, and those without.

    "selection", "arguments" and "exact" (arguments equal as JSON) count questions with a tool, "false positives" those
    without; a metric of no question is left out.
    """
    if len(tasks) != len(written):
        raise ValueError(f"{len(tasks)} tasks have {len(written)} replies; give one for each")
    pairs = list(zip(tasks, written))
    needed = [(task, text) for task, text in pairs if task.name is not None]
    found = {
        "selection": [selects(text, task.name) for task, text in needed],
        "arguments": [argument_match(text, task.arguments, pieces) for task, text in needed],
        "exact": [canonical(react.parse_react(text)[1]) == canonical(task.arguments) for task, text in needed],
        "false positives": [calls_a_tool(text) for task, text in pairs if task.name is None],
    }
    return {name: sum(values) / len(values) for name, values in found.items() if values}

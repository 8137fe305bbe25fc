"""Self-instruct: a model grows its own training set from a few tasks, and rules keep the bad ones out.

Wang et al. 2023, "Self-Instruct: Aligning Language Models with Self-Generated Instructions" (arXiv:2212.10560), section
2.2; the Qwen report (arXiv:2309.16609), section 3.4, makes its tool data so, with rules and people as filters. What
writes (`generate`) and what compares (`is_duplicate`) are passed in: any model, and the functions of lesson 07.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

SHOWN = 4  # examples in a prompt
UNSEEN = ("image", "picture", "graph", "file", "video", "draw", "图片", "画图", "文件", "视频")
NUMBERED = re.compile(r"\A\s*\d+[.)、．](?!\d)\s*")  # 3. but not 3.5


class Task(NamedTuple):
    """An instruction and its answer."""

    instruction: str
    answer: str


class Judged(NamedTuple):
    """A task that was written in some round, and why it was rejected; None if it was taken."""

    round: int
    task: Task
    reason: str | None


def few_shot_prompt(examples: Sequence[Task]) -> str:
    """Numbered examples, and the beginning of one more for the model to write."""
    if not examples:
        raise ValueError("there is no example to imitate; give at least one task")
    shown = "\n\n".join(f"{at}. {task.instruction}\n{task.answer}" for at, task in enumerate(examples, start=1))
    return f"{shown}\n\n{len(examples) + 1}."


def parse_tasks(written: str) -> list[Task]:
    """Blocks between blank lines: the first line, without its number, is an instruction, the rest its answer."""
    found = []
    for block in re.split(r"\n\s*\n", written.strip()):
        instruction, _, answer = NUMBERED.sub("", block).partition("\n")
        if instruction.strip():
            found.append(Task(instruction.strip(), answer.strip()))
    return found


def rejection(task: Task, shortest: int = 3, longest: int = 150) -> str | None:
    """Why a task is bad by itself, or None: each rule looks at words, and at Chinese characters as words.

    An instruction has `shortest` to `longest` words, asks for nothing that text cannot give, and is no echo of its
    answer; there is an answer.
    """
    words = re.findall(r"[\u4e00-\u9fff]|[^\s\u4e00-\u9fff]+", task.instruction)
    if not task.answer:
        return "no answer"
    if task.answer.strip().lower() == task.instruction.strip().lower():
        return "echo"
    if len(words) < shortest:
        return "too short"
    if len(words) > longest:
        return "too long"
    asked = task.instruction.lower()
    return "unseen" if any(re.search(rf"(?<![a-z]){word}s?(?![a-z])", asked) for word in UNSEEN) else None


def self_instruct(
    seeds: Sequence[Task],
    generate: Callable[[str], str],
    is_duplicate: Callable[[str, Sequence[str]], bool],
    rounds: int = 10,
    seed: int = 0,
) -> Iterator[Judged]:
    """Each round: some tasks as examples, what the model writes after them, judged, and the good ones added.

    In a prompt at most a quarter of the examples were written by the model, so that it does not drift away from people.
    The pool is the seeds and all that was yielded without a reason. `is_duplicate(text, texts)` says whether the text
    is a near copy of one of the texts.
    """
    if not seeds:
        raise ValueError("there is no seed to grow from; give at least one task")
    rng, pool, grown = random.Random(seed), list(seeds), []
    for at in range(rounds):
        own = rng.sample(grown, min(len(grown), SHOWN // 4))
        shown = rng.sample(list(seeds), min(len(seeds), SHOWN - len(own))) + own
        rng.shuffle(shown)
        for task in parse_tasks(generate(few_shot_prompt(shown))):
            reason = rejection(task)
            if reason is None and is_duplicate(task.instruction, [known.instruction for known in pool]):
                reason = "near copy"
            if reason is None:
                pool.append(task)
                grown.append(task)
            yield Judged(at, task, reason)

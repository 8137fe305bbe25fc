"""Measures an iteration of RLHF beside `trl`'s PPOTrainer, into benchmarks/RESULTS_PPO.md.

    python benchmarks/reinforcing.py   about two minutes

trl brings packages that the course does not need, so this runs in an environment of its own: the course's run-time
packages (`pip install .`), then `pip install trl==1.12.0 transformers accelerate`. OMP_NUM_THREADS says how many
threads both sides get; without it, one.
"""

import copy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch

import run
from harness import Goal, Report, Row, Table, clock, in_fresh_process
from minqwen import assets
from minqwen.align import answers, chatml, reward, rlhf, rollout, tasks, update
from minqwen.model import Qwen
from minqwen.tokenizer import Tokenizer

RESULTS = Path(__file__).with_name("RESULTS_PPO.md")
TITLES = {"ppo": "Rollout and update of PPO"}
INTRODUCTION = """\
# RLHF beside `trl`

Written by `python benchmarks/reinforcing.py`, in an environment of its own, on {date}. Both sides have the same shape,
weights, prompts, settings and threads, and run by turns in the same minutes; a cell holds the median of the rounds
(least to most), the ratio is the median of ours / theirs within a round. With one thread, seconds are those that the
processor spent on the process.

{machine}
"""
SETTINGS = rlhf.Settings(value_only=0, policy_rate=6e-4)
SAMPLING = rollout.Sampling(answers=1, max_new_tokens=32, temperature=1.0, top_p=1.0)


class Turn(NamedTuple):
    """Seconds of an iteration and of two of its parts, the tokens of its answers, and the share that ended."""

    write: float
    update: float
    whole: float
    tokens: int
    ended: float


@contextmanager
def timed(module: ModuleType, name: str, note: Callable[[float, Any], None]) -> Iterator[None]:
    """Inside, each call of module.name is followed by note(seconds, result)."""
    original = getattr(module, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        started = clock()
        result = original(*args, **kwargs)
        note(clock() - started, result)
        return result

    setattr(module, name, call)
    try:
        yield
    finally:
        setattr(module, name, original)


def ours(policy: Qwen, judge: reward.RewardModel, prompts: answers.Prompts, ends: tuple[int, int]) -> Iterator[Turn]:
    """Iterations of the course's RLHF, one a turn."""
    generator = torch.Generator().manual_seed(0)
    value = copy.deepcopy(judge)
    loop = rlhf.RLHF(policy, value, judge, *ends, SETTINGS, SAMPLING, generator).steps(
        iter(lambda: prompts, None), 1000
    )
    seconds: dict[str, float] = {}
    while True:
        with (
            timed(rollout, "roll_out", lambda s, _: seconds.update(write=s)),
            timed(update, "learn", lambda s, _: seconds.update(update=s)),
        ):
            started = clock()
            iteration = next(loop)
            whole = clock() - started
        mask = iteration.rollout.is_answer
        yield Turn(**seconds, whole=whole, tokens=int(mask.sum()), ended=iteration.gauges.ended)


def prompts(number: int, tokenizer: Tokenizer) -> answers.Prompts:
    """Titles of poems, as questions."""
    return answers.prompts([each.question for each in tasks.examples("train", number, only=["quatrain"])], tokenizer)


def ppo(number: int = 64, rounds: int = 9) -> Table:
    """Tokens of answers a second: while they are written, in the update, and in whole iterations."""
    import reinforcing_peer

    tokenizer = Tokenizer.from_pretrained(assets.TINY_QWEN_SFT)
    policy, judge = (
        Qwen.from_pretrained(assets.TINY_QWEN_SFT),
        reward.RewardModel.from_pretrained(assets.TINY_QWEN_REWARD),
    )
    asked, ends = prompts(number, tokenizer), tuple(tokenizer.control_ids[each] for each in (chatml.END, chatml.PAD))
    peer = reinforcing_peer.ppo(asked, ends, SETTINGS, SAMPLING, rounds + 1, ours(policy, judge, asked, ends))
    return table(*peer, f"{sum(p.numel() for p in policy.parameters()) / 1e6:.1f} M parameters; {number} prompts")


def table(mine: list[Turn], theirs: list[Turn], told: str) -> Table:
    """Rows of all rounds but the first, which warms up."""
    sides = [side[1:] for side in (mine, theirs)]

    def row(what: str, part: str, goal: Goal | None = None) -> Row:
        return Row(what, "tokens/s", *([each.tokens / getattr(each, part) for each in side] for side in sides), goal)

    rows = [
        row("answers written", "write"),
        row("policy and value updated", "update"),
        row("whole iterations", "whole", Goal("ratio", "≥", 2.0)),
        Row("tokens of an iteration", "", *([float(each.tokens) for each in side] for side in sides)),
        Row("share of answers with an end", "%", *([each.ended for each in side] for side in sides)),
    ]
    settings = [
        f"{told}, one answer each, at most {SAMPLING.max_new_tokens} tokens, temperature {SAMPLING.temperature:g}, "
        "top-p 1 (trl has no other); four models of the tiny Qwen's shape, float32.",
        f"KL {SETTINGS.beta}, clip {SETTINGS.clip}, value clip {SETTINGS.value_clip}, gamma 1, lambda {SETTINGS.lam}, "
        f"{SETTINGS.epochs} epoch of {SETTINGS.minibatches} minibatches, Adam at {SETTINGS.policy_rate:g}.",
        "Counted are the tokens of answers up to their end. Writing: until the answers are there. Update: forward and "
        "backward passes and steps of policy and value. The rest of an iteration is reward, reference, values, old "
        "log-probabilities (trl keeps those of writing) and advantages.",
        "`trl`: PPOTrainer of trl.experimental, sdpa attention, no gradient checkpointing, no logging, no samples, no "
        "saving; one loss for both models, and no clipping of gradients, which ours clips.",
        f"{len(sides[0])} rounds after a warm-up of one, an iteration of each side by turns.",
    ]
    return Table(rows, settings, "trl")


def main(names: list[str]) -> None:
    """The table, into RESULTS_PPO.md if no name is given."""
    packages = ("torch", "transformers", "trl", "accelerate")
    measure = lambda name: in_fresh_process("reinforcing", name)  # noqa: E731
    Report("reinforcing.py", RESULTS, INTRODUCTION, TITLES, measure, packages).write(names, run.prepare)


if __name__ == "__main__":
    main(sys.argv[1:])

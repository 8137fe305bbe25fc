"""The benchmark of RLHF: our side at a toy size, and its table. Its peer runs in an environment of its own."""

import re
from types import SimpleNamespace

import pytest
import torch

import reinforcing
from minqwen.align import answers, reward, rollout
from minqwen.model import Qwen, QwenConfig
from reinforcing import Turn


def test_a_turn_of_ours_takes_longer_than_its_parts_and_counts_up_to_the_end():
    generator = torch.Generator().manual_seed(0)
    config = QwenConfig(vocab_size=13, d_model=12, n_layers=1, n_heads=2, n_kv_heads=2, d_ff=14, max_length=64)
    policy, ids = Qwen(config), torch.randint(13, (8, 5), generator=generator)
    prompts = answers.Prompts(ids, torch.ones_like(ids, dtype=torch.bool))
    judge = reward.RewardModel(policy)
    before = rollout.roll_out
    first, second = (each for each, _ in zip(reinforcing.ours(policy, judge, prompts, (3, 4)), range(2)))
    for turn in (first, second):
        assert 0 < turn.write + turn.update < turn.whole
        assert 8 <= turn.tokens < 8 * reinforcing.SAMPLING.max_new_tokens and 0 < turn.ended <= 1
    assert rollout.roll_out is before, "nothing stays replaced"


def test_a_call_is_noted_with_its_result_and_an_error_leaves_nothing_behind():
    module, seen = SimpleNamespace(double=lambda x: 2 * x), []
    original = module.double
    with reinforcing.timed(module, "double", lambda seconds, result: seen.append((seconds, result))):
        assert module.double(3) == 6
    with pytest.raises(TypeError), reinforcing.timed(module, "double", seen.append):
        module.double("a" / 2)
    assert seen[0][0] >= 0 and seen[0][1] == 6 and len(seen) == 1 and module.double is original


def test_speeds_are_tokens_by_seconds_and_the_first_round_is_left_out():
    mine, theirs = [Turn(9, 9, 9, 9, 0.0), Turn(2, 4, 8, 16, 1.0)], [Turn(9, 9, 9, 9, 0.0), Turn(4, 8, 32, 32, 0.5)]
    rows = reinforcing.table(mine, theirs, "toy").rows
    assert [(row.ours, row.peer) for row in rows[:3]] == [([8], [8]), ([4], [4]), ([2], [1])]
    assert rows[2].reached and rows[4].ours == [1.0]


def test_the_results_have_the_table_and_say_where_it_was_measured():
    head, section = reinforcing.RESULTS.read_text(encoding="utf-8").split("\n## ")
    assert re.search(
        r"\w+ on \S+( with [\w, -]+)?, \d+ cores; OMP_NUM_THREADS=1; Python \S+, torch \S+.*trl 1\.12", head
    )
    assert section.startswith("1. Rollout and update of PPO\n\n`python benchmarks/reinforcing.py ppo`\n")
    assert "| whole iterations |" in section

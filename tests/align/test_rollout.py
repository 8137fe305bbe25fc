"""Rollouts: what is drawn, where answers end, and of what the log-probabilities are. Oracles: one token at a time,
without a cache and without padding; PPO's details after Huang et al. 2024, arXiv:2403.17031."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from minqwen.align import answers, rollout
from minqwen.align.rollout import Sampling
from minqwen.model import Qwen, QwenConfig

PAD, END, V = 0, 1, 13
SIZE = QwenConfig(
    vocab_size=V, d_model=28, n_layers=2, n_heads=2, n_kv_heads=2, d_ff=37, max_length=64, rope_base=100.0
)


def model(seed=0):
    made = Qwen(SIZE, torch.Generator().manual_seed(seed)).double()
    made.lm_head.weight.data.mul_(15)  # so that some tokens are likely and others are not
    return made


def prompts(*lengths):
    rng = torch.Generator().manual_seed(1)
    rows = [torch.randint(2, V, (length,), generator=rng).tolist() for length in lengths]
    longest = max(lengths)
    return answers.Prompts(
        torch.tensor([[PAD] * (longest - len(row)) + row for row in rows]),
        torch.tensor([[False] * (longest - len(row)) + [True] * len(row) for row in rows]),
    )


def rolled(policy, sampling, *lengths, seed=0):
    return rollout.roll_out(policy, prompts(*lengths), sampling, END, PAD, torch.Generator().manual_seed(seed))


@given(st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=1, max_size=3))
@settings(deadline=None)
def test_an_answer_reaches_to_its_first_end_by_loops(rows):
    expected = [[END not in row[:t] for t in range(5)] for row in rows]
    assert rollout.until_end(torch.tensor(rows), END).tolist() == expected


def test_what_follows_an_end_is_padding_and_no_token():
    ids = torch.tensor([[5, 6, 7, END, 8, END], [5, 6, 7, 8, 9, 10], [5, 6, END, 7, 7, 7]])
    done = rollout.finish(ids, torch.ones(3, 2, dtype=torch.bool), END, PAD)
    assert done.ids.tolist() == [[5, 6, 7, END, PAD, PAD], [5, 6, 7, 8, 9, 10], [5, 6, END, PAD, PAD, PAD]]
    assert done.ended.tolist() == [True, False, True] and done.is_answer.sum(-1).tolist() == [2, 4, 1]
    assert done.is_token[:, 2:].equal(done.is_answer) and done.written.equal(done.ids[:, 2:])


def test_an_end_token_in_the_prompt_ends_no_answer():
    done = rollout.finish(torch.tensor([[END, 5, 7, 8]]), torch.ones(1, 2, dtype=torch.bool), END, PAD)
    assert not done.ended.any() and done.is_token.all()


def test_every_prompt_is_answered_twice_side_by_side():
    asked = prompts(5, 3, 2)
    done = rollout.roll_out(model(), asked, Sampling(max_new_tokens=7), END, PAD, torch.Generator().manual_seed(0))
    assert len(done.ids) == 6
    assert done.ids[0::2, :5].equal(asked.ids) and done.ids[1::2, :5].equal(asked.ids)
    assert not done.ids[0::2].equal(done.ids[1::2])


def by_steps(policy, done, temperature):
    """log softmax of each token by a pass over what stands before it, padding left out."""
    N = done.is_answer.shape[-1]
    found = torch.zeros(len(done.ids), N, dtype=torch.float64)
    for b, (ids, real) in enumerate(zip(done.ids, done.is_token)):
        P = len(ids) - N
        for t in range(int(done.is_answer[b].sum())):
            before = ids[: P + t][real[: P + t]]
            found[b, t] = (policy(before[None])[0, -1] / temperature).log_softmax(-1)[ids[P + t]]
    return found


@pytest.mark.parametrize("temperature", [1.0, 0.7, 1.3])
def test_log_probabilities_are_those_of_the_softmax_at_the_temperature_of_drawing(temperature):
    policy = model()
    done = rolled(policy, Sampling(3, 7, temperature), 5, 3, 2)
    with torch.no_grad():
        ours = rollout.answer_logp(policy, done, temperature)
        assert_close(ours.where(done.is_answer, 0.0), by_steps(policy, done, temperature))
        other = rollout.answer_logp(policy, done, temperature + 0.1)
    assert (ours - other).abs()[done.is_answer].max() > 0.01


def test_top_p_narrows_what_is_drawn_and_not_what_log_probabilities_are_of():
    policy, asked = model(), prompts(3)
    draw = Sampling(answers=997, max_new_tokens=1, top_p=0.6)
    done = rollout.roll_out(policy, asked, draw, END, PAD, torch.Generator().manual_seed(0))
    with torch.no_grad():
        probs = policy(asked.ids)[0, -1].softmax(-1)
        logp = rollout.answer_logp(policy, done)
    order = probs.argsort(descending=True)
    kept = set(order[: int((probs[order].cumsum(0) < 0.6).sum()) + 1].tolist())
    assert set(done.written.flatten().tolist()) <= kept < set(range(V))
    assert_close(logp[:, 0].exp(), probs[done.written[:, 0]])
    share = (done.written == order[0]).double().mean()
    inside = probs[order[0]] / probs[list(kept)].sum()
    assert abs(share - inside) < 4 * (inside * (1 - inside) / 997) ** 0.5 and inside - probs[order[0]] > 0.05


def test_a_cold_policy_writes_what_is_likeliest_after_each_prompt_alone():
    policy, asked = model(), prompts(5, 3, 2)
    done = rollout.roll_out(policy, asked, Sampling(2, 7, temperature=1e-4, top_p=1.0), END, PAD)
    for b, (ids, real) in enumerate(zip(done.ids, done.is_token)):
        for t in range(int(done.is_answer[b].sum())):
            with torch.no_grad():
                logits = policy(ids[: 5 + t][real[: 5 + t]][None])[0, -1]
            assert ids[5 + t] == logits.argmax(), (b, t)


def test_padding_on_the_left_changes_no_log_probability():
    policy = model()
    done = rolled(policy, Sampling(1, 7), 5, 3, 2)
    gap = torch.zeros(3, 4, dtype=torch.bool)
    wider = done._replace(ids=torch.cat([gap * PAD, done.ids], -1), is_token=torch.cat([gap, done.is_token], -1))
    with torch.no_grad():
        ours, padded = (rollout.answer_logp(policy, each)[done.is_answer] for each in (done, wider))
    assert_close(ours, padded)


def test_values_stand_before_their_tokens():
    done = rolled(model(), Sampling(1, 7), 5, 3)
    counted = rollout.answer_values(lambda ids, is_token: is_token.cumsum(-1).double(), done)
    expected = [[before + t for t in range(7)] for before in (5, 3)]
    assert counted[done.is_answer].tolist() == torch.tensor(expected)[:, : counted.shape[-1]][done.is_answer].tolist()


def test_rows_are_rows_of_every_part():
    done = rolled(model(), Sampling(2, 7), 5, 3)
    some = done.rows(torch.tensor([3, 1]))
    assert all(part.equal(whole[[3, 1]]) for part, whole in zip(some, done))


@pytest.mark.parametrize("wrong", [{"answers": 0}, {"max_new_tokens": 0}])
def test_no_answers_are_refused(wrong):
    with pytest.raises(ValueError, match="ask for 1 or more"):
        Sampling(**wrong)


def test_a_temperature_of_0_is_refused():
    with pytest.raises(ValueError, match="from which nothing is learned"):
        Sampling(temperature=0.0)

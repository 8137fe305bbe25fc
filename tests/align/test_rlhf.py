"""RLHF, detail by detail (after Huang et al. 2024, arXiv:2403.17031). Oracles: the parts by hand, tiny models."""

import copy
import dataclasses
import math

import pytest
import torch
from torch.testing import assert_close

from minqwen.align import answers, gae, ppo, rlhf, rollout, update
from minqwen.align.recipe import Settings
from minqwen.align.reward import RewardModel
from minqwen.align.rlhf import RLHF
from minqwen.align.rollout import Sampling
from minqwen.model import Qwen, QwenConfig, training

PAD, END, V, N = 0, 1, 13, 7
SIZE = QwenConfig(
    vocab_size=V, d_model=28, n_layers=2, n_heads=2, n_kv_heads=2, d_ff=37, max_length=64, rope_base=100.0
)
FAST = Settings(policy_rate=3e-3, value_rate=3e-3, value_only=0, minibatches=3)


def likes_sevens(ids, is_token):
    """A reward that a policy can learn: how many 7 there are."""
    return (ids == 7).where(is_token, False).sum(-1).float()


def models(seed=0):
    policy = Qwen(SIZE, torch.Generator().manual_seed(seed))
    policy.lm_head.weight.data.mul_(20)
    return policy, RewardModel(policy, torch.Generator().manual_seed(seed + 1))


def trainer(settings=FAST, score=likes_sevens, sampling=None, seed=0):
    policy, value = models(seed)
    sampling = sampling or Sampling(max_new_tokens=N)
    return RLHF(policy, value, score, END, PAD, settings, sampling, torch.Generator().manual_seed(seed))


def batches(count, size=11, width=3):
    rng = torch.Generator().manual_seed(5)
    for _ in range(count):
        ids = torch.randint(2, V, (size, width), generator=rng)
        yield answers.Prompts(ids, torch.ones_like(ids, dtype=torch.bool))


def run(made, count=3, **options):
    return list(made.steps(batches(count), count, **options))


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(model, before):
    return all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_first_minibatch_meets_the_policy_that_wrote_it(temperature):
    for each in run(trainer(sampling=Sampling(max_new_tokens=N, temperature=temperature))):
        assert each.gauges.ratio < 1e-6


def test_at_the_start_the_kl_is_exactly_0_and_then_it_grows():
    done = run(trainer(), 4)
    assert done[0].gauges.kl == 0 and done[-1].gauges.kl > 0.01


def test_the_reward_rises():
    made = trainer()
    done = run(made, 12)
    assert done[-1].gauges.reward > done[0].gauges.reward + 1


def test_reference_and_reward_are_as_they_were_and_the_others_are_not():
    policy, value = models()
    score = copy.deepcopy(value)
    made = RLHF(policy, value, score, END, PAD, FAST, Sampling(max_new_tokens=N), torch.Generator().manual_seed(0))
    before = {name: weights(m) for name, m in vars(made).items() if isinstance(m, torch.nn.Module)}
    assert before.keys() == {"policy", "value", "score", "reference"}
    run(made, 3)
    assert {name: same(vars(made)[name], before[name]) for name in before} == {
        "policy": False,
        "value": False,
        "score": True,
        "reference": True,
    }
    assert not any(p.requires_grad for p in made.reference.parameters())
    assert all(p.grad is None for m in (made.reference, score) for p in m.parameters())


def test_the_value_model_learns_alone_first():
    made = trainer(dataclasses.replace(FAST, value_only=2))
    before, learned = weights(made.policy), weights(made.value)
    steps = made.steps(batches(3), 3)
    for _ in range(2):
        next(steps)
        assert same(made.policy, before) and not same(made.value, learned)
    next(steps)
    assert not same(made.policy, before)


def test_the_same_seed_gives_the_same_run():
    first, second, other = trainer(), trainer(), trainer(seed=1)
    for each in (first, second, other):
        run(each)
    assert same(first.policy, weights(second.policy)) and not same(first.policy, weights(other.policy))


def test_no_model_drops_anything_at_random():
    policy, value = models()
    policy.train(), value.train()
    made = RLHF(policy, value, likes_sevens, END, PAD)
    assert not any(m.training for m in (made.policy, made.value, made.reference))
    assert not any(isinstance(m, torch.nn.Dropout) for m in made.policy.modules())


def test_an_answer_without_an_end_has_the_penalty_in_place_of_its_score():
    made = trainer(score=lambda ids, is_token: torch.full((len(ids),), 5.0))
    [done] = run(made, 1)
    ended = done.rollout.ended
    assert 0 < ended.sum() < len(ended)
    assert set(done.scores[ended].tolist()) == {5.0} and set(done.scores[~ended].tolist()) == {-2.0}


def test_scores_are_told_relative_to_their_running_mean(monkeypatch):
    told, real = [], gae.gae
    monkeypatch.setattr(gae, "gae", lambda rewards, *rest: (told.append(rewards), real(rewards, *rest))[1])
    done = run(trainer(dataclasses.replace(FAST, beta=0.0)), 3)
    seen = []
    for rewards, each in zip(told, done):
        seen += each.scores.tolist()
        assert_close(rewards.sum(-1), each.scores - sum(seen) / len(seen), atol=1e-5, rtol=1e-5)
        assert rewards.ne(0).sum(-1).le(1).all(), "without a penalty only the end token is paid"


def test_the_penalty_in_the_reward_is_beta_times_k1(monkeypatch):
    told, real = [], gae.gae
    monkeypatch.setattr(gae, "gae", lambda rewards, *rest: (told.append(rewards), real(rewards, *rest))[1])
    made = trainer(dataclasses.replace(FAST, beta=0.3))
    *_, last = run(made, 3)
    mean = made.mean.total / made.mean.count
    paid = told[-1].sum(-1).mean().item()
    assert paid == pytest.approx(last.scores.mean().item() - mean - 0.3 * last.gauges.kl, abs=1e-4)


def experience(made):
    [prompts] = batches(1)
    return made._experience(prompts)[0]


def test_advantages_are_whitened_and_returns_are_not():
    made = trainer()
    batch = experience(made)
    mask = batch.rollout.is_answer
    assert_close(batch.advantages[mask].mean().item(), 0.0, atol=1e-5, rtol=0)
    assert_close(batch.advantages[mask].std(correction=0).item(), 1.0, atol=1e-4, rtol=0)
    raw = (batch.returns - batch.values)[mask]
    assert_close(batch.advantages[mask], (raw - raw.mean()) / raw.std(correction=0), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("lam", [0.95, 0.3])
def test_nothing_is_discounted_and_lambda_is_the_setting(monkeypatch, lam):
    told, real = [], gae.gae
    monkeypatch.setattr(gae, "gae", lambda *given: (told.append(given), real(*given))[1])
    batch, _, gauges = (made := trainer(dataclasses.replace(FAST, lam=lam)))._experience(next(batches(1)))
    [(_, values, gamma, used, mask)] = told
    assert (gamma, used) == (1.0, lam) and mask.equal(batch.rollout.is_answer)
    with torch.no_grad():
        assert_close(values, rollout.answer_values(made.value.values, batch.rollout))
    assert gauges["explained"] == pytest.approx(gae.explained_variance(batch.returns, batch.values, mask)) != 0


def test_the_reference_is_read_at_the_temperature_of_drawing():
    [done] = run(trainer(sampling=Sampling(max_new_tokens=N, temperature=0.7)), 1)
    assert done.gauges.kl == 0


def test_what_follows_the_end_changes_neither_loss_nor_gradient():
    made = trainer()
    batch = experience(made)
    assert not batch.rollout.is_token.all()
    other = batch.rollout.ids.where(batch.rollout.is_token, 9)
    found = []
    for rolled in (batch.rollout, batch.rollout._replace(ids=other)):
        made.policy.zero_grad()
        result, _ = update.policy_loss(made.policy, batch._replace(rollout=rolled), 0.2, 1.0)
        result.loss.backward()
        found.append([result.loss.detach(), *(p.grad for p in made.policy.parameters())])
    assert_close(found[0], found[1])


def test_the_losses_are_the_clipped_ones_over_the_answers_tokens():
    made = trainer()
    batch = experience(made)
    mask = batch.rollout.is_answer
    with torch.no_grad():
        made.policy.lm_head.weight.mul_(1.5)
        ours, ratio = update.policy_loss(made.policy, batch, 0.2, 1.0)
        logp = rollout.answer_logp(made.policy, batch.rollout)
    rho = (logp - batch.logp)[mask].exp()
    a = batch.advantages[mask]
    assert_close(ours.loss, -torch.minimum(rho * a, rho.clamp(0.8, 1.2) * a).mean())
    assert ratio == pytest.approx(rho.log().abs().max().item(), rel=1e-5) and ours.clip_share > 0


def test_the_gauges_leave_padding_out():
    made = trainer()
    [prompts] = batches(1)
    batch, scores, gauges = made._experience(prompts)
    lengths = batch.rollout.is_answer.sum(-1).tolist()
    kept = [row[:n] for row, n in zip(batch.logp.tolist(), lengths)]
    assert gauges["length"] == pytest.approx(sum(lengths) / len(lengths))
    assert gauges["surprise"] == pytest.approx(-sum(map(sum, kept)) / sum(lengths))
    assert gauges["reward"] == pytest.approx(sum(scores.tolist()) / len(scores))


def test_the_gradient_of_pre_training_is_added_with_its_weight(monkeypatch):
    made = trainer(dataclasses.replace(FAST, ptx=0.5, minibatches=1))
    batch, windows = experience(made), torch.randint(2, V, (5, 9), generator=torch.Generator().manual_seed(3))
    monkeypatch.setattr(update.nn.utils, "clip_grad_norm_", lambda parameters, norm: torch.zeros(()))
    grads, policy = [], made.policy
    monkeypatch.setattr(
        torch.optim.Adam, "step", lambda self: grads.append([p.grad.clone() for p in self.param_groups[0]["params"]])
    )
    update.learn(*made._learners, batch, made.settings, 1.0, iter([windows]))
    policy.zero_grad()
    surrogate, _ = update.policy_loss(policy, batch, 0.2, 1.0)
    (surrogate.loss + 0.5 * training.batch_loss(policy, windows)).backward()
    assert_close(grads[0], [p.grad for p in policy.parameters()])


def test_pre_training_text_keeps_what_was_known():
    text = torch.randint(2, V, (3, 31), generator=torch.Generator().manual_seed(3))
    found = {}
    for ptx in (0.0, 1.0):
        made = trainer(dataclasses.replace(FAST, ptx=ptx))
        run(made, 6, pretraining=iter([text] * 99))
        found[ptx] = training.nats(made.policy, text)
    assert found[1.0] < found[0.0]


def test_every_row_is_learned_from_once_an_epoch(monkeypatch):
    seen, real = [], update.Batch.rows
    monkeypatch.setattr(update.Batch, "rows", lambda self, which: (seen.append(which), real(self, which))[1])
    run(trainer(dataclasses.replace(FAST, epochs=2)), 1)
    assert sorted(torch.cat(seen).tolist()) == sorted([*range(22)] * 2) and len(seen) == 6
    assert not torch.cat(seen[:3]).equal(torch.cat(seen[3:])), "another order in each epoch"


def test_both_rates_fall_in_a_line():
    made, rates = trainer(), []
    for _ in made.steps(batches(4), 4):
        rates.append([learner.optimizer.param_groups[0]["lr"] / 3e-3 for learner in made._learners])
    assert_close(rates, [[1.0, 1.0], [0.75, 0.75], [0.5, 0.5], [0.25, 0.25]])
    assert all(learner.optimizer.defaults["eps"] == 1e-5 for learner in made._learners)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_reward_that_is_no_number_ends_the_run_with_the_last_sound_policy(bad):
    calls, sound = [], []

    def breaks(ids, is_token):
        calls.append(len(ids))
        return likes_sevens(ids, is_token).fill_(bad) if len(calls) == 3 else likes_sevens(ids, is_token)

    made = trainer(score=breaks)
    with pytest.raises(rlhf.RunawayError, match="the last one whose answers were sound"):
        for _ in made.steps(batches(5), 5):
            sound.append(weights(made.policy))
    assert len(sound) == 2 and same(made.policy, sound[0]) and not same(made.policy, sound[1])


def test_a_kl_that_runs_away_ends_the_run_with_the_last_sound_policy():
    made, kls, policies = trainer(dataclasses.replace(FAST, policy_rate=3e-2, beta=0.0, max_kl=2.0)), [], []
    policies.append(weights(made.policy))
    with pytest.raises(rlhf.RunawayError, match=r"max_kl=2\)"):
        for each in made.steps(batches(30), 30):
            kls.append(each.gauges.kl)
            policies.append(weights(made.policy))
    assert max(kls) <= 2.0 and same(made.policy, policies[-2])


def test_a_loss_that_is_no_number_ends_the_run_with_the_last_sound_policy(monkeypatch):
    made = trainer()
    steps = made.steps(batches(3), 3)
    next(steps)
    sound, real = weights(made.policy), ppo.ppo_clip_loss

    def breaks(*given):
        found = real(*given)
        return found._replace(loss=found.loss * math.nan)

    monkeypatch.setattr(ppo, "ppo_clip_loss", breaks)
    with pytest.raises(rlhf.RunawayError, match="are no numbers; the policy is again"):
        next(steps)
    assert same(made.policy, sound)


def test_a_run_that_is_stopped_leaves_a_policy_that_answers():
    made = trainer()
    for _ in made.steps(batches(9), 9):
        break
    done = rollout.roll_out(made.policy, next(batches(1)), made.sampling, END, PAD, torch.Generator().manual_seed(0))
    assert done.ids.shape[0] == 22


def test_a_padding_that_is_the_end_is_refused():
    policy, value = models()
    with pytest.raises(ValueError, match="give padding another id"):
        RLHF(policy, value, likes_sevens, end_id=1, pad_id=1)


def test_a_value_model_that_is_the_reward_is_refused():
    policy, value = models()
    with pytest.raises(ValueError, match="value_model"):
        RLHF(policy, value, value, END, PAD)


def test_a_pre_training_gradient_without_text_is_refused():
    with pytest.raises(ValueError, match="give pretraining"):
        run(trainer(dataclasses.replace(FAST, ptx=0.1)))
    with pytest.raises(ValueError, match="without an end"):
        run(trainer(dataclasses.replace(FAST, ptx=0.1)), pretraining=iter([torch.ones(1, 5, dtype=torch.long)]))


@pytest.mark.parametrize(
    ("wrong", "way_out"),
    [
        ({"beta": -0.1}, "use 0 for no penalty"),
        ({"beta": math.nan}, "use 0 for no penalty"),
        ({"policy_rate": -1e-3}, "use 0 or more"),
        ({"ptx": -1.0}, "use 0 or more"),
        ({"epochs": 0}, "use 1 or more"),
        ({"minibatches": 0}, "use 1 or more"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong, way_out):
    with pytest.raises(ValueError, match=way_out):
        Settings(**wrong)

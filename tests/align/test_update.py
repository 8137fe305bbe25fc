"""The update of RLHF on a batch made by hand. Oracles: the losses in plain loops, torch's own optimizer on copies."""

import copy
import math

import pytest
import torch
from torch.testing import assert_close

from minqwen.align import rollout, update
from minqwen.align.recipe import Settings
from minqwen.align.reward import RewardModel
from minqwen.align.rollout import Rollout
from minqwen.model import Qwen, QwenConfig, training

PAD, END, V, B, P, N = 0, 1, 13, 5, 3, 7
SIZE = QwenConfig(
    vocab_size=V, d_model=28, n_layers=1, n_heads=2, n_kv_heads=2, d_ff=37, max_length=64, rope_base=100.0
)


def models():
    policy = Qwen(SIZE, torch.Generator().manual_seed(0)).double()
    policy.lm_head.weight.data.mul_(9)
    return policy, RewardModel(policy, torch.Generator().manual_seed(1)).double()


def batch():
    """Answers of 1 to 7 tokens; what stands outside of them is large, so that a lost mask shows."""
    rng = torch.Generator().manual_seed(2)
    is_answer = torch.arange(N) < torch.tensor([[7], [1], [4], [2], [5]])
    is_token = torch.cat([torch.ones(B, P, dtype=torch.bool), is_answer], dim=-1)
    ids = torch.randint(2, V, (B, P + N), generator=rng).where(is_token, PAD)
    rolled = Rollout(ids, is_token, is_answer, torch.ones(B, dtype=torch.bool))
    logp, values, advantages, returns = torch.randn(4, B, N, generator=rng, dtype=torch.float64).where(is_answer, 50.0)
    return update.Batch(rolled, logp - 2, values, advantages, returns)


def learner(model, rate=1e-2):
    return update.Learner(model, torch.optim.SGD(model.parameters(), lr=rate))


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_the_value_model_steps_down_the_clipped_loss_over_the_answers_tokens():
    _, value = models()
    given, settings = batch(), Settings(minibatches=1, clip=0.3, value_clip=0.11)
    expected, total, count = copy.deepcopy(value), 0.0, 0
    found = rollout.answer_values(expected.values, given.rollout)
    for b in range(B):
        for t in range(int(given.rollout.is_answer[b].sum())):
            v, old, r = found[b, t], given.values[b, t], given.returns[b, t]
            near = old + (v - old).clamp(-0.11, 0.11)
            total, count = total + torch.maximum((v - r) ** 2, (near - r) ** 2) / 2, count + 1
    (total / count).backward()
    torch.nn.utils.clip_grad_norm_(expected.parameters(), 1.0)
    torch.optim.SGD(expected.parameters(), lr=1e-2).step()
    learned = update.learn(None, learner(value), given, settings, 1.0)
    assert learned.value_loss == pytest.approx((total / count).item())
    assert (learned.clip_share, learned.ratio) == (0.0, 0.0)
    assert_close(weights(value), weights(expected))


def test_the_policy_is_clipped_by_its_own_clip_and_gauged_inside_the_answers():
    policy, _ = models()
    given = batch()
    with torch.no_grad():
        logp = rollout.answer_logp(policy, given.rollout, 0.7)
    mask = given.rollout.is_answer
    ratio = (logp - given.logp)[mask].exp()
    free, held = ratio * given.advantages[mask], ratio.clamp(0.7, 1.3) * given.advantages[mask]
    _, value = models()
    settings = Settings(minibatches=1, clip=0.3, value_clip=0.11)
    learned = update.learn(learner(policy), learner(value), given, settings, 0.7)
    assert learned.clip_share == pytest.approx((held < free).double().mean().item())
    assert learned.ratio == pytest.approx(ratio.log().abs().max().item())


def test_what_is_reported_are_means_over_the_minibatches(monkeypatch):
    policy, value = models()
    steps, real = [], update.Learner.step
    monkeypatch.setattr(update.Learner, "step", lambda self, loss: (steps.append(loss.item()), real(self, loss))[1])
    learned = update.learn(None, learner(value), batch(), Settings(minibatches=3), 1.0)
    assert len(steps) == 3 and learned.value_loss == pytest.approx(sum(steps) / 3)
    shares, loss = [], update.policy_loss
    monkeypatch.setattr(update, "policy_loss", lambda *given: (shares.append(loss(*given)), shares[-1])[1])
    steps.clear()
    learned = update.learn(learner(policy), learner(value), batch(), Settings(minibatches=3), 1.0)
    assert len(steps) == 6 and learned.value_loss == pytest.approx(sum(steps[1::2]) / 3)
    assert learned.clip_share == pytest.approx(sum(found.clip_share.item() for found, _ in shares) / 3)
    assert learned.ratio == shares[0][1] != shares[-1][1]


def test_a_step_goes_down_a_gradient_of_norm_one_at_most_and_leaves_none_behind():
    layer = torch.nn.Linear(3, 1, bias=False)
    before, made = layer.weight.detach().clone(), learner(layer, rate=0.5)
    for steps in (1, 2):
        made.step(100 * layer(torch.tensor([3.0, 0.0, 4.0])).squeeze())
        assert_close(layer.weight.detach(), before - steps * 0.5 * torch.tensor([[0.6, 0.0, 0.8]]))
    assert layer.weight.grad is None


@pytest.mark.parametrize("bad", [pytest.param(math.nan, id="loss"), pytest.param(0.0, id="gradient alone")])
def test_what_is_no_number_changes_nothing_and_leaves_no_gradient(bad):
    layer = torch.nn.Linear(3, 1, bias=False)
    before = layer.weight.detach().clone()
    loss = layer(torch.ones(3)).squeeze() * bad if bad else (layer.weight * 0).sum().sqrt()  # 0, of slope 0/0
    with pytest.raises(training.NotANumberError, match="are no numbers"):
        learner(layer).step(loss)
    assert layer.weight.equal(before) and layer.weight.grad is None

"""Lesson 12: what the statements claim, and answers in other words. Oracles: torch, simulation, the library."""

import contextlib
import io

import pytest
import torch
from torch.testing import assert_close

from minqwen.align import cartpole, gae, random_walks
from minqwen.check import EXERCISES, check, using


def solved(name):
    """The names that the setup of an exercise and its solution leave in a notebook."""
    cells = {"torch": torch, "Tensor": torch.Tensor}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(f"{EXERCISES[name].setup}\n\n{EXERCISES[name].solution}", cells)
    return cells


def recursive_gae(rewards, values, gamma, lam, mask):
    """Row by row, and a plain tuple."""
    rewards, values = rewards.detach(), values.detach()
    advantages = torch.zeros_like(values)
    for b in range(len(mask)):
        for t in range(mask.shape[1] - 1, -1, -1):
            if not mask[b, t]:
                continue
            goes_on = t + 1 < mask.shape[1] and bool(mask[b, t + 1])
            delta = rewards[b, t] - values[b, t] + (gamma * values[b, t + 1] if goes_on else 0.0)
            advantages[b, t] = delta + (gamma * lam * advantages[b, t + 1] if goes_on else 0.0)
    return advantages, torch.where(mask, advantages + values, 0.0)


def whiten_by_selection(x, mask, shift_mean=True):
    kept = x[mask]
    if not len(kept):
        return torch.zeros_like(x)
    white = (x - kept.mean()) / (kept.var(correction=0) + 1e-8).sqrt()
    return torch.where(mask, white if shift_mean else white + kept.mean(), 0.0)


def loss_by_cases(logp, logp_old, advantages, mask, clip=0.2):
    ratio, a = (logp - logp_old.detach())[mask].exp(), advantages.detach()[mask]
    if not len(a):
        return (logp * 0).sum(), a.sum(), a.sum()
    held = torch.where(a > 0, ratio > 1 + clip, ratio < 1 - clip) & (a != 0)
    terms = torch.where(held, torch.where(a > 0, 1 + clip, 1 - clip), ratio) * a
    kl = (ratio - 1 - ratio.log()).mean().detach()
    return -terms.mean(), held.to(a.dtype).mean(), kl


def value_loss_by_selection(values, values_old, returns, mask, clip):
    v, old, r = values[mask], values_old.detach()[mask], returns.detach()[mask]
    near = torch.minimum(torch.maximum(v, old - clip), old + clip)
    worse = torch.stack([(v - r) ** 2, (near - r) ** 2]).amax(dim=0)
    return worse.sum() / (2 * max(len(v), 1))


def gae_by_powers(rewards, values, gamma, lam, mask):
    """One matrix of powers of γλ, and no loop."""
    r, v = rewards.detach().where(mask, 0.0), values.detach().where(mask, 0.0)
    delta = (r + gamma * torch.nn.functional.pad(v[:, 1:], (0, 1)) - v).where(mask, 0.0)
    place, episode = torch.arange(mask.shape[1]), (~mask).cumsum(dim=1)
    powers = ((gamma * lam) ** (place - place[:, None]).clamp(min=0).to(v.dtype)).triu()
    together = episode[:, None] == episode[..., None]
    advantages = (powers * together * delta[:, None]).sum(dim=-1).where(mask, 0.0)
    return advantages, advantages + v


def whiten_in_place_of_zeros(x, mask, shift_mean=True):
    white, kept = torch.zeros_like(x), x[mask]
    variance, mean = torch.var_mean(kept, correction=0)
    white[mask] = (kept - mean) * (variance + 1e-8) ** -0.5 + (0.0 if shift_mean else mean)
    return white


OTHER_WORDS = [
    ("gae", recursive_gae),
    ("whiten", whiten_by_selection),
    ("ppo_clip_loss", loss_by_cases),
    ("value_clip_loss", value_loss_by_selection),
]
MORE_WORDS = [*OTHER_WORDS, ("gae", gae_by_powers), ("whiten", whiten_in_place_of_zeros)]


@pytest.mark.parametrize(("name", "answer"), MORE_WORDS, ids=[answer.__name__ for _, answer in MORE_WORDS])
def test_a_right_answer_in_other_words_passes(name, answer):
    assert check(answer, name)


def whiten_with_a_large_epsilon(x, mask, shift_mean=True):
    kept = x[mask]
    white = (x - kept.mean()) / (kept.var(correction=0) + 1e-5).sqrt()
    return torch.where(mask, white if shift_mean else white + kept.mean(), 0.0)


def whiten_without_an_epsilon(x, mask, shift_mean=True):
    kept = x[mask]
    white = ((x - kept.mean()) / kept.std(correction=0)).nan_to_num(0.0)
    return torch.where(mask, white if shift_mean else white + kept.mean(), 0.0)


def whiten_to_0_what_is_equal(x, mask, shift_mean=True):
    return x * 0 if x[mask].var(correction=0) == 0 else whiten_by_selection(x, mask, shift_mean)


def loss_with_a_pull_where_it_is_held(logp, logp_old, advantages, mask, clip=0.2):
    loss, share, kl = loss_by_cases(logp, logp_old, advantages, mask, clip)
    pull = (logp * advantages.detach()).where(mask, 0.0).sum() / mask.sum().clamp(min=1)
    return loss.detach() - (pull - pull.detach()), share, kl


def loss_whose_clip_share_learns(logp, logp_old, advantages, mask, clip=0.2):
    loss, share, kl = loss_by_cases(logp, logp_old, advantages, mask, clip)
    return loss, share + 0 * loss + (loss - loss.detach()), kl


def value_loss_with_half_a_pull(values, values_old, returns, mask, clip):
    loss = value_loss_by_selection(values, values_old, returns, mask, clip)
    return loss.detach() + (loss - loss.detach()) / 2


def actor_that_switches_the_critic_off(logp, values, returns, mask):
    return -(logp * (returns - values.detach_())).where(mask, 0.0).sum() / mask.sum().clamp(min=1)


def actor_that_asks_for_no_gradient(logp, values, returns, mask):
    return -(logp * (returns - values.requires_grad_(False))).where(mask, 0.0).sum() / mask.sum().clamp(min=1)


WRONG = [
    ("whiten", whiten_with_a_large_epsilon, "✗ tiny numbers stay small"),
    ("whiten", whiten_without_an_epsilon, "add 1e-8"),
    ("whiten", whiten_to_0_what_is_equal, "✗ equal numbers give no NaN"),
    ("ppo_clip_loss", loss_with_a_pull_where_it_is_held, "✗ what is held has no pull"),
    ("ppo_clip_loss", loss_whose_clip_share_learns, "✗ the gauges have no gradient"),
    ("value_clip_loss", value_loss_with_half_a_pull, "✗ a held value has no pull, the others V − R"),
    ("12_attached", actor_that_switches_the_critic_off, "it switched gradients off for its argument values itself"),
    ("12_attached", actor_that_asks_for_no_gradient, "take values.detach(), a new tensor"),
]


@pytest.mark.parametrize(("name", "answer", "words"), WRONG, ids=[answer.__name__ for _, answer, _ in WRONG])
def test_a_wrong_answer_is_refused_for_what_is_wrong(name, answer, words, capsys):
    for seed in range(3):
        assert not check(answer, name, cause=getattr(EXERCISES[name], "cause", None), seed=seed)
        assert words in " ".join(capsys.readouterr().out.split())


def named(function, name):
    function.__name__ = name
    return function


def test_the_whole_inner_loop_runs_on_the_learners_functions():
    def one_step():
        generator = torch.Generator().manual_seed(0)
        return next(cartpole.train(cartpole.Method(carts=2, steps=8), 1e-2, seed=0))[1], generator

    ours, _ = one_step()
    with contextlib.ExitStack() as stack:
        for name, function in OTHER_WORDS:
            stack.enter_context(using(named(function, name)))
        theirs, _ = one_step()
    assert_close(dict(theirs.named_parameters()), dict(ours.named_parameters()), atol=1e-5, rtol=1e-4)


def test_random_walks_run_on_a_plain_tuple_too():
    graph = random_walks.make_graph(torch.Generator().manual_seed(0))
    made = random_walks.Qwen(random_walks.SIZE, torch.Generator().manual_seed(1))
    with using(named(recursive_gae, "gae")), using(named(loss_by_cases, "ppo_clip_loss")):
        assert len(list(random_walks.improve(made, graph, torch.Generator().manual_seed(2), 1, 8))) == 1


def test_the_mended_returns_are_those_of_gae():
    fixed, generator = solved("12_whitened_returns")["fixed"], torch.Generator().manual_seed(0)
    rewards, values = torch.randn(3, 7, generator=generator), torch.randn(3, 7, generator=generator)
    mask = torch.rand(3, 7, generator=generator) < 0.8
    raw = gae.gae(rewards, values, 0.9, 0.95, mask)
    white, returns = fixed(raw.advantages, values, mask)
    assert_close(white, gae.whiten(raw.advantages, mask), atol=1e-6, rtol=1e-5)
    assert_close(returns, raw.returns)


def test_the_samples_that_are_left_are_what_a_simulation_finds():
    # log ρ ~ N(−s²/2, s²) has E[ρ] = 1 and E[ρ²] = e^(s²); over forty tokens that is one normal variable again.
    s2, generator = 40 * torch.tensor(1.05, dtype=torch.float64).log(), torch.Generator().manual_seed(0)
    ratio = (s2.sqrt() * torch.randn(2_000_000, generator=generator, dtype=torch.float64) - s2 / 2).exp()
    left = 1000 * ratio.mean() ** 2 / ratio.square().mean()
    assert EXERCISES["12_samples_left"].answer == pytest.approx(left.item(), rel=0.1)

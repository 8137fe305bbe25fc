"""Lesson 13: answers in other words, what the library runs on, and the numbers. Oracle: the definitions."""

import math

import pytest
import torch
from torch.testing import assert_close

from minqwen.align import ppo, shaping
from minqwen.check import EXERCISES, check, using


def by_powers(logp, logp_ref, kind="k1"):
    ratio = (logp_ref - logp).exp()  # of the reference to the policy
    return {"k1": -ratio.log(), "k2": ratio.log() ** 2 / 2, "k3": ratio - 1 - ratio.log()}[kind]


def by_rows(scores, kl, mask, beta):
    rows = [torch.where(real, -beta * each, torch.zeros_like(each)) for each, real in zip(kl, mask)]
    for row, score, real in zip(rows, scores, mask):
        row[real.nonzero()[-1]] += score
    return torch.stack(rows)


def by_scattering(scores, kl, mask, beta):
    return (-beta * kl).masked_fill(~mask, 0.0).scatter_add(1, mask.sum(1, keepdim=True) - 1, scores[:, None])


def ratio_of_softmaxes(logits_old, logits, tokens, temperature):
    p, old = ((x / temperature).softmax(-1).gather(-1, tokens[..., None])[..., 0] for x in (logits, logits_old))
    return p / old


OTHER_WORDS = {
    "KL by ratios": ("kl_estimate", by_powers),
    "rewards row by row": ("token_rewards", by_rows),
    "rewards by scattering": ("token_rewards", by_scattering),
    "a ratio of probabilities": ("13_other_temperature", ratio_of_softmaxes),
}


@pytest.mark.parametrize(("name", "answer"), OTHER_WORDS.values(), ids=OTHER_WORDS)
def test_a_right_answer_in_other_words_passes(name, answer):
    assert check(answer, name, cause=getattr(EXERCISES[name], "cause", None))


def cut_off(kind_cut_off):
    def answer(logp, logp_ref, kind="k1"):
        found = by_powers(logp, logp_ref, kind)
        return found.detach() if kind == kind_cut_off else found

    return answer


def half_of_k3(logp, logp_ref, kind="k1"):
    d = logp - logp_ref
    return torch.expm1(-d.detach()) + d if kind == "k3" else by_powers(logp, logp_ref, kind)


@pytest.mark.parametrize(
    ("answer", "kind"), [*((cut_off(kind), kind) for kind in ppo.KINDS), (half_of_k3, "k3")], ids=[*ppo.KINDS, "half"]
)
def test_every_estimator_keeps_its_gradient(answer, kind, capsys):
    assert not check(answer, "kl_estimate")
    assert f"✗ the gradient of {kind} is that of its formula" in capsys.readouterr().out


def test_the_library_runs_on_the_learners_functions():
    def kl_estimate(logp, logp_ref, kind="k1"):
        return logp + 2

    def token_rewards(scores, kl, mask, beta):
        return kl + beta

    with using(kl_estimate), using(token_rewards):
        assert_close(ppo.kl_estimate(torch.ones(2), torch.zeros(2)), torch.full((2,), 3.0))
        given = torch.zeros(1), torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool), 0.5
        assert_close(shaping.token_rewards(*given), torch.full((1, 2), 0.5))


def test_the_peak_is_the_peak():
    def gold(kl):
        return math.sqrt(kl) * (0.75 - 0.3 * math.log(math.sqrt(kl)))

    grid = [0.01 * i for i in range(1, 10_000)]
    assert EXERCISES["13_peak"].answer == pytest.approx(max(grid, key=gold), rel=1e-3)


def test_the_price_is_beta_times_kl():
    assert EXERCISES["13_worth"].answer == pytest.approx(0.48)

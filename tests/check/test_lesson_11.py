"""Lesson 11: what the statements claim, and answers in other words. Oracles: torch, the library's own judge."""

import contextlib
import io

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from minqwen.align import reward
from minqwen.check import EXERCISES, check, using
from minqwen.model import Qwen, QwenConfig


def solved(name):
    """The names that the setup of an exercise and its solution leave in a notebook."""
    cells = {"torch": torch, "Tensor": torch.Tensor}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(f"{EXERCISES[name].setup}\n\n{EXERCISES[name].solution}", cells)
    return cells


def by_sorting(scores):
    known = sorted((place for place, score in enumerate(scores) if score is not None), key=lambda place: scores[place])
    pairs = ((high, low) for at, high in enumerate(known) for low in known[:at])
    return {(high, low) for high, low in pairs if scores[high] != scores[low]}


def by_cross_entropy(chosen, rejected, margin=0.0):
    return F.binary_cross_entropy_with_logits(chosen - rejected - margin, torch.ones_like(chosen))


def by_flipping(values, is_token):
    width = values.shape[-1]
    last = width - 1 - is_token.flip(-1).int().argmax(dim=-1)
    return values[torch.arange(len(values)), last]


OTHER_WORDS = {
    "pairs by sorting": ("pairs_from_scores", by_sorting),
    "the loss as cross entropy": ("preference_loss", by_cross_entropy),
    "the loss by logsigmoid": (
        "preference_loss",
        lambda chosen, rejected, margin=0.0: -F.logsigmoid(chosen - rejected - margin).mean(),
    ),
    "the last token by flipping": ("last_value", by_flipping),
}


@pytest.mark.parametrize(("name", "answer"), OTHER_WORDS.values(), ids=OTHER_WORDS)
def test_a_right_answer_in_other_words_passes(name, answer):
    assert check(answer, name)


def test_a_judge_reads_and_is_trained_by_the_learners_functions():
    size = QwenConfig(vocab_size=17, d_model=14, n_layers=1, n_heads=1, n_kv_heads=1, d_ff=13, max_length=11)
    model, ids = reward.RewardModel(Qwen(size)), torch.tensor([[1, 2, 3]])

    def last_value(values, is_token):
        return values[:, 0]

    def preference_loss(chosen, rejected, margin=0.0):
        return torch.tensor(0.5)

    with using(last_value), using(preference_loss):
        assert_close(model(ids), model.values(ids)[:, 0])
        assert reward.preference_loss(torch.zeros(1), torch.zeros(1)) == 0.5


def test_the_mended_loss_is_that_of_the_texts_in_order():
    fixed, generator = solved("11_shuffled_scores")["fixed"], torch.Generator().manual_seed(0)
    scores, order = torch.randn(14, generator=generator), torch.randperm(14, generator=generator)
    assert_close(fixed(scores[order], order), reward.preference_loss(*scores.chunk(2)))


def test_the_share_of_agreement_is_what_a_simulation_finds():
    generator = torch.Generator().manual_seed(0)
    right, labels = (torch.rand(200_000, generator=generator) < share for share in (0.9, 0.8))
    assert EXERCISES["11_noisy_labels"].answer == pytest.approx((right == labels).float().mean().item(), abs=4e-3)

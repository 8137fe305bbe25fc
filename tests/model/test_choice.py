"""Multiple choice. Oracle: log-probabilities looked up one by one in the model's own logits."""

import torch
from torch.testing import assert_close

from minqwen.model import Qwen, QwenConfig, choice

MODEL = Qwen(
    QwenConfig(vocab_size=23, d_model=28, n_layers=1, n_heads=2, n_kv_heads=2, d_ff=31, max_length=16),
    torch.Generator().manual_seed(0),
)
with torch.no_grad():
    for p in MODEL.parameters():
        p.mul_(5.0)


def logp(ids, position):
    with torch.no_grad():
        return MODEL(torch.tensor([ids]))[0, position].log_softmax(dim=-1)


def test_a_letter_has_the_log_probability_that_the_model_gives_it_next():
    scores = choice.letter_scores(MODEL, [1, 2, 3], [7, 5, 11])
    assert_close(scores, torch.stack([logp([1, 2, 3], -1)[letter] for letter in (7, 5, 11)]))


def test_an_option_has_the_mean_over_its_tokens():
    scores = choice.option_scores(MODEL, [1, 2], [[4, 5, 6], [9]])
    by_hand = [logp([1, 2], -1)[4], logp([1, 2, 4], -1)[5], logp([1, 2, 4, 5], -1)[6]]
    assert_close(scores[0], sum(by_hand) / 3)
    assert_close(scores[1], logp([1, 2], -1)[9])

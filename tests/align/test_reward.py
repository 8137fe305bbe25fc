"""The reward model: where it reads its score, how it is scaled, and that a file of it holds all of it."""

import math

import pytest
import torch
import transformers
from torch.testing import assert_close

from minqwen.align import reward
from minqwen.model import Qwen, QwenConfig

B, T, PAD = 3, 11, 0
SIZE = QwenConfig(
    vocab_size=53, d_model=28, n_layers=2, n_heads=2, n_kv_heads=2, d_ff=37, max_length=64, rope_base=100.0
)


@pytest.fixture
def model():
    generator = torch.Generator().manual_seed(0)
    made = reward.RewardModel(Qwen(SIZE, generator), generator).double()
    made.score.bias.data.fill_(0.3)
    return made


def rows(*lengths):
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(1, SIZE.vocab_size, (length,), generator=generator).tolist() for length in lengths]


def padded(texts, width, side):
    gaps = [[PAD] * (width - len(text)) for text in texts]
    ids = [gap + text if side == "left" else text + gap for text, gap in zip(texts, gaps)]
    real = [[False] * len(gap) + [True] * len(text) for text, gap in zip(texts, gaps)]
    return torch.tensor(ids), torch.tensor(real if side == "left" else [each[::-1] for each in real])


def test_the_last_value_by_loops():
    generator = torch.Generator().manual_seed(2)
    values = torch.randn(7, T, generator=generator, dtype=torch.float64)
    is_token = torch.rand(7, T, generator=generator) < 0.5
    is_token[:, 4] = True
    expected = [[v for v, real in zip(row, mask) if real][-1] for row, mask in zip(values.tolist(), is_token.tolist())]
    assert_close(reward.last_value(values, is_token).tolist(), expected)


def test_a_row_of_padding_is_refused():
    with pytest.raises(ValueError, match="leave it out"):
        reward.last_value(torch.zeros(2, 3), torch.tensor([[True, False, False], [False] * 3]))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("width", [11, 13, 23])
def test_padding_of_any_length_on_either_side_changes_no_score(model, side, width):
    texts = rows(11, 7, 5)
    alone = torch.cat([model(torch.tensor([text])) for text in texts])
    assert_close(model(*padded(texts, width, side)), alone)


def test_the_score_is_the_head_at_the_last_token(model):
    [text] = rows(T)
    ids = torch.tensor([text])
    hidden = model.trunk.hidden(ids)[0, -1]
    expected = sum(h * w for h, w in zip(hidden.tolist(), model.score.weight[0].tolist())) + 0.3
    assert_close(model(ids).item(), expected)
    assert_close(model.values(ids)[0, 4], model(ids[:, :5])[0])


def test_scores_equal_those_of_transformers(model, tmp_path):
    model.score.bias.data.zero_()  # theirs has none
    model.float().save_pretrained(tmp_path)
    theirs = transformers.Qwen2ForSequenceClassification.from_pretrained(tmp_path, pad_token_id=PAD).eval()
    ids, is_token = padded(rows(11, 7, 5), 13, "right")
    with torch.no_grad():
        expected = theirs(ids, attention_mask=is_token.long()).logits[:, 0]
        assert_close(model(ids, is_token), expected, atol=1e-5, rtol=0)


def test_exchanging_a_pair_turns_its_logit_round(model):
    a, b = (model(torch.tensor([text])) for text in rows(7, 11))
    assert_close((a - b).sigmoid() + (b - a).sigmoid(), torch.ones_like(a))
    assert_close(reward.preference_loss(a, b) - reward.preference_loss(b, a), (b - a).squeeze())


def test_the_head_is_drawn_as_stated_and_the_trunk_is_a_copy():
    wide = Qwen(QwenConfig(vocab_size=5, d_model=1024, n_layers=1, d_ff=3, n_heads=4, n_kv_heads=4))
    drawn = [reward.RewardModel(wide, torch.Generator().manual_seed(seed)) for seed in range(2)]
    weight = torch.cat([each.score.weight.flatten() for each in drawn])
    assert abs(weight.std().item() * math.sqrt(1025) - 1) < 4 / math.sqrt(2 * len(weight))
    assert drawn[0].score.bias == 0 and not drawn[0].score.weight.equal(drawn[1].score.weight)
    with torch.no_grad():
        drawn[0].trunk.model.embed_tokens.weight.add_(1)
    assert not wide.model.embed_tokens.weight.equal(drawn[0].trunk.model.embed_tokens.weight)
    assert wide.lm_head.weight.shape == (5, 1024)


def test_normalised_scores_have_mean_0_and_deviation_1_again_and_again(model):
    ids = torch.randint(1, SIZE.vocab_size, (101, T), generator=torch.Generator().manual_seed(3))
    before = model(ids).detach()
    for _ in range(2):
        model.normalise(model(ids))
        scores = model(ids)
        assert_close(scores.mean().item(), 0.0, atol=1e-9, rtol=0)
        assert_close(scores.std(correction=0).item(), 1.0, atol=1e-9, rtol=0)
    assert before.argsort().equal(scores.argsort())


def test_normalising_twice_is_one_after_the_other(model):
    [text] = rows(T)
    first = model(torch.tensor([text])).item()
    model.normalise(torch.tensor([1.0, 5.0]))  # mean 3, deviation 2
    model.normalise(torch.tensor([-2.0, 8.0]))  # mean 3, deviation 5
    assert_close(model(torch.tensor([text])).item(), ((first - 3) / 2 - 3) / 5)


@pytest.mark.parametrize("scores", [[1.0, 1.0], [1.0, 1.0 + 1e-7], [0.5], [math.nan, 1.0], [math.inf, 1.0]])
def test_scores_without_a_scale_are_refused(model, scores):
    with pytest.raises(ValueError, match="finite scores of different answers"):
        model.normalise(torch.tensor(scores))
    assert (model.gain, model.bias) == (1, 0)


def test_a_folder_holds_all_of_it(model, tmp_path):
    model.normalise(torch.tensor([1.0, 4.0]))
    model.float().save_pretrained(tmp_path)
    found = reward.RewardModel.from_pretrained(tmp_path)
    ids, is_token = padded(rows(11, 7), 11, "left")
    assert_close(found(ids, is_token), model(ids, is_token), atol=0, rtol=0)
    assert found.config == SIZE and found.gain == model.gain != 1


def test_a_base_model_is_no_reward_model(model, tmp_path):
    Qwen(SIZE).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="becomes one by training"):
        reward.RewardModel.from_pretrained(tmp_path)

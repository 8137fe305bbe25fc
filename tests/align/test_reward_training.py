"""Training on pairs: chance before, nearly all right after on a rule that a program knows, equal scores count half."""

import random

import pytest
import torch
from torch.testing import assert_close

from minqwen import assets
from minqwen.align import chatml, preference, reward, reward_training
from minqwen.align.preference import Comparison
from minqwen.model import Qwen, QwenConfig
from minqwen.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_pretrained(assets.TINY_QWEN)


def fresh(seed=0):
    generator = torch.Generator().manual_seed(seed)
    size = QwenConfig(d_model=32, n_layers=2, n_heads=2, n_kv_heads=2, d_ff=48, max_length=96)
    return reward.RewardModel(Qwen(size, generator), generator)


def toy(n, seed):
    """The answer that says 'good' is better than the one that does not; both hold other words too."""
    rng = random.Random(seed)
    words = ["red", "blue", "green", "long", "short", "old", "new", "near", "far"]
    made = []
    for _ in range(n):
        plain = rng.choices(words, k=rng.randint(2, 5))
        better = plain.copy()
        better[rng.randrange(len(better))] = "good"
        made.append(Comparison("Say something.", " ".join(better), " ".join(plain), 1.0))
    return made


def test_the_text_ends_with_the_end_token(tokenizer):
    ids = reward_training.conversation("问？", "答。", tokenizer)
    assert tokenizer.decode(ids) == chatml.render(
        [{"role": "user", "content": "问？"}, {"role": "assistant", "content": "答。"}]
    ).rstrip("\n")
    assert ids[-1] == tokenizer.control_ids["<|im_end|>"]
    forged = reward_training.conversation("问？", "<|im_end|>", tokenizer)
    assert forged[:-4].count(ids[-1]) == 2, "an end token that an answer spells out is text"


def test_padding_stands_on_the_right_and_is_no_token(tokenizer):
    texts = reward_training.pad([[7, 8, 9], [5]], tokenizer)
    end_of_text = tokenizer.control_ids["<|endoftext|>"]
    assert texts.ids.tolist() == [[7, 8, 9], [5, end_of_text, end_of_text]]
    assert texts.is_token.tolist() == [[True] * 3, [True, False, False]]


def test_one_token_for_end_and_padding_is_refused():
    tokenizer = Tokenizer.from_pretrained(assets.TINY_QWEN)
    tokenizer.control_ids["<|endoftext|>"] = tokenizer.control_ids["<|im_end|>"]
    with pytest.raises(ValueError, match="give the tokenizer two"):
        reward_training.pad([[1]], tokenizer)


def test_chance_before_and_nearly_all_after(tokenizer):
    model, unseen = fresh(), toy(400, seed=1)
    turned = [p if i % 2 else Comparison(p.question, p.rejected, p.chosen, -p.gap) for i, p in enumerate(unseen)]
    assert abs(reward_training.accuracy(model, turned, tokenizer) - 0.5) < 0.1
    steps = list(reward_training.train(model, toy(800, seed=2), tokenizer, peak=3e-3))
    assert len(steps) == 25 and steps[-1].loss < steps[0].loss
    assert reward_training.accuracy(model, unseen, tokenizer) > 0.95
    assert abs(reward_training.accuracy(model, turned, tokenizer) - 0.5) < 0.05


def test_scores_come_in_the_order_of_the_texts_whatever_the_batch(tokenizer):
    model, pairs = fresh(), toy(7, seed=3)
    texts = [(p.question, p.chosen) for p in pairs]
    alone = torch.cat([reward_training.scores(model, [text], tokenizer) for text in texts])
    assert_close(reward_training.scores(model, texts, tokenizer, batch_size=3), alone, atol=1e-5, rtol=0)
    assert reward_training.scores(model, [], tokenizer).shape == (0,)
    expected = alone - reward_training.scores(model, [(p.question, p.rejected) for p in pairs], tokenizer)
    assert_close(reward_training.margins(model, pairs, tokenizer), expected, atol=1e-5, rtol=0)


def test_equal_scores_are_half_right_and_no_pairs_are_refused(tokenizer):
    model = fresh()
    with torch.no_grad():
        model.score.weight.zero_()
    assert reward_training.accuracy(model, toy(4, seed=4), tokenizer) == 0.5
    [step] = reward_training.train(model, toy(4, seed=4), tokenizer)
    assert step.accuracy == 0.5
    with pytest.raises(ValueError, match="form some"):
        reward_training.accuracy(model, [], tokenizer)
    with pytest.raises(ValueError, match="form some"):
        list(reward_training.train(model, [], tokenizer))


def test_an_answer_that_the_context_cannot_hold_is_refused(tokenizer):
    model, long = fresh(), Comparison("q", "good", "春" * 99, 1.0)
    with pytest.raises(ValueError, match=r"more than the context of 96.*leave them out"):
        reward_training.scores(model, [("q", long.rejected)], tokenizer)
    with pytest.raises(ValueError, match="ask for shorter answers"):
        list(reward_training.train(model, [long], tokenizer))


def test_reference_answers_score_around_0_by_1_also_from_the_saved_file(tokenizer, tmp_path):
    model = fresh()
    texts = [(p.question, p.chosen) for p in toy(200, seed=5)]
    model.to(torch.bfloat16).float()  # rounded weights give other scores, so they are rounded first
    model.normalise(reward_training.scores(model, texts, tokenizer))
    model.save_pretrained(tmp_path, torch.bfloat16)
    loaded = reward.RewardModel.from_pretrained(tmp_path)
    found = reward_training.scores(loaded, texts, tokenizer)
    assert abs(found.mean()) < 0.05 and abs(found.std(correction=0) - 1) < 0.05


def test_a_run_is_repeated_by_its_seed(tokenizer):
    pairs = toy(64, seed=6)
    runs = [[s.loss for s in reward_training.train(fresh(), pairs, tokenizer, seed=seed)] for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_the_rate_warms_up_over_a_tenth_and_falls_to_0_and_gradients_are_bounded(tokenizer, monkeypatch):
    model, rates, norms, step = fresh(), [], [], torch.optim.AdamW.step
    with torch.no_grad():
        model.score.weight.mul_(100)  # so that gradients are large

    def seen(optimizer):
        rates.append(optimizer.param_groups[0]["lr"] / 2e-3)
        norms.append(torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm().item())
        return step(optimizer)

    monkeypatch.setattr(torch.optim.AdamW, "step", seen)
    list(reward_training.train(model, toy(40, seed=8), tokenizer, peak=2e-3, batch_size=2, clip=0.5))
    assert rates[0] < max(rates) == pytest.approx(1.0) and rates.index(max(rates)) <= 2 and rates[-1] < 0.02
    assert sorted(rates[2:], reverse=True) == rates[2:]
    assert max(norms) == pytest.approx(0.5, rel=1e-3)


def test_a_diverging_run_stops(tokenizer):
    model = fresh()
    with torch.no_grad():
        model.score.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match="lower the rate"):
        list(reward_training.train(model, toy(4, seed=7), tokenizer))


def test_pairs_of_the_file_train_as_they_are(tokenizer, tmp_path):
    path = tmp_path / "scores.jsonl"
    preference.append(path, preference.Scored("q", ("good", "bad", "worse"), (5, 2, 1)))
    pairs = preference.comparisons(preference.read(path))
    assert len(list(reward_training.train(fresh(), pairs, tokenizer, batch_size=2))) == 2

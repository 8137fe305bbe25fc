"""`using`. Oracle: the library itself, inside and outside of the block."""

import contextlib
import dataclasses

import pytest
import torch

from minqwen.adapt import lora, memory, qlora
from minqwen.align import answers, cartpole, preference, reward, reward_training, rlhf, sft
from minqwen.align.rollout import Sampling
from minqwen.check import EXERCISES, check, using
from minqwen.model import Qwen, QwenConfig, attention, flash, generate, rope, training, transformer
from minqwen.model.long_context import LongContext
from minqwen.tokenizer import bpe


def apply_rope(x, angles):
    return x


def split_heads(x, n_heads):
    width = x.shape[-1] // n_heads
    return torch.stack([x[..., h * width : (h + 1) * width] for h in range(n_heads)], dim=-3)


@pytest.fixture
def model():
    with torch.random.fork_rng():
        return Qwen(QwenConfig(vocab_size=17, d_model=14, n_layers=2, n_heads=1, n_kv_heads=1, d_ff=13, max_length=11))


ids = torch.tensor([[3, 1, 4, 1, 5]])


@pytest.mark.parametrize("name", [e.name for e in EXERCISES.values() if e.kind == "implement"])
def test_model_tokenizer_and_trainer_run_on_the_functions_that_say_so_and_on_no_other(name, model):
    def learners(*args, **kwargs):
        raise NotImplementedError("the learner's")

    learners.__name__ = name
    called = pytest.raises(NotImplementedError, match="the learner's")
    with using(learners), called if EXERCISES[name].in_model else contextlib.nullcontext():
        generate.generate(model, ids, 2)
        before = transformer.Transformer(transformer.TransformerConfig(vocab_size=17, d_model=14, n_heads=1, d_ff=13))
        before(ids, ids, ids > 0, ids > 0)
        flash.flash_attention(torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 3))
        model.long_context = LongContext("ntk", logn=True, windows=(3, 3))
        model(ids.repeat(1, 4))  # past the trained length
        next(iter(training.train(model, [ids, ids], 2, peak=1e-3, warmup=1)))
        tokenizer = bpe.train_bpe("a a", 273)
        tokenizer.encode("a")
        sft.pack([[{"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}]], tokenizer, 128)
        pair = preference.Comparison("a", "a", "b", 1)
        judge = reward.RewardModel(
            Qwen(dataclasses.replace(model.config, vocab_size=tokenizer.vocab_size, max_length=64))
        )
        next(reward_training.train(judge, [pair], tokenizer))
        next(cartpole.train(cartpole.Method(carts=2, steps=4), 1e-3, seed=0))
        aligner = rlhf.RLHF(model, judge.value_model(), judge, 1, 0, sampling=Sampling(max_new_tokens=3))
        next(aligner.steps([answers.Prompts(ids.repeat(2, 1), ids.repeat(2, 1) > 0)], 1))
        memory.predict(memory.Sizes(17, 14, 1, 1, 1, 13), "LoRA", 1, 1)
        qlora.add_qlora(model, "q_proj", 2, 4.0)
        model(ids)
        lora.merge(model)


def test_the_model_runs_on_the_learners_function_inside_the_block_only(model):
    before = model(ids)
    with using(split_heads):
        torch.testing.assert_close(model(ids), before)
    with using(apply_rope):
        assert (model(ids) - before).abs().max() > 1e-6
    assert model(ids).equal(before)


def test_the_model_pays_attention_as_the_learners_function_does(model):
    def scaled_dot_product_attention(q, k, v, mask=None):
        return v * 0.0

    before, fused = model(ids), attention.fused_attention
    with using(scaled_dot_product_attention):
        assert (model(ids) - before).abs().max() > 1e-6
    assert attention.fused_attention is fused and model(ids).equal(before)


def test_the_library_is_itself_again_after_an_error():
    before = rope.apply_rope
    with pytest.raises(KeyboardInterrupt), using(apply_rope):
        assert rope.apply_rope is apply_rope
        raise KeyboardInterrupt
    assert rope.apply_rope is before


def test_blocks_may_stand_in_blocks():
    before = rope.apply_rope, attention.split_heads

    def other(x, angles):
        return -x

    other.__name__ = "apply_rope"
    with using(apply_rope), using(split_heads):
        with using(other):
            assert rope.apply_rope is other
        assert rope.apply_rope is apply_rope and attention.split_heads is split_heads
    assert (rope.apply_rope, attention.split_heads) == before


def test_a_check_inside_the_block_still_checks_the_learner_against_the_library():
    with using(split_heads):
        assert check(split_heads)
    with using(apply_rope):
        assert not check(apply_rope)


def test_what_the_library_does_not_have_is_refused_with_the_way_out():
    def fixed(x):
        return x

    def spllit_heads(x):
        return x

    with pytest.raises(ValueError, match=r"there is no spllit_heads; call .*: .*, split_heads"), using(spllit_heads):
        pass
    with pytest.raises(ValueError, match=r"define it with def, then using\(apply_rope\)"), using(3):
        pass
    fixed.__name__ = "02_interleaved"
    with pytest.raises(ValueError, match="call yours as the library does: masked_mean, causal_mask"), using(fixed):
        pass

"""Lesson 05: answers in other words, and what a learner reads. Oracles: torch's softmax, the model without a cache."""

import contextlib
import io

import pytest
import torch
from torch.testing import assert_close

from minqwen.check import EXERCISES, check, using
from minqwen.model import Qwen, QwenConfig, flash, generate

SIZES = {"n_layers": 2, "n_heads": 6, "n_kv_heads": 2, "d_ff": 13, "max_length": 31}


@pytest.fixture(scope="module")
def model():
    return Qwen(QwenConfig(vocab_size=17, d_model=24, **SIZES), torch.Generator().manual_seed(0))


def top_p_in_the_order_of_the_vocabulary(logits, top_p, generator=None):
    probs = torch.softmax(logits, -1)
    likelier = (probs[:, None] * (probs[:, None] > probs[..., None])).sum(-1)  # [b, v]: mass of what is likelier than v
    return torch.multinomial(probs * (likelier < top_p), 1, generator=generator)[:, 0]


def top_p_row_by_row(logits, top_p, generator=None):
    drawn = []
    for row in logits.softmax(-1):
        order = sorted(range(len(row)), key=lambda v: -row[v].item())
        nucleus, mass = [], 0.0
        for v in order:
            nucleus.append(v)
            mass += row[v].item()
            if mass >= top_p:
                break
        drawn.append(nucleus[torch.multinomial(row[nucleus], 1, generator=generator)])
    return torch.tensor(drawn)


def update_by_narrow(memory, length, new):
    memory.narrow(2, length, new.shape[2]).copy_(new)
    return memory.narrow(2, 0, length + new.shape[2])


def update_by_index(memory, length, new):
    for t in range(new.shape[-2]):
        memory[..., length + t, :] = new[..., t, :]
    return memory[..., : length + new.shape[-2], :]


def step_by_cat(state, scores, values):
    m, total, weighted = state
    every = torch.cat([m[..., None], scores], -1)
    largest = every.max(-1, keepdim=True).values.clamp(min=-1e30)
    shares = torch.exp(every - largest)
    total = shares[..., 0] * total + shares[..., 1:].sum(-1)
    weighted = shares[..., :1] * weighted + shares[..., 1:] @ values
    return every.max(-1).values, total, weighted


OTHER_WORDS = {
    "the nucleus by comparing all pairs": ("sample_top_p", top_p_in_the_order_of_the_vocabulary),
    "the nucleus by loops": ("sample_top_p", top_p_row_by_row),
    "the cache by narrow": ("update_cache", update_by_narrow),
    "the cache, one by one": ("update_cache", update_by_index),
    "the step by joining": ("online_softmax_step", step_by_cat),
}


@pytest.mark.parametrize(("name", "answer"), OTHER_WORDS.values(), ids=OTHER_WORDS)
def test_a_right_answer_in_other_words_passes(name, answer):
    assert check(answer, name), check(answer, name).report


@pytest.mark.parametrize("seed", range(5))
def test_an_answer_that_draws_passes_whatever_the_seed(seed):
    assert check(top_p_in_the_order_of_the_vocabulary, "sample_top_p", seed=seed)


@pytest.mark.parametrize("answer", [update_by_narrow, update_by_index])
def test_the_model_writes_the_same_on_a_learners_cache(model, answer):
    ids, called = torch.tensor([[3, 1, 4], [1, 5, 9]]), []

    def update_cache(*args):
        called.append(args)
        return answer(*args)

    before = generate.generate(model, ids, 7, temperature=0.0)
    with using(update_cache):
        assert generate.generate(model, ids, 7, temperature=0.0).equal(before)
    assert len(called) == 7 * 2 * 2  # tokens, layers, keys and values


def test_the_model_draws_with_a_learners_sampler(model):
    called = []

    def sample_top_p(logits, top_p, generator=None):
        called.append(top_p)
        return logits.argmax(-1)

    ids = torch.tensor([[3, 1, 4]])
    with using(sample_top_p):
        text = generate.generate(model, ids, 5, top_p=0.9)
    assert called == 5 * [0.9] and text.equal(generate.generate(model, ids, 5, temperature=0.0))


def test_flash_attention_runs_on_a_learners_step():
    step_by_cat.__name__ = "online_softmax_step"
    q, k, v = torch.randn(3, 2, 13, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    library = flash.flash_attention(q, k, v, True, 4, 3)
    with using(step_by_cat):
        assert_close(flash.flash_attention(q, k, v, True, 4, 3), library)


def test_a_wrong_tuple_is_told_by_its_entry():
    def step(state, scores, values):
        m, total, weighted = step_by_cat(state, scores, values)
        return m, total, 2 * weighted

    report = check(step, "online_softmax_step", seed=0).report
    assert "In entry [2], 1 of 1 differ, the first at [0, 0]: expected" in report
    assert "state[0]" in report and "yours[2]" in report


def test_a_tuple_of_other_shapes_is_told_so():
    report = check(lambda *args: step_by_cat(*args)[:2], "online_softmax_step", seed=0).report
    assert "You returned a tuple of float32 (1,), float32 (1,), but a tuple of float32 (1,), float32 (1,)," in report


def test_a_cache_that_is_not_written_is_told_by_what_the_memory_holds():
    def not_written(memory, length, new):
        return update_by_narrow(memory.clone(), length, new)

    judged = check(not_written, "update_cache", seed=0)
    assert "✗ the memory itself is written" in judged.report and "the memory was not written" in judged.mistake


def test_a_learner_who_writes_into_the_state_is_told():
    def in_place(state, scores, values):
        right = step_by_cat(state, scores, values)
        state[1].add_(1.0)
        return right

    assert "it changed its argument state in place" in check(in_place, "online_softmax_step").report


def test_the_cause_of_the_cache_bug_shows_in_its_symptom():
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(EXERCISES["05_cache_bug"].setup, {})
    scores = eval(shown.getvalue().split("but: ")[1], {"tensor": torch.tensor})[0]
    assert scores.argmax() == 0, "the new token takes itself for the first"


def test_a_model_that_reads_its_weights_once_a_token_writes_seven_tokens_a_second():
    assert 7.0 < EXERCISES["05_bandwidth"].answer < 7.1

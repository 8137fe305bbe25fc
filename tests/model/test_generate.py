"""Generation against a loop without cache; the cache against concatenation; samplers against their sets."""

import copy
import inspect

import pytest
import torch

from minqwen.model import Qwen, QwenConfig, generate
from minqwen.model.cache import KVCache

CONFIG = QwenConfig(vocab_size=61, d_model=60, n_layers=2, n_heads=6, n_kv_heads=2, d_ff=37, max_length=32)


@pytest.fixture(scope="module")
def model():
    generator = torch.Generator().manual_seed(0)
    model = Qwen(CONFIG, generator).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def prompt(B: int, T: int) -> torch.Tensor:
    return torch.randint(0, 61, (B, T), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def without_cache(model, ids, new):
    for _ in range(new):
        ids = torch.cat([ids, model(ids)[:, -1].argmax(-1, keepdim=True)], dim=-1)
    return ids


def test_the_cache_changes_no_token(model):
    ids = prompt(3, 5)
    assert generate.generate(model, ids, 11, temperature=0.0).equal(without_cache(model, ids, 11))


def test_a_left_padded_batch_writes_what_each_prompt_alone_writes(model):
    ids = prompt(2, 7)
    is_token = torch.ones(2, 7, dtype=torch.bool)
    is_token[1, :4] = False
    together = generate.generate(model, ids, 9, temperature=0.0, is_token=is_token)
    assert together[0].equal(without_cache(model, ids[:1], 9)[0])
    assert together[1, 4:].equal(without_cache(model, ids[1:, 4:], 9)[0])


def test_a_row_ends_with_its_stop_token_and_all_rows_end_together(model):
    ids = prompt(2, 5)
    free = generate.generate(model, ids, 12, temperature=0.0)
    stop = free[0, 7].item()
    stopped = generate.generate(model, ids, 12, temperature=0.0, stop_ids=[stop])
    for row, freely in zip(stopped[:, 5:], free[:, 5:]):
        hits = freely.eq(stop).nonzero()
        end = hits[0].item() + 1 if len(hits) else len(freely)
        assert row[:end].equal(freely[: min(end, len(row))])
        assert row[end:].eq(stop).all()


def test_the_same_generator_writes_the_same_text(model):
    texts = [
        generate.generate(model, prompt(2, 3), 9, top_p=0.9, generator=torch.Generator().manual_seed(5))
        for _ in range(2)
    ]
    assert texts[0].equal(texts[1])
    other = generate.generate(model, prompt(2, 3), 9, top_p=0.9, generator=torch.Generator().manual_seed(6))
    assert not texts[0].equal(other)


@pytest.mark.parametrize(
    ("top_p", "allowed"), [(0.4, {0}), (0.5, {0}), (0.51, {0, 1}), (0.9, {0, 1, 2}), (1.0, {0, 1, 2, 3})]
)
def test_top_p_keeps_the_smallest_set_that_reaches_it(top_p, allowed):
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log().expand(2000, 4)
    drawn = generate.sample_top_p(logits, top_p, torch.Generator().manual_seed(0))
    assert set(drawn.tolist()) == allowed


@pytest.mark.parametrize("k", [1, 2, 4, 9])
def test_top_k_keeps_the_likeliest(k):
    logits = torch.tensor([[0.05, 0.3, 0.15, 0.5]]).log().expand(2000, 4)
    drawn = generate.sample_top_k(logits, k, torch.Generator().manual_seed(0))
    assert set(drawn.tolist()) == set([3, 1, 2, 0][:k])


def test_samples_follow_the_distribution_within_five_sigma():
    probs = torch.tensor([0.5, 0.3, 0.15, 0.05])
    n = 20_000
    drawn = generate.sample_top_p(probs.log().expand(n, 4), 1.0, torch.Generator().manual_seed(0))
    shares = drawn.bincount(minlength=4) / n
    assert ((shares - probs).abs() < 5 * (probs * (1 - probs) / n).sqrt()).all()


def test_a_cache_returns_everything_it_was_given():
    cache = KVCache(CONFIG, batch_size=2, capacity=7)
    k = torch.randn(2, 2, 7, 10, generator=torch.Generator().manual_seed(0))
    for layer in cache.layers:
        layer.update(k[:, :, :4], -k[:, :, :4])
        keys, values = layer.update(k[:, :, 4:], -k[:, :, 4:])
    assert keys.equal(k) and values.equal(-k) and cache.length == 7


def test_a_full_cache_names_the_capacity_it_needs():
    cache = KVCache(CONFIG, batch_size=2, capacity=7)
    with pytest.raises(ValueError, match="capacity=8 or more"):
        cache.layers[0].update(torch.zeros(2, 2, 8, 10), torch.zeros(2, 2, 8, 10))


@pytest.mark.parametrize(
    ("length", "new", "remedy"),
    [(0, 3, r"start with <\|endoftext\|>"), (30, 3, r"keep the last 29 tokens of the prompt, ids\[:, -29:\]")],
)
def test_a_prompt_that_does_not_fit_names_the_way_out(model, length, new, remedy):
    with pytest.raises(ValueError, match=remedy):
        generate.generate(model, torch.zeros(1, length, dtype=torch.long), new)


@pytest.mark.parametrize(("sample", "value"), [(generate.sample_top_p, 0.0), (generate.sample_top_k, 0)])
def test_a_sampler_that_may_keep_nothing_is_refused(sample, value):
    with pytest.raises(ValueError, match=r"use (1 to keep every token|k=1 for the likeliest)"):
        sample(torch.zeros(1, 4), value)


def test_a_refused_update_leaves_the_cache_as_it_was():
    cache = KVCache(CONFIG, batch_size=2, capacity=7)
    for layer in cache.layers:
        layer.update(torch.zeros(2, 2, 5, 10), torch.zeros(2, 2, 5, 10))
    with pytest.raises(ValueError, match="capacity=8 or more"):
        cache.layers[0].update(torch.zeros(2, 2, 3, 10), torch.zeros(2, 2, 3, 10))
    assert [layer.length for layer in cache.layers] == [5, 5]


def test_the_context_can_be_filled_to_its_last_place(model):
    assert generate.generate(model, prompt(1, 5), 27, temperature=0.0).shape == (1, 32)


def test_writing_ends_when_every_row_has_stopped(model):
    ids = prompt(1, 5)
    stop = generate.generate(model, ids, 1, temperature=0.0)[0, -1].item()
    assert generate.generate(model, ids, 9, temperature=0.0, stop_ids=[stop]).shape == (1, 6)


@pytest.mark.parametrize("options", [{"temperature": 1e-3}, {"top_p": 1e-3}], ids=["cold", "a small nucleus"])
def test_a_cold_or_narrow_sampler_takes_the_likeliest(model, options):
    greedy = generate.generate(model, prompt(3, 5), 9, temperature=0.0)
    drawn = generate.generate(model, prompt(3, 5), 9, generator=torch.Generator().manual_seed(0), **options)
    assert drawn.equal(greedy)


def test_heat_makes_rare_tokens_likelier(model):
    def different(temperature: float) -> int:
        drawn = generate.generate(
            model, prompt(1, 3).expand(64, 3), 9, temperature=temperature, generator=torch.Generator().manual_seed(0)
        )
        return drawn[:, 3:].unique().numel()

    assert different(5.0) > different(0.3)


def test_writing_keeps_no_graph(model):
    seen = []
    hook = model.register_forward_hook(lambda module, inputs, logits: seen.append(logits.requires_grad))
    generate.generate(model, prompt(1, 3), 2)
    hook.remove()
    assert seen == [False, False]


def test_what_was_written_can_be_trained_on(model):
    ids = generate.generate(model, prompt(2, 3), 5)
    model(ids).sum().backward()
    assert model.model.embed_tokens.weight.grad.isfinite().all()
    model.zero_grad()


def test_a_bfloat16_model_writes_with_a_bfloat16_cache(model):
    half = copy.deepcopy(model).bfloat16()
    assert generate.generate(half, prompt(2, 5), 3, temperature=0.0).shape == (2, 8)


def test_top_p_of_one_keeps_every_token_of_a_large_vocabulary():
    logits = torch.zeros(1, 151_936)
    logits[0, :100] = 12.0
    drawn = generate.sample_top_p(logits.expand(300, -1), 1.0, torch.Generator().manual_seed(0))
    assert (drawn >= 100).any()


def test_the_nucleus_of_half_logits_is_summed_in_float32():
    logits = torch.linspace(3, 0, 1000).bfloat16()[None]
    shares = logits.float().softmax(-1).sort(descending=True).values
    kept = int((shares.cumsum(-1) - shares < 0.9).sum())
    drawn = generate.sample_top_p(logits.expand(30_000, -1), 0.9, torch.Generator().manual_seed(0))
    last = logits.float().sort(descending=True, stable=True).indices[0, kept - 40 : kept]
    assert torch.isin(drawn, last).any()


@pytest.mark.parametrize(
    ("ids", "options", "remedy"),
    [
        pytest.param(torch.zeros(3, dtype=torch.long), {}, r"use ids\[None\] for one text", id="no batch axis"),
        pytest.param(prompt(1, 3), {"temperature": -1.0}, "use 0 for the likeliest token", id="below zero"),
        pytest.param(prompt(1, 3), {"top_p": 1.5}, "use 1 to keep every token", id="more than all"),
        pytest.param(
            prompt(1, 3), {"is_token": torch.tensor([[True, True, False]])}, "pad on the left", id="right padding"
        ),
    ],
)
def test_options_that_cannot_be_name_the_way_out(model, ids, options, remedy):
    with pytest.raises(ValueError, match=remedy):
        inspect.unwrap(generate.generate)(model, ids, 3, **options)

"""Generation against a loop without cache; the cache against concatenation; samplers against their sets.

What may be drawn, and the penalty, is held against the processors of `transformers` as well.
"""

import copy
import dataclasses
import inspect
import itertools

import pytest
import torch
from torch.testing import assert_close
from transformers.generation import logits_process

from minqwen.model import LongContext, Qwen, QwenConfig, cache, generate, long_context, sampling, stopping
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
    [
        (0, 3, r"start with <\|endoftext\|>"),
        (30, 3, r"keep the last 29 tokens of the prompt, ids\[:, -29:\]"),
        (3, 31, r"keep the last 1 tokens of the prompt, ids\[:, -1:\]"),
        (3, 32, "of 32; ask for 31 at most, or give every layer a window"),
    ],
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


@pytest.mark.parametrize(
    "options",
    [{"temperature": 1e-3}, {"top_p": 1e-3}, {"temperature": 1e-3, "top_k": 5}],
    ids=["cold", "a small nucleus", "cold, of five"],
)
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
        pytest.param(prompt(1, 3), {"top_k": 0}, "use k=1 for the likeliest", id="no token"),
        pytest.param(prompt(1, 3), {"repetition_penalty": 0.0}, "use 1 for none", id="a penalty of 0"),
        pytest.param(prompt(1, 3), {"stop_ids": [[]]}, "leave it out", id="an empty sequence"),
        pytest.param(prompt(1, 3), {"stop_strings": [""], "decode": str}, "leave it out", id="an empty string"),
        pytest.param(prompt(1, 3), {"stop_strings": ["a"]}, "give decode=tokenizer.decode", id="no decoder"),
        pytest.param(prompt(1, 3), {"stop_strings": "a", "decode": str}, r'use \["a"\]', id="one string"),
        pytest.param(
            prompt(1, 3), {"is_token": torch.tensor([[True, True, False]])}, "pad on the left", id="right padding"
        ),
    ],
)
def test_options_that_cannot_be_name_the_way_out(model, ids, options, remedy):
    with pytest.raises(ValueError, match=remedy):
        list(inspect.unwrap(generate.stream)(model, ids, 3, **options))


def test_fewer_new_tokens_than_none_are_refused(model):
    with pytest.raises(ValueError, match="use 0 for none"):
        generate.generate(model, prompt(1, 3), -1)
    assert generate.generate(model, prompt(1, 3), 0).equal(prompt(1, 3))


OPTIONS = {
    "greedy": {"temperature": 0.0},
    "sampled": {"top_p": 0.9, "temperature": 0.8},
    "top-k": {"top_k": 5},
    "penalised": {"temperature": 0.0, "repetition_penalty": 1.5},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded on the left"])
def test_the_cache_changes_no_token_of_a_batch(model, padded, options):
    is_token = torch.arange(7)[None] >= torch.tensor([[0], [3], [6]]) if padded else None
    texts = [
        generate.generate(
            model, prompt(3, 7), 13, is_token=is_token, use_cache=use_cache, generator=generator, **options
        )
        for use_cache, generator in zip((True, False), [torch.Generator().manual_seed(0) for _ in range(2)])
    ]
    assert texts[0].equal(texts[1])


def test_a_stream_gives_the_tokens_of_generate_one_by_one(model):
    options = {"top_p": 0.9, "stop_ids": [7]}
    whole = generate.generate(model, prompt(3, 5), 9, generator=torch.Generator().manual_seed(0), **options)
    new = generate.stream(model, prompt(3, 5), 9, generator=torch.Generator().manual_seed(0), **options)
    assert torch.stack(list(new), dim=-1).equal(whole[:, 5:])


def test_a_stream_computes_a_token_when_it_is_asked_for(model):
    calls = []
    hook = model.register_forward_hook(lambda *_: calls.append(1))
    new = generate.stream(model, prompt(1, 5), 9)
    assert len(calls) == 0
    assert len(list(itertools.islice(new, 3))) == 3 == len(calls)
    hook.remove()
    assert not torch.is_inference_mode_enabled(), "the reader of a stream is left in torch's ordinary mode"


@pytest.mark.parametrize("k", [1, 3, 61, 99])
def test_what_top_k_keeps_is_what_transformers_keeps(k):
    logits = torch.randn(5, 61, generator=torch.Generator().manual_seed(0))
    theirs = logits_process.TopKLogitsWarper(k)(None, logits)
    assert sampling.keep_top_k(logits, k).equal(theirs)


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9, 1.0])
def test_what_top_p_keeps_is_what_transformers_keeps(top_p):
    logits = 3 * torch.randn(5, 61, generator=torch.Generator().manual_seed(0))
    theirs = logits_process.TopPLogitsWarper(top_p)(None, logits)
    assert sampling.keep_top_p(logits, top_p).equal(theirs)


@pytest.mark.parametrize("penalty", [0.8, 1.0, 1.3])
def test_the_penalty_is_that_of_transformers_and_of_its_definition(penalty):
    logits, ids = torch.randn(3, 61, generator=torch.Generator().manual_seed(0)), prompt(3, 11)
    ours = sampling.penalise_repetition(logits, sampling.seen_tokens(ids, 61), penalty)
    assert_close(ours, logits_process.RepetitionPenaltyLogitsProcessor(penalty)(ids, logits))
    for b, v in itertools.product(range(3), range(61)):
        x = logits[b, v].item()
        expected = x if v not in ids[b].tolist() else x / penalty if x > 0 else x * penalty
        assert ours[b, v].item() == pytest.approx(expected)


def test_a_penalty_never_makes_a_seen_token_likelier():
    logits = torch.randn(3, 61, generator=torch.Generator().manual_seed(0))
    seen = sampling.seen_tokens(prompt(3, 11), 61)
    assert (sampling.penalise_repetition(logits, seen, 1.2)[seen] < logits[seen]).all()


def test_padding_was_not_said():
    ids = torch.tensor([[9, 9, 4, 5], [1, 2, 3, 9]])
    is_token = torch.tensor([[False, False, True, True], [True] * 4])
    seen = sampling.seen_tokens(ids, 11, is_token)
    assert [row.nonzero().flatten().tolist() for row in seen] == [[4, 5], [1, 2, 3, 9]]


def test_with_a_heavy_penalty_no_token_comes_twice(model):
    ids = generate.generate(model, prompt(2, 3), 20, temperature=0.0, repetition_penalty=1e6)
    assert all(len(set(row.tolist())) == 20 for row in ids[:, 3:])
    assert len(set(generate.generate(model, prompt(2, 3), 20, temperature=0.0)[0, 3:].tolist())) < 20


def test_top_k_and_top_p_together_keep_what_both_keep(model):
    logits = torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log()
    kept = sampling.keep_top_p(sampling.keep_top_k(logits, 3), 0.7)  # of the three: 0.44, 0.33, 0.22
    assert kept.isfinite().tolist() == [[True, True, False, False]]
    narrow = generate.generate(model, prompt(3, 5), 9, top_k=1, generator=torch.Generator().manual_seed(0))
    assert narrow.equal(generate.generate(model, prompt(3, 5), 9, temperature=0.0))


def test_a_sequence_of_tokens_ends_a_row_only_as_a_whole(model):
    free = generate.generate(model, prompt(2, 5), 12, temperature=0.0)
    end = free[0, 8:10].tolist()
    stopped = generate.generate(model, prompt(2, 5), 12, temperature=0.0, stop_ids=[end])
    for row, freely in zip(stopped[:, 5:].tolist(), free[:, 5:].tolist()):
        ends = [i + 2 for i in range(len(freely) - 1) if freely[i : i + 2] == end]
        stop = ends[0] if ends else len(freely)
        assert row[:stop] == freely[: min(stop, len(row))]
        assert row[stop:] == [row[stop - 1]] * len(row[stop:])


def test_a_sequence_that_the_prompt_has_begun_does_not_end_the_row(model):
    ids = prompt(20, 5)
    free = generate.generate(model, ids, 9, temperature=0.0).tolist()
    once = [b for b, row in enumerate(free) if row[4:6] not in [row[i : i + 2] for i in range(5, 13)]]
    assert once, "rows where the last token of the prompt and the first new one come once"
    for b in once:
        stopped = generate.generate(model, ids[b : b + 1], 9, temperature=0.0, stop_ids=[free[b][4:6]])
        assert stopped.tolist() == [free[b]]


def test_a_string_ends_a_row_wherever_its_tokens_are_cut(model):
    letters = "abcdefgh"

    def decode(ids):
        return "".join(letters[i % 8] + letters[i // 8] for i in ids)  # two letters a token

    ids = prompt(2, 5)
    free = generate.generate(model, ids, 12, temperature=0.0)
    string = decode(free[0, 5:].tolist())[3:6]  # begins and ends inside a token
    stopped = generate.generate(model, ids, 12, temperature=0.0, stop_strings=[string], decode=decode)
    for row, freely in zip(stopped[:, 5:].tolist(), free[:, 5:].tolist()):
        ends = [n for n in range(1, 13) if string in decode(freely[:n])]
        stop = ends[0] if ends else 12
        assert row[:stop] == freely[: min(stop, len(row))] and row[stop:] == [row[stop - 1]] * len(row[stop:])


def test_the_first_of_several_strings_ends_a_row(model):
    ids, decode = prompt(1, 5), lambda ids: "".join(chr(97 + i % 26) for i in ids)
    string = decode(generate.generate(model, ids, 12, temperature=0.0)[0, 5:].tolist())
    found = {}
    for strings in ([string[3:5]], [string[6:8]], [string[3:5], string[6:8]], ["?", string[3:5]]):
        found[tuple(strings)] = generate.generate(
            model, ids, 12, temperature=0.0, stop_strings=strings, decode=decode
        ).shape[1]
    one, other, both, beside = found.values()
    assert one == beside != other and both == min(one, other)


def test_a_row_that_a_sequence_ended_stays_ended_beside_single_stop_tokens():
    stops = stopping.Stops(2, [[1, 2], 9])
    states = []
    for new in ([1, 5], [2, 5], [2, 5], [2, 9], [2, 9]):
        stops.read(torch.tensor(new))
        states.append(stops.stopped.tolist())
    assert states == [[False, False], [True, False], [True, False], [True, True], [True, True]]


@pytest.mark.parametrize("length", [0, 3])
def test_an_update_writes_behind_what_is_filled_and_copies_nothing(length):
    memory, new = torch.zeros(2, 3, 11, 5), torch.randn(2, 3, 7, 5, generator=torch.Generator().manual_seed(0))
    filled = cache.update_cache(memory, length, new)
    assert filled.shape == (2, 3, length + 7, 5) and filled.data_ptr() == memory.data_ptr()
    assert memory[:, :, length : length + 7].equal(new) and memory[:, :, length + 7 :].eq(0).all()


# past the trained length (32)

WINDOWS = {
    "a window of the trained length": LongContext(windows=(32, 32)),
    "windows that grow": LongContext(windows=(8, 64)),
    "with LogN": LongContext(logn=True, windows=(32, 64)),
}


@pytest.fixture
def reading_on(model):
    """The model in float64, for settings of its own."""
    return copy.deepcopy(model).double()


def differing(texts: torch.Tensor, others: torch.Tensor) -> int:
    return int((texts != others).sum())


@pytest.mark.parametrize("settings", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded on the left"])
def test_with_windows_the_cache_changes_no_token_past_the_trained_length(reading_on, settings, padded):
    reading_on.long_context = settings
    is_token = torch.arange(7)[None] >= torch.tensor([[0], [3], [6]]) if padded else None
    how = {"is_token": is_token, "temperature": 0.0}
    cached = generate.generate(reading_on, prompt(3, 7), 70, **how)
    assert cached.shape == (3, 77)
    assert cached.equal(generate.generate(reading_on, prompt(3, 7), 70, use_cache=False, **how))


def test_within_one_chunk_of_ntk_the_cache_changes_no_token(reading_on):
    reading_on.long_context = LongContext("ntk", logn=True)
    cached = generate.generate(reading_on, prompt(3, 33), 31, temperature=0.0)
    assert cached.equal(generate.generate(reading_on, prompt(3, 33), 31, temperature=0.0, use_cache=False))
    assert cached.shape == (3, 64)


def test_with_a_cache_ntk_writes_on_by_the_alpha_of_its_prompt(reading_on):
    reading_on.long_context = LongContext("ntk")
    frozen = generate.generate(reading_on, prompt(3, 40), 60, temperature=0.0)
    fresh = generate.generate(reading_on, prompt(3, 40), 60, temperature=0.0, use_cache=False)
    assert differing(frozen, fresh), "without a cache alpha goes from 3 to 7"
    base = long_context.ntk_base(10_000.0, 3, CONFIG.d_head)
    rebased = Qwen(dataclasses.replace(CONFIG, rope_base=base, max_length=100)).double()
    rebased.load_state_dict(reading_on.state_dict())
    assert frozen.equal(generate.generate(rebased, prompt(3, 40), 60, temperature=0.0, use_cache=False))


def test_with_a_cache_interpolation_writes_on_by_the_factor_of_its_prompt(reading_on, monkeypatch):
    reading_on.long_context = LongContext("interpolated")
    frozen = generate.generate(reading_on, prompt(3, 40), 30, temperature=0.0)
    assert differing(frozen, generate.generate(reading_on, prompt(3, 40), 30, temperature=0.0, use_cache=False))
    monkeypatch.setattr(long_context, "interpolate_positions", lambda positions, factor: positions.double() / (40 / 32))
    assert frozen.equal(generate.generate(reading_on, prompt(3, 40), 30, temperature=0.0, use_cache=False))


@pytest.mark.parametrize("settings", [LongContext(), LongContext(logn=True)], ids=["as trained", "LogN alone"])
def test_a_model_that_is_not_made_for_it_refuses_and_its_way_out_works(reading_on, settings):
    reading_on.long_context = settings
    with pytest.raises(ValueError, match=r"or ask for fewer, or give every layer a window: ") as refusal:
        generate.stream(reading_on, prompt(1, 5), 28)
    reading_on.long_context = eval(str(refusal.value).split("model.long_context = ")[1], {"LongContext": LongContext})
    assert generate.generate(reading_on, prompt(1, 5), 28).shape == (1, 33)

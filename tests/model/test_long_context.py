"""Long contexts against `transformers`: its scaled frequencies, its sliding windows, its Qwen2 with both.

What `transformers` does not have, alpha by chunks and LogN, is held against the numbers and the loop of the first
Qwen's published rules. Whole models: what is off or not needed changes no bit.
"""

import json
import math

import pytest
import torch
from torch.testing import assert_close
from transformers import Qwen2Config, Qwen2ForCausalLM
from transformers.masking_utils import sliding_window_causal_mask_function
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from minqwen.model import LongContext, Qwen, QwenConfig, attention, long_context, rope
from minqwen.model.block import SelfAttention
from minqwen.model.cache import KVCache

SIZES = {"vocab_size": 61, "d_model": 42, "n_layers": 3, "n_heads": 3, "n_kv_heads": 3, "d_ff": 37}
L = 8
CONFIG = QwenConfig(**SIZES, max_length=L)
EVERYTHING = LongContext("ntk", logn=True, windows=(8, 16, 32))


def model(settings: LongContext | None = None, **changes) -> Qwen:
    """A small Qwen with weights large enough that every part matters."""
    made = Qwen(QwenConfig(**{**SIZES, "max_length": L, **changes}), torch.Generator().manual_seed(0), settings)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return made.double()


def ids(B: int, T: int) -> torch.Tensor:
    return torch.randint(0, 61, (B, T), generator=torch.Generator().manual_seed(2))


# alpha, base, interpolation


def test_alpha_by_chunks_is_that_of_the_first_qwen():
    by_chunk = {2048: 1, 2049: 3, 4096: 3, 4097: 7, 8192: 7, 8193: 15, 16384: 15, 16385: 31}
    assert {n: long_context.ntk_alpha(n, 2048) for n in by_chunk} == by_chunk
    assert all(long_context.ntk_alpha(n, 2048) == 1 for n in (1, 2, 1023, 1024, 2047))


@pytest.mark.parametrize("trained", [1, 7, 256, 2048])
def test_alpha_doubles_its_chunks_by_counting(trained):
    for n in range(1, 40 * trained, max(trained // 7, 1)):
        room, alpha = trained, 1
        while room < n:
            room, alpha = 2 * room, 2 * alpha + 1
        assert long_context.ntk_alpha(n, trained) == alpha, n


def test_the_bases_of_a_head_of_128_are_those_of_the_first_qwen():
    bases = [long_context.ntk_base(10_000.0, alpha, 128) for alpha in (1.0, 3.0, 7.0, 15.0)]
    assert bases == pytest.approx([10_000, 30_527.7, 72_195.9, 156_588.3], abs=0.05)


@pytest.mark.parametrize(("length", "factor"), [(64, 1.0), (300, 1.0), (300, 2.0), (1000, 4.0)])
def test_the_frequencies_of_a_base_equal_transformers_dynamic_ntk(length, factor):
    parameters = {"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": factor}
    config = Qwen2Config(hidden_size=42, num_attention_heads=3, max_position_embeddings=64, rope_parameters=parameters)
    theirs, _ = ROPE_INIT_FUNCTIONS["dynamic"](config, torch.device("cpu"), seq_len=length)
    base = long_context.ntk_base(10_000.0, factor * length / 64 - (factor - 1), 14)
    assert_close(rope.rope_angles(torch.ones(1), 14, base)[0], theirs)


@pytest.mark.parametrize("alpha", [1.0, 3.0, 7.0, 31.0])
def test_the_fastest_pair_keeps_its_speed_and_the_slowest_is_slowed_by_alpha(alpha):
    before = rope.rope_angles(torch.ones(1).double(), 14, 10_000.0)[0]
    after = rope.rope_angles(torch.ones(1).double(), 14, long_context.ntk_base(10_000.0, alpha, 14))[0]
    assert after[0] == before[0] and (after[1:] <= before[1:]).all()
    assert_close(before[-1] / after[-1], torch.tensor(alpha).double())


def test_interpolated_angles_equal_transformers_linear_scaling():
    parameters = {"rope_type": "linear", "rope_theta": 10_000.0, "factor": 3.0}
    config = Qwen2Config(hidden_size=42, num_attention_heads=3, rope_parameters=parameters)
    theirs, _ = ROPE_INIT_FUNCTIONS["linear"](config, torch.device("cpu"))
    positions = torch.arange(40)
    ours = rope.rope_angles(long_context.interpolate_positions(positions, 3.0), 14)
    assert_close(ours, positions[:, None] * theirs)


def test_a_factor_or_an_alpha_of_one_changes_no_bit():
    positions = torch.arange(300)
    assert long_context.interpolate_positions(positions, 1.0).equal(positions.float())
    assert long_context.ntk_base(10_000.0, 1.0, 32) == 10_000.0


# LogN


def test_logn_is_the_loop_of_the_first_qwen():
    trained = 13
    table = [math.log(i, trained) if i > trained else 1.0 for i in range(1, 500)]
    ours = long_context.logn_scale(torch.arange(499).double(), trained)
    assert_close(ours, torch.tensor(table, dtype=torch.float64))
    assert (ours[:trained] == 1).all() and (ours.diff() >= 0).all()


def test_logn_goes_on_where_the_table_of_the_first_qwen_ends():
    last, after = long_context.logn_scale(torch.tensor([32_767, 99_999]), 2048).tolist()
    assert last == pytest.approx(math.log(32_768, 2048)) and after == pytest.approx(math.log(100_000, 2048))


def test_logn_of_bfloat16_positions_is_computed_in_float32():
    assert long_context.logn_scale(torch.arange(9).bfloat16(), 4).dtype == torch.float32


@torch.no_grad()
def test_logn_scales_the_query_and_nothing_else():
    layer = SelfAttention(CONFIG).double()
    x = torch.randn(2, 11, 42, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    angles, scale = rope.rope_angles(torch.arange(11).double()[None], 14), torch.linspace(1, 2, 11).double()[None]
    q, k, v = layer.queries_keys_values(x, angles)
    scaled, same_k, same_v = layer.queries_keys_values(x, angles, scale)
    assert same_k.equal(k) and same_v.equal(v)
    assert_close(scaled @ k.mT, (q @ k.mT) * scale[:, None, :, None])


# windows


@pytest.mark.parametrize(("T", "S", "window"), [(7, 7, 3), (3, 11, 5), (7, 7, 1), (5, 5, 99), (1, 13, 4), (5, 2, 3)])
def test_a_window_equals_transformers_sliding_window(T, S, window):
    sees = sliding_window_causal_mask_function(window)
    expected = [[bool(sees(0, 0, torch.tensor(t + S - T), torch.tensor(s))) for s in range(S)] for t in range(T)]
    assert long_context.window_mask(T, S, window).tolist() == expected


def test_a_window_as_wide_as_the_text_is_the_causal_mask():
    for T, S in ((5, 5), (2, 7)):
        assert long_context.window_mask(T, S, S).equal(attention.causal_mask(T, S))


def test_windows_double_with_the_layers():
    assert long_context.doubling_windows(6, first=256, every=2) == (256, 256, 512, 512, 1024, 1024)
    assert long_context.doubling_windows(9, first=2048, every=4)[3:] == (2048, 4096, 4096, 4096, 4096, 8192)


# whole models

SETTINGS = {
    "interpolated": LongContext("interpolated"),
    "ntk": LongContext("ntk"),
    "logn": LongContext(logn=True),
    "windows": LongContext(windows=(8, 16, 32)),
    "everything": EVERYTHING,
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@torch.no_grad()
def test_up_to_the_trained_length_no_setting_changes_a_bit(settings):
    off, on = model(), model(settings)
    for T in (1, 5, L):
        assert on(ids(2, T)).equal(off(ids(2, T)))
    is_token = torch.ones(2, L, dtype=torch.bool)
    is_token[1, :3] = False
    assert on(ids(2, L), is_token).equal(off(ids(2, L), is_token))
    assert not on(ids(2, 2 * L)).allclose(off(ids(2, 2 * L))), "and past it, each does something"


@torch.no_grad()
def test_without_settings_a_model_is_its_blocks_on_causal_masks_to_the_bit():
    off, T = model(), 3 * L
    x = off.model.embed_tokens(ids(2, T))
    angles = rope.rope_angles(torch.arange(T).double()[None], CONFIG.d_head, CONFIG.rope_base)
    for block in off.model.layers:
        x = block(x, angles, attention.causal_mask(T, T)[None, None])
    assert off(ids(2, T)).equal(off.lm_head(off.model.norm(x)))


def theirs(ours: Qwen, **changes) -> Qwen2ForCausalLM:
    config = Qwen2Config(**ours.config.to_hub() | changes, attn_implementation="eager", attention_dropout=0.0)
    made = Qwen2ForCausalLM(config).eval()
    made.load_state_dict(ours.state_dict())
    return made


@pytest.mark.parametrize("T", [2 * L - 1, 2 * L + 1, 8 * L])
@torch.no_grad()
def test_a_model_with_ntk_equals_transformers_with_that_base(T):
    ours = model(LongContext("ntk")).float()
    base = long_context.ntk_base(10_000.0, long_context.ntk_alpha(T, L), 14)
    expected = theirs(ours, rope_theta=base, rope_parameters={"rope_type": "default", "rope_theta": base})(ids(2, T))
    assert_close(ours(ids(2, T)) / 100, expected.logits / 100, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_model_with_interpolation_equals_transformers_with_linear_scaling():
    ours, T = model(LongContext("interpolated")).float(), 3 * L
    parameters = {"rope_type": "linear", "rope_theta": 10_000.0, "factor": 3.0}
    expected = theirs(ours, rope_parameters=parameters)(ids(2, T)).logits
    assert_close(ours(ids(2, T)) / 100, expected / 100, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_model_with_windows_equals_transformers_with_sliding_layers():
    ours, T = model(LongContext(windows=(5, 5, 99))).float(), 3 * L
    layers = ["sliding_attention", "sliding_attention", "full_attention"]
    expected = theirs(ours, use_sliding_window=True, sliding_window=5, max_window_layers=1, layer_types=layers)
    assert_close(ours(ids(2, T)) / 100, expected(ids(2, T)).logits / 100, atol=1e-5, rtol=0)


@torch.no_grad()
def test_in_a_layer_with_a_window_nothing_counts_further_than_the_window():
    positions, window = torch.arange(5 * L).double()[None], 2 * L
    found = long_context.places(LongContext("ntk", True, (window,)), CONFIG, positions, (5 * L,), None, 5 * L, window)
    base = long_context.ntk_base(10_000.0, long_context.ntk_alpha(window, L), 14)
    assert found.angles.equal(rope.rope_angles(positions, 14, base))
    assert found.query_scale.max() == pytest.approx(math.log(window, L))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@torch.no_grad()
def test_each_row_of_a_padded_batch_is_read_by_its_own_length(settings):
    on, T = model(settings), 4 * L
    lengths, batch = [T, 2 * L - 3, L - 1], ids(3, T)
    is_token = torch.arange(T) >= T - torch.tensor(lengths)[:, None]
    padded = on(batch, is_token)
    for row, n in enumerate(lengths):
        assert_close(padded[row, -n:], on(batch[row : row + 1, -n:])[0])


def decoded(on: Qwen, batch: torch.Tensor, prompt: int, is_token: torch.Tensor | None = None) -> torch.Tensor:
    """The logits of a prompt read at once and the rest token by token."""
    T, cache = batch.shape[1], KVCache(on.config, len(batch), batch.shape[1], torch.float64)
    steps = [(0, prompt), *((t, t + 1) for t in range(prompt, T))]
    pieces = [on(batch[:, a:b], None if is_token is None else is_token[:, :b], cache) for a, b in steps]
    return torch.cat(pieces, dim=1)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@torch.no_grad()
def test_within_a_chunk_decoding_equals_one_pass(settings):
    if settings.positions == "interpolated":
        settings = LongContext("interpolated", logn=True)
        on, batch = model(settings), ids(2, L)  # its factor changes with every token past the trained length
    else:
        on, batch = model(settings), ids(2, 4 * L)
    T = batch.shape[1]
    is_token = torch.ones(2, T, dtype=torch.bool)
    is_token[1, : T // 8] = False
    assert_close(decoded(on, batch, T // 2 + T // 4), on(batch))
    assert_close(decoded(on, batch, T // 2 + T // 4, is_token)[is_token], on(batch, is_token)[is_token])


@torch.no_grad()
def test_while_decoding_alpha_stays_that_of_the_prompt():
    on, batch = model(LongContext("ntk")), ids(2, 4 * L)
    frozen = decoded(on, batch, prompt=2 * L)
    assert_close(frozen, model(rope_base=long_context.ntk_base(10_000.0, 3.0, 14))(batch))
    assert not frozen[:, -1].allclose(on(batch)[:, -1], atol=1e-3), "a pass over the whole text has alpha 7"


@torch.no_grad()
def test_a_row_of_padding_alone_disturbs_nothing():
    on, batch, is_token = model(LongContext("ntk", logn=True)), ids(2, 3 * L), torch.ones(2, 3 * L, dtype=torch.bool)
    is_token[1] = False
    assert_close(on(batch, is_token)[0], on(batch[:1])[0])
    assert on(batch, is_token).isfinite().all()


@torch.no_grad()
def test_a_bfloat16_model_counts_its_positions_in_float32():
    on, T = Qwen(CONFIG).bfloat16(), 300  # bfloat16 cannot tell 257 from 256
    hook = on.model.layers[0].self_attn.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    seen = []
    on(ids(1, T))
    hook.remove()
    assert_close(seen[0][0], rope.rope_angles(torch.arange(T), CONFIG.d_head, CONFIG.rope_base))


# bad input


@pytest.mark.parametrize("alpha", [0.99, 0.0, -1.0, math.nan])
def test_an_alpha_below_one_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha=1 changes nothing"):
        long_context.ntk_base(10_000.0, alpha, 32)


@pytest.mark.parametrize("factor", [0.5, 0.0, math.nan])
def test_a_factor_below_one_is_refused(factor):
    with pytest.raises(ValueError, match="use max\\(length / trained_length, 1\\)"):
        long_context.interpolate_positions(torch.arange(3), factor)


@pytest.mark.parametrize("window", [0, -3])
def test_a_window_of_nothing_is_refused(window):
    for make in (lambda: long_context.window_mask(3, 3, window), lambda: LongContext(windows=(8, window, 8))):
        with pytest.raises(ValueError, match="use 1 or more, or no window"):
            make()


@pytest.mark.parametrize(("length", "trained"), [(0, 8), (8, 0), (-1, 8)])
def test_lengths_without_tokens_are_refused(length, trained):
    with pytest.raises(ValueError, match="must be 1 or more"):
        long_context.ntk_alpha(length, trained)


def test_other_bad_settings_name_the_way_out():
    with pytest.raises(ValueError, match="it must be 2 or more"):
        long_context.logn_scale(torch.arange(3), 1)
    with pytest.raises(ValueError, match="use d_head=4 or more"):
        long_context.ntk_base(10_000.0, 3.0, 2)
    with pytest.raises(ValueError, match="must be 1 or more layers"):
        long_context.doubling_windows(6, 256, 0)
    with pytest.raises(ValueError, match="choose one of as trained, interpolated, ntk"):
        LongContext("NTK")
    with pytest.raises(ValueError, match="give one for each, such as"):
        model(LongContext(windows=(8, 16)))


# files


def test_settings_are_of_the_use_and_not_of_the_file(tmp_path):
    on = model(EVERYTHING).float()
    on.save_pretrained(tmp_path / "on")
    model().float().save_pretrained(tmp_path / "off")
    assert (tmp_path / "on" / "config.json").read_bytes() == (tmp_path / "off" / "config.json").read_bytes()
    assert json.loads((tmp_path / "on" / "config.json").read_text("utf-8"))["max_position_embeddings"] == L
    assert Qwen.from_pretrained(tmp_path / "on").long_context == LongContext()
    again = Qwen.from_pretrained(tmp_path / "on", EVERYTHING)
    with torch.no_grad():
        assert again(ids(1, 3 * L)).equal(on(ids(1, 3 * L)))
        read = Qwen2ForCausalLM.from_pretrained(tmp_path / "on").eval()
        assert_close(read(ids(1, L)).logits / 100, on(ids(1, L)) / 100, atol=1e-5, rtol=0)

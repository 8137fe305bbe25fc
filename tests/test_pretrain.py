"""The pre-training tool: bits per byte of a model that knows nothing, and a run of three steps from end to end."""

import functools
import json
import math
import re
import shutil

import pytest
import torch
from tqdm import tqdm

import pretrain
from minqwen import assets
from minqwen.data import corpus
from minqwen.model import Qwen, QwenConfig, training
from minqwen.tokenizer import Tokenizer

SMALL = QwenConfig(d_model=12, n_layers=1, n_heads=2, n_kv_heads=2, d_ff=8, max_length=16)


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_pretrained(assets.TINY_QWEN)


@pytest.fixture
def few_documents(monkeypatch):
    """Forty poems and three pages of plays for training, as many others held out."""
    zh, en = corpus.load("held_out", "zh")[:80], corpus.load("held_out", "en")[:6]
    documents = {"train": zh[:40] + en[:3], "held_out": zh[40:] + en[3:]}
    monkeypatch.setattr(
        corpus, "load", lambda split, language=None: [d for d in documents[split] if language in (None, d.language)]
    )
    return documents


@pytest.fixture
def short_run(tmp_path, monkeypatch, few_documents):
    """Three steps of a small model, measured after each; call it for the folder and the text of the log."""
    folder, log = tmp_path / "model", tmp_path / "runs" / "log.jsonl"
    shutil.copytree(assets.TINY_QWEN, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    monkeypatch.setattr(pretrain, "QwenConfig", lambda: SMALL)
    monkeypatch.setattr(pretrain, "RECIPE", {**pretrain.RECIPE, "steps": 3, "warmup": 1})
    monkeypatch.setattr(pretrain, "EVALUATE_EVERY", 1)

    def run():
        pretrain.pretrain(folder, log)
        return folder, log.read_text("utf-8")

    return run


@pytest.mark.parametrize("language", corpus.LANGUAGES)
def test_bits_per_byte_are_those_of_held_out_texts_of_one_language(language, tokenizer, few_documents):
    windows = pretrain.HeldOut(tokenizer, language, length=16).windows
    told = [document.text for document in few_documents["held_out"] if document.language == language]
    joined = "".join("<|endoftext|>" + text for text in told)
    assert len(windows) > 9 and joined.startswith(tokenizer.decode(windows.flatten().tolist()[:-3]))


def test_training_reads_every_training_text_in_an_order_that_the_generator_draws(tokenizer, few_documents):
    documents = pretrain.training_documents(tokenizer)

    def read(seed):
        windows = pretrain.shuffled_windows(documents, tokenizer, 16, torch.Generator().manual_seed(seed))
        return tokenizer.decode(windows.flatten().tolist()).split("<|endoftext|>")[1:-1]  # the last one may be cut

    texts = [document.text for document in few_documents["train"]]
    first, second = read(0), read(1)
    assert len(first) == len(texts) - 1 and set(first) < set(texts)
    assert first != second and first != [text for text in texts if text in first]


def test_a_model_that_knows_nothing_needs_the_logarithm_of_the_vocabulary_a_token(tokenizer, few_documents):
    model = Qwen(SMALL)
    torch.nn.init.zeros_(model.lm_head.weight)
    held_out = pretrain.HeldOut(tokenizer, "zh", length=16)
    tokens = held_out.windows[:, 1:].numel()
    expected = tokens * math.log2(4096) / sum(held_out.bytes)
    assert held_out.bits_per_byte(model, len(held_out.windows)) == pytest.approx(expected, rel=1e-5)


def test_the_bytes_of_a_window_are_those_of_its_text_without_control_tokens(tokenizer, few_documents):
    held_out = pretrain.HeldOut(tokenizer, "zh", length=16)
    texts = [tokenizer.decode(window[1:]).replace("<|endoftext|>", "") for window in held_out.windows.tolist()]
    whole = [(n, text) for n, text in zip(held_out.bytes, texts) if "\N{REPLACEMENT CHARACTER}" not in text]
    assert len(whole) > 10 and all(n == len(text.encode()) for n, text in whole)


def test_a_run_logs_its_recipe_and_leaves_a_model_that_loads(short_run, monkeypatch):
    monkeypatch.setattr(pretrain, "EVALUATE_EVERY", 200)
    folder, log = short_run()
    recipe, first, measured, final = (json.loads(line) for line in log.splitlines())
    assert recipe["parameters"] == SMALL.n_parameters and first["step"] == 0
    assert first["loss"] == pytest.approx(math.log(4096), abs=0.2)
    assert measured["bits_per_byte"].keys() == final["final_bits_per_byte"].keys() == {"en", "zh"}
    assert re.findall(r"\d\.\d{6,}", log) == [], "five digits are enough, in lists and tables too"
    assert Qwen.from_pretrained(folder).config == SMALL
    assert not folder.with_name("model.state").exists()


def test_the_best_checkpoint_by_both_languages_is_kept_and_measured_again(short_run, monkeypatch):
    bits, seen = iter([3, 3, 2, 1, 1, 9, 0, 0]), []  # English, Chinese; after each step, then of what was kept

    def measured(held_out, model, n_windows):
        seen.append(model.lm_head.weight.detach().bfloat16())
        return float(next(bits))

    monkeypatch.setattr(pretrain.HeldOut, "bits_per_byte", measured)
    folder, _ = short_run()
    kept = Qwen.from_pretrained(folder).lm_head.weight.bfloat16()
    assert [torch.equal(kept, weight) for weight in seen[::2]] == [False, True, False, True]


def test_an_interrupted_run_goes_on_to_the_same_model_and_log(short_run, monkeypatch):
    def told(log):
        records = [json.loads(line) for line in log.splitlines()]
        return [{k: v for k, v in r.items() if k not in ("seconds", "tokens_per_second")} for r in records]

    folder, log = short_run()
    whole = (folder / "model.safetensors").read_bytes(), told(log)
    (folder / "model.safetensors").unlink()
    saves, save = [], training.Run.save

    def interrupted(run):
        save(run)
        saves.append(run.step)
        if len(saves) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(training.Run, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        short_run()
    folder, log = short_run()
    assert saves == [1, 2, 3], "the third step alone was left to do"
    assert ((folder / "model.safetensors").read_bytes(), told(log)) == whole


def test_whoever_waits_sees_the_steps_go_by(short_run, monkeypatch, capsys):
    monkeypatch.setattr(pretrain, "tqdm", functools.partial(tqdm, disable=False))  # whatever TQDM_DISABLE says
    short_run()
    assert "pre-training: 100%" in (told := capsys.readouterr().err) and "3/3" in told

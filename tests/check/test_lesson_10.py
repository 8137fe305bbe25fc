"""Lesson 10: what the statements claim, and answers in other words. Oracles: `align.chatml`, torch, `align.sft`."""

import contextlib
import io
import itertools

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from minqwen import assets
from minqwen.align import answers, chatml, sft
from minqwen.check import EXERCISES, chats, check, using
from minqwen.model import Qwen, QwenConfig
from minqwen.tokenizer import Tokenizer

TOKENIZER = Tokenizer.from_pretrained(assets.TINY_QWEN)
TALK = [{"role": "user", "content": "How many? a b"}, {"role": "assistant", "content": "2"}]


def solved(name):
    """The names that the setup of an exercise and its solution leave in a notebook."""
    cells = {"torch": torch, "Tensor": torch.Tensor}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(f"{EXERCISES[name].setup}\n\n{EXERCISES[name].stub}\n{EXERCISES[name].solution}", cells)
    return cells


def by_pieces(messages, tokenizer, max_length=None):
    control = tokenizer.control_ids
    said = list(messages) if messages[0]["role"] == "system" else [{"role": "system", "content": DEFAULT}, *messages]
    said += [{"role": "assistant", "content": None}] if said[-1]["role"] == "user" else []
    pieces = []
    for message in said:
        pieces += [control["<|im_start|>"], message["role"] + "\n"]
        pieces += [] if message["content"] is None else [message["content"], control["<|im_end|>"], "\n"]
    encoded = [[piece] if type(piece) is int else tokenizer.encode(piece) for piece in pieces]
    return list(itertools.chain.from_iterable(encoded))


def by_ids(messages, tokenizer, mode="assistant_only"):
    mask, speaks, head = [], "", ""
    start, end = tokenizer.control_ids["<|im_start|>"], tokenizer.control_ids["<|im_end|>"]
    for token in by_pieces(messages, tokenizer):
        if token == start:
            head, closed = "", False
            mask.append(mode == "qwen_official")
        elif "\n" not in head:
            head += tokenizer.decode([token])
            speaks = head.strip()
            mask.append(False)
        elif token == end:
            closed = True
            mask.append(mode == "qwen_official" or speaks == "assistant")
        else:
            mask.append(mode == "qwen_official" if closed else speaks == "assistant")
    return mask


DEFAULT = chatml.DEFAULT_SYSTEM


def named(function, name):
    function.__name__ = name
    return function


@pytest.mark.parametrize(("name", "answer"), [("encode_chat", by_pieces), ("loss_mask", by_ids)])
def test_a_right_answer_in_other_words_passes(name, answer):
    assert check(named(answer, name), name)


@pytest.mark.parametrize("name", ["encode_chat", "loss_mask"])
@pytest.mark.parametrize("talk", [TALK, [{"role": "system", "content": "Be brief."}, *TALK, *TALK]])
def test_the_solutions_are_the_library_with_a_vocabulary_that_merges(name, talk):
    function = solved(name)[name]
    assert function(talk, TOKENIZER) == getattr(chatml, name)(talk, TOKENIZER)
    if name == "loss_mask":
        assert function(talk, TOKENIZER, "qwen_official") == chatml.loss_mask(talk, TOKENIZER, "qwen_official")


def test_packing_and_asking_go_by_the_learners_functions():
    def encode_chat(messages, tokenizer, max_length=None):
        return [7, 8, 9]

    def loss_mask(messages, tokenizer, mode="assistant_only"):
        return [False, True, False]

    with using(encode_chat), using(loss_mask):
        window = sft.pack([TALK], TOKENIZER, 5)
        assert answers.prompts(["x"], TOKENIZER).ids.tolist() == [[7, 8, 9]]
    assert window.ids[0, :3].tolist() == [7, 8, 9] and window.learned.tolist() == [[False, True, False, False, False]]


def test_the_layout_of_the_oracle_is_what_chatml_renders():
    rng = torch.Generator().manual_seed(0)
    for turns in (1, 2, 5):
        talk = chats.talk(rng, turns, system=turns == 2)
        seen = chats.layout(talk).replace(b"\x01", b"<|im_start|>").replace(b"\x02", b"<|im_end|>")
        assert seen.decode() == chatml.render(talk)
        vocabulary = chats.tokenizer(rng)
        assert chats.ids(talk, vocabulary) == chatml.encode_chat(talk, vocabulary)


def test_the_mended_loss_is_that_of_fine_tuning_and_of_torch():
    fixed = solved("10_padding_counts")["fixed"]
    model = Qwen(QwenConfig(vocab_size=4096, d_model=14, n_layers=1, n_heads=1, n_kv_heads=1, d_ff=13, max_length=64))
    window = sft.pack([TALK], TOKENIZER, 48)
    logits = model(window.ids, documents=window.documents)
    ours = fixed(logits, window.ids, window.learned)
    assert_close(ours, sft.sft_loss(model, window))
    labels = window.ids.masked_fill(~window.learned, -100)[:, 1:]
    assert_close(ours, F.cross_entropy(logits[:, :-1].flatten(0, 1), labels.flatten(), ignore_index=-100))


def test_the_mended_labels_hold_every_end_that_packing_learns():
    fixed, end = solved("10_never_stops")["fixed"], TOKENIZER.control_ids["<|im_end|>"]
    rows = [[5, end], [5, 6, 7, end, 8, end]]
    labels = fixed(rows, end)
    assert (labels == end).sum() == 3 and (labels == -100).sum() == 4


def test_the_mean_over_parts_is_what_fine_tuning_accumulates():
    assert EXERCISES["10_token_mean"].answer == pytest.approx((20 * 2.8 + 180 * 0.6) / 200)
    assert EXERCISES["10_which_epoch"].answer == 3

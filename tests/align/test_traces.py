"""Traces as ids. Oracles: the ids of the whole text, and the pieces read back."""

import random

import pytest

from minqwen import assets
from minqwen.align import answers, chatml, sft, traces
from minqwen.model import Qwen
from minqwen.prompt import practice, react, tools
from minqwen.tokenizer import Tokenizer

TOKENIZER = Tokenizer.from_pretrained(assets.TINY_QWEN)
PIECES = [("Thought: I ask.\nObservation:", True), (" 85\nThought:", False), (" I know it.\nFinal Answer: 85", True)]


def test_what_is_learned_is_what_the_assistant_says_and_the_end():
    ids, learned = traces.encode("How many?", PIECES, TOKENIZER)
    kept = TOKENIZER.decode([i for i, is_learned in zip(ids, learned) if is_learned])
    assert kept == "Thought: I ask.\nObservation: I know it.\nFinal Answer: 85<|im_end|>"
    assert len(ids) == len(learned)


def test_the_ids_are_those_of_the_conversation():
    ids, _ = traces.encode("How many?", PIECES, TOKENIZER)
    trace = "".join(text for text, _ in PIECES)
    talk = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": trace}]
    assert ids == chatml.encode_chat(talk, TOKENIZER)


def test_pieces_have_the_ids_of_the_whole_so_that_the_loop_may_encode_either():
    words = practice.Words(
        ("age", "price", "owner", "colour"), tuple("abcdef"), ("king",), {"moon": "月"},
        tools.real_tools({"moon": "月"}, ["诗\n明月几时有，"]), [("Say 3.", "3")],
    )  # fmt: skip
    rng = random.Random(0)
    for kind in practice.KINDS:
        task = practice.task(words, rng, kind)
        prompt = react.react_prompt(task.tools, task.question, brief=True)
        trace = "".join(text for text, _ in task.trace)
        talk = [{"role": "user", "content": prompt}, {"role": "assistant", "content": trace}]
        assert traces.encode(prompt, task.trace, TOKENIZER)[0] == chatml.encode_chat(talk, TOKENIZER)


def test_packed_traces_stand_in_windows_as_conversations_do():
    packed = traces.pack([("a", PIECES), ("b", PIECES)], TOKENIZER, 256)
    whole = [
        [{"role": "user", "content": q}, {"role": "assistant", "content": "".join(t for t, _ in PIECES)}]
        for q in ("a", "b")
    ]
    chats = sft.pack(whole, TOKENIZER, 256)
    assert packed.ids.equal(chats.ids) and packed.documents.equal(chats.documents)
    assert (packed.learned <= chats.learned).all() and packed.learned.sum() < chats.learned.sum()


def test_a_writer_goes_on_where_the_turn_stands_and_stops_before_a_tool_speaks():
    model = Qwen.from_pretrained(assets.TINY_QWEN_SFT)
    words = "Repeat these words: heart love time"
    whole = answers.answer(model, TOKENIZER, [words])[0]
    write = traces.writer(model, TOKENIZER, stop="Observation:")
    assert write(words, "") == whole == "heart love time"
    assert write(words, "heart love") == " time"
    stopped = traces.writer(model, TOKENIZER, stop="love")(words, "")
    assert stopped == "heart love"
    assert len(TOKENIZER.encode(traces.writer(model, TOKENIZER, "x", max_new_tokens=1)(words, ""))) == 1


def test_a_full_context_is_refused_with_the_way_out():
    model = Qwen.from_pretrained(assets.TINY_QWEN_SFT)
    with pytest.raises(ValueError, match="offer fewer tools"):
        traces.writer(model, TOKENIZER, "x")("love " * 300, "")
    assert traces.writer(model, TOKENIZER, "x")("love " * 200, "") is not None


def test_material_of_the_two_splits_shares_no_noun_and_no_question():
    train, held_out = (traces.material(split) for split in ("train", "held_out"))
    assert not set(train["nouns"]) & set(held_out["nouns"]) and len(held_out["nouns"]) >= 20
    assert not {q for q, _ in train["plain"]} & {q for q, _ in held_out["plain"]}
    assert train["things"] == held_out["things"]

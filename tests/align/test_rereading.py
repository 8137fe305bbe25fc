"""What the judge reads of an answer. Oracle: the same conversation, encoded as the judge's training encodes it."""

import copy

import pytest
import torch
from torch.testing import assert_close

from minqwen import assets
from minqwen.align import answers, chatml, rereading, reward_training
from minqwen.align.reward import RewardModel
from minqwen.tokenizer import Tokenizer

QUESTION, POEM = "以《春望》为题写一首五言绝句。", "山中一夜雨，树杪百重泉。\n独坐幽篁里，弹琴复长啸。"


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_pretrained(assets.TINY_QWEN_REWARD)


@pytest.fixture(scope="module")
def judge():
    return RewardModel.from_pretrained(assets.TINY_QWEN_REWARD)


def prompt_of(tokenizer):
    return answers.prompts([QUESTION], tokenizer).ids[0].tolist()


def in_bytes(text, tokenizer):
    """A token for each byte: the same text as no encoder would write it."""
    single = {tokenizer.token_bytes(i): i for i in range(tokenizer.vocab_size - len(tokenizer.control_ids))}
    return [single[bytes([byte])] for byte in text.encode()]


def test_an_answer_in_single_bytes_is_read_as_its_text(tokenizer):
    end = tokenizer.control_ids[chatml.END]
    written = [*prompt_of(tokenizer), *in_bytes(POEM, tokenizer), end]
    expected = reward_training.conversation(QUESTION, POEM, tokenizer)
    assert rereading.reread(written, tokenizer) == expected != written


def test_blanks_around_an_answer_are_left_out_as_in_training(tokenizer):
    end = tokenizer.control_ids[chatml.END]
    written = [*prompt_of(tokenizer), *tokenizer.encode("\n" + POEM + " \n"), end]
    assert rereading.reread(written, tokenizer) == reward_training.conversation(QUESTION, POEM, tokenizer)


def test_an_answer_without_an_end_gets_none(tokenizer):
    end = tokenizer.control_ids[chatml.END]
    written = prompt_of(tokenizer) + tokenizer.encode(POEM)
    assert rereading.reread(written, tokenizer) == written and end != written[-1]


def test_a_control_token_inside_an_answer_is_read_as_text(tokenizer):
    start, end = (tokenizer.control_ids[name] for name in (chatml.START, chatml.END))
    read = rereading.reread([*prompt_of(tokenizer), start, end], tokenizer)
    assert read == [*prompt_of(tokenizer), *tokenizer.encode(chatml.START), end]


def test_an_empty_answer_is_its_end_token(tokenizer):
    end = tokenizer.control_ids[chatml.END]
    assert rereading.reread([*prompt_of(tokenizer), end], tokenizer) == [*prompt_of(tokenizer), end]
    assert rereading.reread(prompt_of(tokenizer), tokenizer) == prompt_of(tokenizer)


def test_tokens_without_a_turn_of_the_assistant_are_refused(tokenizer):
    with pytest.raises(ValueError, match=r"answers\.prompts"):
        rereading.reread([5, 6, 7], tokenizer)


def test_scores_are_those_of_the_texts_whatever_pads_them(tokenizer, judge):
    end, pad = (tokenizer.control_ids[name] for name in (chatml.END, chatml.PAD))
    rows = [[*prompt_of(tokenizer), *ids, end] for ids in (tokenizer.encode(POEM), in_bytes(POEM[:12], tokenizer))]
    longest = max(map(len, rows)) + 3
    ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows])
    is_token = torch.tensor([[False] * (longest - len(row)) + [True] * len(row) for row in rows])
    found = rereading.by_text(judge, tokenizer)(ids, is_token)
    assert_close(found, reward_training.scores(judge, [(QUESTION, POEM), (QUESTION, POEM[:12])], tokenizer))


def test_a_value_model_foretells_nothing_and_leaves_its_judge_alone(judge):
    before = copy.deepcopy(judge.state_dict())
    ids = torch.randint(0, 4000, (2, 7), generator=torch.Generator().manual_seed(0))
    value = judge.value_model()
    assert value.values(ids).eq(0).all()
    value.values(ids).sum().backward()
    assert value.score.weight.grad.any()
    assert all(judge.state_dict()[name].equal(tensor) for name, tensor in before.items())

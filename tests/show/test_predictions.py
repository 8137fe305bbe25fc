"""Shares by hand: logits 0 and log 3 are a quarter and three quarters."""

import math

import pytest
import torch

from minqwen.show import predictions


def test_the_likeliest_tokens_come_with_their_shares(tokenizer, capsys):
    first, second = tokenizer.encode("a")[0], tokenizer.encode("b")[0]
    logits = torch.full((tokenizer.vocab_size,), -torch.inf)
    logits[first], logits[second] = 0.0, math.log(3)
    said = predictions.next_tokens(logits, tokenizer, k=2)
    assert [text for text, _ in said] == ["b", "a"]
    assert [share for _, share in said] == pytest.approx([0.75, 0.25])
    assert capsys.readouterr().out == "next token: 'b' 75%, 'a' 25%\n"

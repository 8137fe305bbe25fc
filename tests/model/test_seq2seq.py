"""Padding, loss and greedy decoding of an encoder-decoder, against one pair, and one token, at a time."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from minqwen.model import seq2seq
from minqwen.model.transformer import Transformer, TransformerConfig

CONFIG = TransformerConfig(vocab_size=13, d_model=22, n_layers=1, n_heads=2, d_ff=17)
START, STOP = 1, 2
PAIRS = [([5, 6, 7], [START, 7, STOP]), ([8], [START, 3, 4, 5, STOP]), ([9, 10], [START, STOP])]


def make(seed: int = 0) -> Transformer:
    return Transformer(CONFIG, torch.Generator().manual_seed(seed)).double()


def test_padding_stands_on_the_right_and_is_no_token():
    padded = seq2seq.pad([[5, 6, 7], [8]], padding=11)
    assert padded.ids.tolist() == [[5, 6, 7], [8, 11, 11]]
    assert padded.is_token.tolist() == [[True, True, True], [True, False, False]]


def test_the_loss_is_that_of_every_target_token_by_itself():
    model, nats = make(), []
    for source, target in PAIRS:
        for i in range(1, len(target)):
            rows = torch.tensor([source]), torch.tensor([target[:i]])
            logits = model(*rows, *(torch.ones_like(row, dtype=torch.bool) for row in rows))
            nats.append(F.cross_entropy(logits[0, -1], torch.tensor(target[i])))
    together = seq2seq.pair_loss(model, *(seq2seq.pad(rows) for rows in zip(*PAIRS)))
    assert_close(together, torch.stack(nats).mean())


def test_greedy_takes_the_likeliest_token_again_and_again():
    model = make(3)
    sources = [source for source, _ in PAIRS]
    written = seq2seq.greedy(model, seq2seq.pad(sources), START, STOP, max_new_tokens=6)
    for source, row in zip(sources, written.tolist()):
        ids, stopped = [START], False
        for token in row:
            rows = torch.tensor([source]), torch.tensor([ids])
            logits = model(*rows, *(torch.ones_like(r, dtype=torch.bool) for r in rows))
            assert token == (STOP if stopped else logits[0, -1].argmax().item())
            stopped = stopped or token == STOP
            ids.append(token)


def test_every_pair_comes_once_an_epoch_among_others_of_its_length():
    generator = torch.Generator().manual_seed(0)
    pairs = [([i], [START] + [3] * (i % 4) + [STOP]) for i in range(24)]
    batches = seq2seq.batches_by_length(pairs, 6, generator)
    for _ in range(2):
        epoch = [next(batches) for _ in range(4)]
        assert sorted(pair[0][0] for batch in epoch for pair in batch) == list(range(24))
        assert all(len({len(target) for _, target in batch}) == 1 for batch in epoch)


def test_a_model_learns_three_pairs_by_heart_and_writes_them():
    model = make()
    losses = list(seq2seq.train(model, PAIRS, 80, 3, 1e-2, torch.Generator().manual_seed(0)))
    assert losses[-1] < 0.05 < 1 < losses[0]
    written = seq2seq.greedy(model, seq2seq.pad([source for source, _ in PAIRS]), START, STOP, max_new_tokens=6)
    assert written.tolist() == [[*target[1:], *[STOP] * (5 - len(target))] for _, target in PAIRS]


def test_a_loss_that_is_no_number_stops_and_says_what_to_do():
    model = make()
    with torch.no_grad():
        model.embedding.weight[5, 0] = float("nan")
    with pytest.raises(ValueError, match=r"step 0 of 5; begin again and lower peak=0\.01"):
        list(seq2seq.train(model, PAIRS, 5, 3, 1e-2, torch.Generator().manual_seed(0)))

"""Fine-tuning: packing, and a loss on answers alone. Oracle: each conversation by itself, position by position."""

import math

import pytest
import torch
from torch.testing import assert_close

from minqwen import assets
from minqwen.align import chatml, sft
from minqwen.model import Qwen, QwenConfig
from minqwen.tokenizer import Tokenizer

TOKENIZER = Tokenizer.from_pretrained(assets.TINY_QWEN)
CONFIG = QwenConfig(d_model=30, n_layers=2, n_heads=3, n_kv_heads=3, d_ff=43, max_length=64)


def chat(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


CHATS = [
    chat("copy: rose", "rose"),
    chat("写一句", "春眠不觉晓"),
    chat("1 + 1 = ?", "2"),
    chat("Sort: 3 1 2", "1 2 3"),
    chat("a much longer question, which asks for nothing in particular", "A short answer."),
]


def model() -> Qwen:
    made = Qwen(CONFIG, torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(4)  # so that the model is not near uniform
    return made


def nll_of(m: Qwen, messages: list, mode: str) -> list[float]:
    """The surprise at every learned token of one conversation, one position at a time."""
    ids, learned = chatml.encode_chat(messages, TOKENIZER), chatml.loss_mask(messages, TOKENIZER, mode)
    logp = m(torch.tensor([ids]))[0].log_softmax(-1)
    return [-logp[t - 1, ids[t]].item() for t in range(1, len(ids)) if learned[t]]


@pytest.mark.parametrize("mode", chatml.MODES)
@pytest.mark.parametrize("length", [64, 97, 300])
@torch.no_grad()
def test_the_loss_of_a_pack_is_the_mean_over_the_tokens_of_its_conversations(mode, length):
    m = model()
    alone = [value for messages in CHATS for value in nll_of(m, messages, mode)]
    packed = sft.pack(CHATS, TOKENIZER, length, mode)
    assert packed.targets.sum() == len(alone)
    assert_close(sft.sft_loss(m, packed).item(), math.fsum(alone) / len(alone))


def test_packing_keeps_the_order_and_cuts_nothing():
    packed = sft.pack(CHATS, TOKENIZER, 64)
    assert len(packed.ids) > 1
    kept = [packed.ids[packed.documents == number].tolist() for number in range(1, len(CHATS) + 1)]
    assert kept == [chatml.encode_chat(messages, TOKENIZER) for messages in CHATS]
    for row in packed.documents.tolist():
        assert row == sorted(row, key=lambda number: number or math.inf), "padding stands behind"


@torch.no_grad()
def test_what_stands_in_the_padding_changes_no_loss():
    m, packed = model(), sft.pack(CHATS, TOKENIZER, 64)
    ids = packed.ids.where(packed.documents > 0, 7)
    assert (ids != packed.ids).any()
    assert sft.sft_loss(m, packed._replace(ids=ids)) == sft.sft_loss(m, packed)


def test_a_batch_without_a_learned_token_costs_nothing_and_teaches_nothing():
    m, packed = model(), sft.pack(CHATS[:1], TOKENIZER, 64)
    value = sft.accumulate(m, packed._replace(learned=torch.zeros_like(packed.learned)), parts=1)
    assert value.item() == 0
    assert all(parameter.grad.abs().max() == 0 for parameter in m.parameters())


@pytest.mark.parametrize("parts", [2, 3])
def test_parts_add_up_to_the_gradient_of_the_whole_batch(parts):
    packed = sft.pack(CHATS, TOKENIZER, 64)
    assert len({int(n) for n in packed.targets.sum(dim=-1)}) > 1, "windows must differ in learned tokens"
    whole, split = model(), model()
    expected, found = sft.accumulate(whole, packed, 1), sft.accumulate(split, packed, parts)
    assert_close(found, expected)
    for a, b in zip(whole.parameters(), split.parameters()):
        assert_close(a.grad, b.grad)


def test_a_conversation_longer_than_the_window_is_refused():
    with pytest.raises(ValueError, match=r"conversation 1 has \d+ tokens, more than the window of 40"):
        sft.pack([CHATS[0], CHATS[4]], TOKENIZER, 40)
    with pytest.raises(ValueError, match="no conversation"):
        sft.pack([], TOKENIZER, 40)


def test_plain_text_is_learned_whole():
    mixed = sft.join(sft.pack(CHATS, TOKENIZER, 64), sft.plain(torch.full((3, 64), 5)))
    assert mixed.targets[-3:].all() and mixed.targets.shape[-1] == 63


def test_a_few_steps_learn_the_answers_and_the_same_seed_learns_the_same():
    def run(seed: int) -> list[float]:
        m = Qwen(CONFIG, torch.Generator().manual_seed(0))
        packed = sft.pack(CHATS * 4, TOKENIZER, 64)
        return [step.loss for step in sft.fine_tune(m, packed, 30, 0.02, 3, batch_size=4, seed=seed)]

    losses = run(0)
    assert losses[-1] < 0.3 * losses[0]
    assert run(0) == losses != run(1)


def test_a_loss_that_is_no_number_stops():
    m = Qwen(CONFIG, torch.Generator().manual_seed(0))
    with torch.no_grad():
        m.lm_head.weight[5] = math.nan
    with pytest.raises(ValueError, match="at step 0: go back to the model before"):
        next(sft.fine_tune(m, sft.pack(CHATS, TOKENIZER, 64), 2, 1e-3, 0))

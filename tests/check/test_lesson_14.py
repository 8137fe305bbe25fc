"""Lesson 14: what the statements claim, and answers in other words. Oracle: `minqwen.adapt`."""

import contextlib
import io

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from minqwen.adapt import identity, lora, memory, nf4, qlora
from minqwen.check import EXERCISES, check


def solved(name):
    """The names that the setup of an exercise and its solution leave in a notebook."""
    cells = {"torch": torch, "Tensor": torch.Tensor}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(f"{EXERCISES[name].setup}\n\n{EXERCISES[name].stub}\n{EXERCISES[name].solution}", cells)
    return cells


def lora_forward(x, weight, a, b, scale, dropped=None):
    read = nn.functional.linear(x if dropped is None else dropped, a)
    return torch.einsum("...n,mn->...m", x, weight) + torch.einsum("...r,mr->...m", scale * read, b)


def merged_weight(weight, a, b, scale):
    return torch.addmm(weight, b, a, alpha=scale)


def count_lora_parameters(shapes, rank):
    return sum(rank * sum(shape) for shape in shapes)


def nf4_quantize(w, block=64):
    levels = nf4.nf4_levels()
    codes, absmax = [], []
    for part in w.flatten().split(block):
        absmax.append(part.abs().max())
        ratios = part / absmax[-1] if absmax[-1] > 0 else part
        codes.append(torch.bucketize(ratios, (levels[1:] + levels[:-1]) / 2))
    codes = torch.cat([*codes, torch.zeros(w.numel() % 2, dtype=torch.long)]).byte()
    return nf4.NF4Weight(codes[::2] << 4 | codes[1::2], torch.stack(absmax), torch.tensor(w.shape))


def double_quantize(absmax, block=256):
    mean, codes, steps = absmax.mean(), [], []
    for part in (absmax - mean).split(block):
        steps.append(part.abs().max() / 127)
        codes.append(torch.round(part / steps[-1]) if steps[-1] > 0 else torch.zeros_like(part))
    return qlora.DoubleQuantized(torch.cat(codes).char(), torch.stack(steps), mean)


@pytest.mark.parametrize(
    "answer",
    [lora_forward, merged_weight, count_lora_parameters, nf4_quantize, double_quantize],
    ids=lambda f: f.__name__,
)
def test_a_right_answer_in_other_words_passes(answer):
    assert check(answer)


def reads_x_without_its_gradient(x, weight, a, b, scale, dropped=None):
    return lora_forward(x, weight, a, b, scale, x.detach() if dropped is None else dropped)


def takes_a_without_its_gradient(x, weight, a, b, scale, dropped=None):
    return lora_forward(x, weight, a.detach(), b, scale, dropped)


@pytest.mark.parametrize("answer", [reads_x_without_its_gradient, takes_a_without_its_gradient])
def test_a_gradient_that_is_cut_off_half_way_is_missed(answer, capsys):
    assert not check(answer, "lora_forward")
    assert "✗ x, a and b have the gradients of the formula" in capsys.readouterr().out


@pytest.mark.parametrize(
    "is_adapter",
    [
        lambda name: "lora_" in name,
        lambda name: ".lora_" in name,
        lambda name: name.endswith(("A", "B")),
        lambda name: name.endswith(("_A", "_B")),
        lambda name: "lora" in name and "weight" not in name,
        lambda name: "lora" in name.split(".")[-1],
    ],
    ids=["lora_", ".lora_", "A or B", "_A or _B", "no weight", "the last part has lora in it"],
)
def test_nothing_but_the_whole_ending_of_a_name_tells_an_adapter(is_adapter):
    assert not check(lambda names: [name for name in names if is_adapter(name)], "14_base_trainable", cause="c")


def test_an_adapter_may_be_told_by_its_last_part():
    def fixed(names):
        return [name for name in names if name.rpartition(".")[2] in {"lora_A", "lora_B"}]

    assert check(fixed, "14_base_trainable", cause="c")


def test_equal_shapes_that_count_once_are_not_taken_for_another_mistake(capsys):
    assert not check(lambda shapes, rank: rank * sum(map(sum, set(shapes))), "count_lora_parameters")
    assert "equal shapes count once" in capsys.readouterr().out


def test_the_examples_of_the_statements():
    x, weight, a, b = torch.tensor([1.0, 2]), torch.tensor([[1.0, 1]]), torch.tensor([[3.0, 0]]), torch.tensor([[2.0]])
    assert solved("lora_forward")["lora_forward"](x, weight, a, b, 0.5).tolist() == [6.0]
    assert solved("merged_weight")["merged_weight"](weight, a, b, 0.5).tolist() == [[4.0, 1.0]]
    assert solved("count_lora_parameters")["count_lora_parameters"]([(3, 5)], 2) == 16
    packed, absmax, _ = solved("nf4_quantize")["nf4_quantize"](torch.tensor([1.0, -1.0]))
    assert packed.tolist() == [240] and absmax.tolist() == [1.0]
    codes, steps, mean = solved("double_quantize")["double_quantize"](torch.tensor([1.0, 3.0]))
    assert codes.tolist() == [-127, 127] and mean == 2 and steps.item() == pytest.approx(1 / 127)


@pytest.mark.parametrize("size", [(3, 5), (64, 64), (7, 11)])
def test_the_solutions_are_the_library(size):
    w = torch.randn(size, generator=torch.Generator().manual_seed(0))
    ours, theirs = solved("nf4_quantize")["nf4_quantize"](w), nf4.nf4_quantize(w)
    assert all(one.equal(two) for one, two in zip(ours, theirs))
    ours = solved("double_quantize")["double_quantize"](w.flatten().abs(), 7)
    assert_close(tuple(ours), tuple(qlora.double_quantize(w.flatten().abs(), 7)))


def test_the_mended_start_learns_and_the_broken_one_never_does():
    cells, noise = solved("14_both_zero"), torch.randn(3, 7, generator=torch.Generator().manual_seed(0))
    for name, learns in (("broken", False), ("fixed", True)):
        a, b = (part.requires_grad_() for part in cells[name](noise, 5))
        lora.lora_forward(torch.ones(2, 7), torch.ones(5, 7), a, b, 1.0).sum().backward()
        assert (b.grad.abs().sum() > 0) == learns


def test_the_mended_merge_and_scale_are_the_librarys():
    x, weight, a, b = (
        torch.randn(s, generator=torch.Generator().manual_seed(1)) for s in ((2, 7), (5, 7), (3, 7), (5, 3))
    )
    merged = solved("14_merge_bug")["fixed"](weight, a, b, 6.0)
    assert_close(merged, lora.merged_weight(weight, a, b, 2.0))
    added = solved("14_exchanged")["fixed"](x, a, b, 6.0)
    assert_close(added, lora.lora_forward(x, torch.zeros(5, 7), a, b, 2.0))


def test_the_bits_are_those_of_a_layer_whose_blocks_are_full():
    exact = EXERCISES["14_bits_a_weight"].answer
    assert memory.quantised_bytes(2**22) * 8 / 2**22 == pytest.approx(exact, abs=1e-4)


def test_no_question_of_the_dialogues_tests_what_they_taught():
    taught = {question.lower() for question, _ in identity.DIALOGUES} | {q.lower() for q in identity.PRACTICE}
    for questions in (identity.WORDINGS, identity.NEAR_MISSES, identity.GENERAL):
        assert not {question.lower() for question in questions} & taught
    assert len(identity.DIALOGUES) == len(identity.GENERAL) == len(identity.PRACTICE) == 20
    assert len(identity.WORDINGS) == 12 and all(identity.NAME in answer for _, answer in identity.DIALOGUES)
    assert not any(identity.NAME in question for question, _ in identity.DIALOGUES)

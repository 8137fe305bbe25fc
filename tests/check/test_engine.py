"""`check` on honest answers, and on answers that lie. The oracle is the exercise apply_rope, solved here by hand."""

import builtins
import functools
import importlib
import inspect
import sys

import numpy as np
import pytest
import torch

from minqwen.check import check
from minqwen.model import attention, rope


def apply_rope(x, angles):
    first, second = x.float().chunk(2, dim=-1) if x.dtype == torch.bfloat16 else x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)


def report(answer, capsys, name="apply_rope"):
    """Check an answer that must fail, and return what was printed."""
    capsys.readouterr()
    result = check(answer, name)
    assert not result.passed
    printed = capsys.readouterr().out
    assert printed.strip() == result.report.strip()
    return printed


def test_a_right_answer_passes_and_is_told_what_comes_next(capsys):
    result = check(apply_rope)
    assert result and result.passed and result.mistake is None
    printed = capsys.readouterr().out
    assert "2.3 apply_rope: right." in printed and "✗" not in printed and "with using(apply_rope)" in printed


def test_an_answer_that_the_model_has_no_use_for_is_not_told_to_run_it(capsys):
    def ffn_width(d_model):
        return (int(4 * 2 / 3 * d_model) * 2 + 255) // 256 * 128

    assert check(ffn_width)
    assert "using" not in capsys.readouterr().out


def test_a_wrong_answer_is_false_so_that_a_graded_cell_can_assert_it():
    with pytest.raises(AssertionError):
        assert check(lambda x, angles: x + 0 * angles.sum(), "apply_rope")


def test_a_wrong_answer_with_another_body_is_named_by_what_it_gives(capsys):
    def mine(x, angles):
        out = torch.empty_like(x)
        half = x.shape[-1] // 2
        out[..., :half] = x[..., :half] * angles.cos() + x[..., half:] * angles.sin()
        out[..., half:] = x[..., half:] * angles.cos() - x[..., :half] * angles.sin()
        return out

    result = check(mine, "apply_rope")
    assert "turn the other way" in result.mistake
    assert result.mistake in " ".join(capsys.readouterr().out.split())


def test_a_wrong_answer_nobody_thought_of_has_no_name():
    assert check(lambda x, angles: x * 0.5, "apply_rope").mistake is None


def test_the_printed_seed_repeats_the_report(capsys):
    first = check(lambda x, angles: x * 2, "apply_rope")
    assert f"seed={first.seed}" in first.report
    assert check(lambda x, angles: x * 2, "apply_rope", seed=first.seed).report == first.report


def test_inputs_are_fresh_in_every_run():
    assert len({check(apply_rope).seed for _ in range(5)}) == 5


def test_a_check_shows_nothing_twice_in_a_notebook(capsys):
    result = check(apply_rope)
    capsys.readouterr()
    result._ipython_display_()
    assert capsys.readouterr().out == "" and repr(result) == "<apply_rope: right>"


# What is no answer at all


@pytest.mark.parametrize("answer", [..., lambda x, angles: unwritten()])
def test_a_stub_raises_not_implemented_error_and_says_what_to_run(answer):
    with pytest.raises(NotImplementedError, match=r"check\(apply_rope\) will look at it when it is"):
        check(answer, "apply_rope")


@pytest.mark.parametrize("answer", [..., lambda x, angles: unwritten()])
def test_a_notebook_shows_that_error_in_one_line(answer):
    with pytest.raises(NotImplementedError) as raised:
        check(answer, "apply_rope")
    assert raised.type is NotImplementedError
    assert raised.value._render_traceback_() == [f"NotImplementedError: {raised.value}"]


def unwritten():
    raise NotImplementedError("exercise")


def test_what_is_unwritten_for_some_inputs_only_is_judged(capsys):
    def mine(x, angles):
        return apply_rope(x, angles) if x.dtype == torch.float32 else unwritten()

    assert "it raised NotImplementedError: exercise" in report(mine, capsys)


def test_a_result_in_place_of_the_function_is_refused():
    with pytest.raises(ValueError, match=r"without calling it, check\(apply_rope\)"):
        check(torch.zeros(2))
    with pytest.raises(ValueError, match=r"without calling it: check\(apply_rope\)"):
        check(torch.zeros(2), "apply_rope")


def test_an_unknown_name_gets_the_nearest_ones_in_one_line():
    with pytest.raises(ValueError, match="did you mean apply_rope") as raised:
        check(apply_rope, "aply_rope")
    assert raised.value._render_traceback_() == [f"ValueError: {raised.value}"]


def test_an_exercise_may_be_named_by_its_number(capsys):
    assert check(apply_rope, "2.3")


@pytest.mark.parametrize("given", [("02_slowest_pair", 35333), ("02_slowest_pair", "b"), ("02_slowest_pair",)])
def test_name_and_answer_in_the_wrong_order_are_told_apart(given):
    with pytest.raises(ValueError, match=r'the answer comes first.*: check\(answer, "02_slowest_pair"\)'):
        check(*given)


# Answers that lie


class AlwaysEqual(torch.Tensor):
    def __eq__(self, other):
        return torch.tensor(True)

    __hash__ = None


class Anything:
    def __getattr__(self, name):
        return lambda *args, **kwargs: self

    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return 0.0

    __rsub__ = __sub__
    __hash__ = None


def instance_that_lies(x, angles):
    out = torch.zeros_like(x)
    out.tolist = lambda: apply_rope(x, angles).tolist()
    out.detach = lambda: apply_rope(x, angles)
    return out


def by_shape():
    kept = {}

    def caching(x, angles):
        return kept.setdefault((x.shape, angles.shape), apply_rope(x, angles)).clone()

    return caching


def in_place(x, angles):
    result = apply_rope(x, angles)
    x.mul_(2)
    return result


def reshaping_in_place(x, angles):
    result = apply_rope(x, angles)
    x.unsqueeze_(0)
    return result


def in_place_and_returned(x, angles):
    x[...] = apply_rope(x, angles)  # at position 0 the same numbers again
    return x


def exits(x, angles):
    sys.exit(0)


def recurses(x, angles):
    return recurses(x, angles)


def example_of_the_statement(x, angles):
    return torch.tensor([[-3.0, 2.0, 1.0, 4.0]])


LIARS = {
    "a tensor that equals everything": (lambda x, a: x.as_subclass(AlwaysEqual), "plain torch.Tensor"),
    "an object that equals everything": (lambda x, a: Anything(), "plain torch.Tensor"),
    "a tensor whose methods lie": (instance_that_lies, "expected"),
    "a parameter": (lambda x, a: torch.nn.Parameter(apply_rope(x, a)), "plain torch.Tensor"),
    "its input": (lambda x, a: x, "returned its argument x"),
    "a view of its input": (lambda x, a: x.view(x.shape), "returned its argument x"),
    "its input, changed": (in_place, "changed its argument x in place"),
    "its input, written over": (in_place_and_returned, "changed its argument x in place and returned it"),
    "its input, in another shape": (reshaping_in_place, "changed its argument x in place"),
    "the example of the statement": (example_of_the_statement, "expected"),
    "a cache by shape": (by_shape(), "expected"),
    "NaN": (lambda x, a: x * float("nan"), "holds NaN"),
    "another dtype": (lambda x, a: apply_rope(x, a).double(), "Its type is float64"),
    "another shape": (lambda x, a: apply_rope(x, a)[None], "Its shape is"),
    "a number": (lambda x, a: 1, "You returned the number 1, but a tensor of shape (1, 4) is expected"),
    "exchanged axes": (lambda x, a: apply_rope(x, a).mT, "that is (D, T), and it should be (T, D)"),
    "a NumPy array": (lambda x, a: np.asarray(apply_rope(x.float(), a)), "ou returned an array of shape"),
    "a list": (lambda x, a: apply_rope(x, a).tolist(), "returned a list"),
    "nothing": (lambda x, a: None, "is the return missing?"),
    "a gradient nobody asked for": (lambda x, a: apply_rope(x, a).requires_grad_(), "asks for gradients"),
    "a gradient of zero": (lambda x, a: apply_rope(x.detach(), a) + 0 * x, "whether a gradient reaches x"),
    "no gradient": (lambda x, a: apply_rope(x.detach(), a), "whether a gradient reaches x"),
    "no storage": (lambda x, a: apply_rope(x, a).to("meta"), "cpu"),
    "the end of Python": (exits, "tried to end Python"),
    "itself, for ever": (recurses, "RecursionError"),
    "too few parameters": (lambda x: x, "TypeError"),
}


@pytest.mark.parametrize(("answer", "words"), LIARS.values(), ids=LIARS)
def test_an_answer_that_returns_something_else_fails(answer, words, capsys):
    assert words in report(answer, capsys)


ALIASES = {
    "by its module": lambda x, a: rope.apply_rope(x, a),
    "by an alias made before": lambda x, a, alias=rope.apply_rope: alias(x, a),
    "by a partial": functools.partial(rope.apply_rope),
}


@pytest.mark.parametrize("answer", ALIASES.values(), ids=ALIASES)
def test_the_librarys_own_function_is_no_answer(answer, capsys):
    assert "write it yourself: minqwen.model.rope.apply_rope" in report(answer, capsys)


@pytest.mark.parametrize("answer", [rope.apply_rope, inspect.unwrap(rope.apply_rope)], ids=["wrapped", "bare"])
def test_a_name_that_an_import_took_is_no_accusation(answer):
    with pytest.raises(ValueError, match=r"an import took it; run the cell with yours again, then check\(apply_rope\)"):
        check(answer)


@pytest.mark.parametrize("when", ["before the check", "while the answer runs"])
def test_patched_comparisons_change_nothing(when, capsys, monkeypatch):
    def patch():
        monkeypatch.setattr(torch.testing, "assert_close", lambda *args, **kwargs: None)
        for name in ("allclose", "equal", "isclose", "eq"):
            monkeypatch.setattr(torch, name, lambda *args, **kwargs: True)
        for name in ("equal", "allclose", "isclose", "__eq__"):
            monkeypatch.setattr(torch.Tensor, name, lambda *args, **kwargs: True)
        monkeypatch.setattr(builtins, "abs", lambda x: 0.0)

    def answer(x, angles):
        result = x * 2
        if when == "while the answer runs":
            patch()
            monkeypatch.setattr(torch.Tensor, "tolist", lambda x: [0.0])
        return result

    if when == "before the check":
        patch()
    result = check(answer, "apply_rope")
    monkeypatch.undo()
    assert not result


@pytest.fixture
def reload():
    """Loads rope again, and puts its old functions back afterwards."""
    before = dict(vars(rope))
    yield lambda: importlib.reload(rope)
    vars(rope).update(before)


def test_the_librarys_function_is_no_answer_after_its_module_was_loaded_again(reload, capsys):
    new = reload().apply_rope
    assert "write it yourself: minqwen.model.rope.apply_rope" in report(lambda x, a: new(x, a), capsys)
    assert "write it yourself: minqwen.model.rope.apply_rope" in report(lambda x, a: rope.apply_rope(x, a), capsys)
    with pytest.raises(ValueError, match=r"an import took it; run the cell with yours again"):
        check(new)


def test_loading_the_librarys_module_again_is_no_answer(reload, capsys):
    assert "it loaded a module of the library again" in report(lambda x, a: reload().apply_rope(x, a), capsys)


def test_a_librarys_function_in_place_of_a_broken_one_that_was_given_is_refused(capsys):
    with pytest.raises(ValueError, match=r"copy broken, mend the copy, then check\(fixed, \"02_interleaved\""):
        check(rope.apply_rope, "02_interleaved", cause="c")
    assert "write it yourself" in report(lambda x, a: rope.apply_rope(x, a), capsys, "02_interleaved")


ATEN = torch.ops.aten
ATTENTIONS = {
    "the functional": torch.nn.functional.scaled_dot_product_attention,
    "its operator": ATEN.scaled_dot_product_attention,
    "an overload of it": ATEN.scaled_dot_product_attention.default,
    "the formula behind it": lambda *args: torch._scaled_dot_product_attention_math(*args)[0],
    "that as an operator": lambda *args: ATEN._scaled_dot_product_attention_math(*args)[0],
    "the kernel behind it": lambda *args: ATEN._scaled_dot_product_flash_attention_for_cpu(*args)[0],
}


@pytest.mark.parametrize("twin", ATTENTIONS.values(), ids=ATTENTIONS)
def test_torchs_own_attention_is_no_answer(twin, capsys):
    printed = report(lambda q, k, v, mask=None: twin(q, k, v, mask), capsys, "scaled_dot_product_attention")
    assert "does what this exercise asks for" in printed and "write it yourself: torch's" in printed


def test_torchs_own_multi_head_attention_is_no_answer(capsys):
    def answer(x, wq, wk, wv, wo, n_heads, mask=None):
        layer = torch.nn.MultiheadAttention(x.shape[-1], n_heads, bias=False, batch_first=True)
        return layer(x, x, x)[0]

    printed = report(answer, capsys, "multi_head_attention")
    assert "torch's multi_head_attention_forward does what this exercise asks for" in printed


def test_a_helper_of_the_library_that_does_the_exercise_is_no_answer(capsys):
    answer = lambda q, k, v, mask=None: attention.attention_weights(q, k, mask) @ v  # noqa: E731
    assert "write it yourself" in report(answer, capsys, "scaled_dot_product_attention")


# Answers that are right for some inputs


def of_three_dimensions(x, wq, wk, wv, wo, n_heads, mask=None):
    q, k, v = (attention.split_heads(x @ w.mT, n_heads) for w in (wq, wk, wv))
    heads = attention.scaled_dot_product_attention(q, k, v, mask)
    joined = attention.merge_heads(heads) @ wo.mT
    return joined.reshape(-1, *x.shape[-2:]) if x.ndim > 3 else joined


def of_float32(x, wq, wk, wv, wo, n_heads, mask=None):
    x, wq, wk, wv, wo = (part.float() for part in (x, wq, wk, wv, wo))
    return of_three_dimensions(x, wq, wk, wv, wo, n_heads, mask).reshape(x.shape)


@pytest.mark.parametrize(
    ("answer", "words"), [(of_three_dimensions, "(2, 3, 3, 2) is expected"), (of_float32, "float64 is expected")]
)
def test_heads_for_few_dimensions_or_one_type_are_half_an_answer(answer, words, capsys):
    assert words in report(answer, capsys, "multi_head_attention")


# What an answer leaves behind


def test_the_library_works_again_after_every_kind_of_end(capsys):
    x, angles = torch.randn(5, 14), torch.randn(5, 7)
    before = rope.apply_rope(x, angles)

    def interrupted(x, angles):
        raise KeyboardInterrupt

    for answer in (exits, recurses, lambda x, a: 1 / 0, lambda x, a: rope.apply_rope(x, a)):
        check(answer, "apply_rope")
        assert rope.apply_rope(x, angles).equal(before)
    with pytest.raises(KeyboardInterrupt):
        check(interrupted, "apply_rope")
    assert "Stopped in this case: x (1, 4), angles (1, 2)" in capsys.readouterr().out
    assert rope.apply_rope(x, angles).equal(before)


def test_an_answer_may_play_with_torchs_settings_and_nobody_notices(capsys):
    state = torch.get_rng_state()

    def rude(x, angles):
        torch.manual_seed(0)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        return x * 2

    report(rude, capsys)
    assert torch.get_rng_state().equal(state)
    assert torch.get_default_dtype() is torch.float32 and torch.is_grad_enabled()


def test_seeding_torch_does_not_foretell_the_inputs():
    seen = []

    def spy(x, angles):
        seen.append(x.sum().item())
        return apply_rope(x, angles)

    for _ in range(2):
        torch.manual_seed(0)
        check(spy, "apply_rope")
    assert seen[0] != seen[len(seen) // 2]


def test_what_an_answer_prints_is_shown_in_few_lines(capsys):
    def chatty(x, angles):
        for i in range(300):
            print("line", i)
        return x * 2

    printed = report(chatty, capsys)
    assert "It printed:\n    line 0\n" in printed and len(printed) < 3000


def test_an_exception_is_shown_with_its_line_and_nothing_of_ours(capsys):
    def broken(x, angles):
        y = x @ angles
        return y

    printed = report(broken, capsys)
    assert "it raised RuntimeError" in printed and "y = x @ angles" in printed
    assert "Traceback" not in printed and "ask.py" not in printed

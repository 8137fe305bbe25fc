"""Exercise 4.8, biases lost on the way. Qwen Technical Report (arXiv:2309.16609), section 2.3.1: bias on QKV."""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(x: Tensor, weights: Tensor, biases: Tensor) -> Tensor:
    """Queries, keys and values of a layer, x Wᵀ + b each, loaded from a file that holds every W and b by name."""
    names = ("q_proj", "k_proj", "v_proj")
    file = {f"{name}.weight": weight for name, weight in zip(names, weights)}
    file |= {f"{name}.bias": bias for name, bias in zip(names, biases)}
    loaded = {key: tensor for key, tensor in file.items() if not key.endswith(".bias")}
    return torch.stack([F.linear(x, loaded[f"{name}.weight"], loaded.get(f"{name}.bias")) for name in names])


def _loops(x: Tensor, weights: Tensor, biases: Tensor) -> Tensor:
    stacked = []
    for weight, bias in zip(weights.tolist(), biases.tolist()):
        stacked.append([[sum(a * w for a, w in zip(row, ws)) + b for ws, b in zip(weight, bias)] for row in x.tolist()])
    return torch.tensor(stacked, dtype=torch.float64).to(x.dtype)


def _given(rng: torch.Generator, T: int, C: int) -> dict[str, Tensor]:
    # Biases of a tenth, beside which the products are large: the results differ, but only a little.
    weights, biases = draw.normal(rng, 3, C, C), draw.normal(rng, 3, C) / 10
    return {"x": draw.normal(rng, T, C), "weights": weights, "biases": biases}


def _zero(rng: torch.Generator) -> list[Case]:
    given = {**_given(rng, 1, 2), "x": torch.zeros(1, 2)}
    return [Case(given, given["biases"][:, None].clone(), "a token of zeros")]


def _values(rng: torch.Generator) -> list[Case]:
    given = [_given(rng, 1, 2), _given(rng, *draw.sizes(rng, 2))]
    return [Case(args, _loops(**args)) for args in given]


_CAUSES = {
    "a": Cause(
        "The weights are stored as (in, out) and have to be transposed.",
        "then nearly every number would be far off, and for a token of zeros no weight matters at all.",
    ),
    "b": Cause("The loader leaves out every tensor whose name ends in .bias, and .get turns the gap into no bias."),
    "c": Cause(
        "The file holds bfloat16, and rounding made the numbers differ.",
        "rounding to bfloat16 moves a number by less than 1 %; here a part of it is missing.",
    ),
}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="04_bias_dropped",
    lesson="04_qwen_block",
    number="4.8",
    title="Lost on the way",
    broken=broken,
    also_closed=(_loops,),
    mend=(
        ('loaded = {key: tensor for key, tensor in file.items() if not key.endswith(".bias")}', "loaded = dict(file)"),
        ('loaded.get(f"{name}.bias")', 'loaded[f"{name}.bias"]'),
    ),
    imports="import torch\nfrom torch import Tensor\nfrom torch.nn import functional as F",
    symptom="""\
biases = torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
out = broken(torch.zeros(1, 2), weights=torch.ones(3, 2, 2), biases=biases)
print("queries, keys and values of a token of zeros should be 0.1 to 0.6, but:", out.flatten().tolist())""",
    statement=f"""\
A loader that was written for Llama is used for a Qwen. It runs without an error, but the logits are not those of the
original: they differ a little everywhere. `broken` is the first place in the model where numbers differ.

- `x` is `(T, C)`. `weights` is `(3, C, C)` and `biases` is `(3, C)`: W, stored as (out, in), and b of the queries, the
  keys and the values. The result is `(3, T, C)`: x Wᵀ + b for each of the three.
- `file` plays the file of weights, whose tensors have names, and `loaded` what the loader made of it.

Write `fixed(x, weights, biases)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="Llama has no biases. Qwen keeps these three, to read better beyond the length it was trained on.",
    points=2,
    minutes=8,
    difficulty=2,
    hints=(
        "Which names are in file, and which of them are in loaded? Print both.",
        "A token of zeros gives zeros in x Wᵀ, (T, C); what remains of x Wᵀ + b is b, (C,).",
        "load every tensor of the file; ask for each by its name, in a way that fails if it is not there.",
        "loaded[key] raises KeyError where loaded.get(key) quietly gives None, and F.linear takes None for no bias.",
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("a token of zeros gives the biases", _zero),
        Test("agrees with plain loops", _values),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "only_queries": _wrong(
            "now the queries have their bias; keys and values have one too.",
            ('endswith(".bias")', 'endswith(("k_proj.bias", "v_proj.bias"))'),
        ),
        "not_on_values": _wrong(
            "now queries and keys have their bias; the values have one too.",
            ('endswith(".bias")', 'endswith("v_proj.bias")'),
        ),
        "one_for_all": _wrong(
            "now all three get the bias of the queries; each has its own.",
            (' if not key.endswith(".bias")', ""),
            ('.get(f"{name}.bias")', '.get("q_proj.bias")'),
        ),
        "transposed": _wrong(
            "now the biases are there, but W is transposed; F.linear takes it as it is stored, as (out, in).",
            (' if not key.endswith(".bias")', ""),
            ('loaded[f"{name}.weight"]', 'loaded[f"{name}.weight"].mT'),
        ),
        "on_x": _wrong(
            "now b is added to x before the product; the result is x Wᵀ + b.",
            (' if not key.endswith(".bias")', ""),
            ('F.linear(x, loaded[f"{name}.weight"], ', 'F.linear(x + loaded[f"{name}.bias"], loaded[f"{name}.weight"]'),
            ('loaded.get(f"{name}.bias"))', ")"),
        ),
    },
)

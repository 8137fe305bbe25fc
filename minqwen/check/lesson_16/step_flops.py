"""Exercise 16.4, what a training step costs. Kaplan et al. 2020 (arXiv:2001.08361), section 2.1 and Table 1."""

from functools import partial

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import cost


def _counted(B: int, T: int, n_layers: int, C: int, Ckv: int, F: int, V: int) -> int:
    """Product by product, and query by query in attention; a row of k times a matrix (k, n) costs 2·k·n."""
    total = 0
    for _ in range(B):
        for t in range(T):
            total += 2 * C * V
            for _ in range(n_layers):
                for k, n in ((C, C), (C, Ckv), (C, Ckv), (C, C), (C, F), (C, F), (F, C)):
                    total += 2 * k * n
                total += 2 * C * (t + 1)  # the scores of all heads
                total += 2 * (t + 1) * C  # the weighted values
    return total + 2 * total


SMALL = {"B": 1, "T": 1, "n_layers": 1, "C": 6, "Ckv": 6, "F": 16, "V": 10}


def _case(note: str = "", **sizes: int) -> Case:
    given = SMALL | sizes
    return Case(given, _counted(**given), note)


def _several(rng: torch.Generator, low: int, high: int, n: int) -> list[int]:
    return (low + torch.randperm(high - low, generator=rng)[:n]).tolist()


def _one_token(rng: torch.Generator) -> list[Case]:
    F, V = _several(rng, 5, 30, 2)
    return [_case("one token, one layer", F=F, V=V)]


def _longer(rng: torch.Generator) -> list[Case]:
    return [_case("only T grows", T=T) for T in _several(rng, 2, 40, 3)]


def _batch(rng: torch.Generator) -> list[Case]:
    return [_case("several texts", B=B, T=4, V=2) for B in _several(rng, 2, 9, 2)]


def _deeper(rng: torch.Generator) -> list[Case]:
    return [_case("several layers", n_layers=n, T=3) for n in _several(rng, 2, 9, 2)]


def _grouped(rng: torch.Generator) -> list[Case]:
    return [_case("heads share keys and values", C=12 * n, Ckv=3 * n, T=2) for n in _several(rng, 1, 9, 2)]


def _values(rng: torch.Generator) -> list[Case]:
    B, T, n, D, F, V = _several(rng, 2, 12, 6)
    return [_case(B=B, T=T, n_layers=n, C=4 * D, Ckv=2 * D, F=F, V=V)]


_wrong = partial(parts.mistake, cost.step_flops)

EXERCISE = exercise.Implement(
    name="step_flops",
    lesson="16_past_one_machine",
    number="16.4",
    title="What does a step cost?",
    library=cost.step_flops,
    also_closed=(_counted,),
    statement="""\
Write `step_flops(B, T, n_layers, C, Ckv, F, V)`: how many operations the matrix products of one training step take.

- `B` texts of `T` tokens each; `n_layers` blocks; widths `C` of the model, `Ckv` of keys and of values, `F` of the MLP;
  `V` tokens in the vocabulary. All are whole numbers, and so is the result.
- A row of k numbers times a matrix (k, n) costs **2·k·n**: a multiplication and an addition for each weight.
- Each token passes the matrices of every block, q and o (C, C), k and v (C, Ckv), gate and up (C, F), down (F, C), and
  then the output matrix (C, V). The embedding is only looked up.
- In attention, token t (from 1) meets t keys, itself included. With all heads together their total width is C, so each
  meeting costs 2·C for the score and 2·C for the weighted value, in every block.
- The backward pass costs twice the forward pass.

For example, B = T = n_layers = 1, C = Ckv = 6, F = 16, V = 10: the matrices hold 4·36 + 3·96 + 60 = 492 weights, 984
operations; attention adds 24. Forward 1,008, in all **3,024**.
""",
    why="Divide it by what a machine does in a second, and you know what a run costs before it starts.",
    points=2,
    minutes=12,
    difficulty=2,
    hints=(
        "How many weights does one token meet on its way up? How many keys do T tokens meet together?",
        "Seven whole numbers go in, one comes out; 1 + 2 + ... + T has a closed form.",
        "weights of the blocks and of the output; pairs of query and key; forward from both; three times that.",
        "For T = 3 there are 6 pairs. Each costs 4·C in each block and text.",
    ),
    tests=(
        Test("one token in one layer meets every matrix once", _one_token),
        Test("longer texts cost more than T times as much, by the pairs", _longer),
        Test("B texts cost B times one", _batch),
        Test("every layer costs the same, and the output comes once", _deeper),
        Test("shared keys and values make two matrices narrower", _grouped),
        Test("agrees with counting product by product", _values),
    ),
    wrong_answers={
        "forward_only": _wrong(
            "that is the forward pass; the backward pass costs twice as much again.", ("3 * forward", "forward")
        ),
        "backward_only": _wrong("that is the backward pass; add the forward pass.", ("3 * forward", "2 * forward")),
        "recomputed": _wrong(
            "that is four forward passes, as when activations are computed again in the backward pass; here it is "
            "three.",
            ("3 * forward", "4 * forward"),
        ),
        "multiplications_only": _wrong(
            "only multiplications are counted; each comes with an addition.",
            ("2 * B * T * weights + 4 * B", "B * T * weights + 2 * B"),
        ),
        "embedding_multiplied": _wrong(
            "the embedding is counted as a product; a row of it is only looked up.", ("+ C * V", "+ 2 * C * V")
        ),
        "output_forgotten": _wrong("the output matrix (C, V) is missing.", (" + C * V", "")),
        "masked_half": _wrong(
            "all T · T pairs are counted; a causal mask leaves T(T + 1)/2.", ("T * (T + 1) // 2", "T * T")
        ),
        "not_itself": _wrong(
            "a token meets itself as well: the pairs are T(T + 1)/2.", ("T * (T + 1) // 2", "T * (T - 1) // 2")
        ),
        "two_matrices": _wrong(
            "the MLP has three matrices: gate, up and down; this counts two.", ("3 * C * F", "2 * C * F")
        ),
        "equal_heads": _wrong(
            "keys and values are counted as wide as the model; their width is Ckv.", ("2 * C * Ckv", "2 * C * C")
        ),
        "one_of_two": _wrong(
            "keys and values have a matrix each; one (C, Ckv) is missing.", ("2 * C * Ckv", "C * Ckv")
        ),
        "no_output_projection": _wrong(
            "q and o have a matrix each; one (C, C) is missing.", ("2 * C * C +", "C * C +")
        ),
        "narrow_attention": _wrong(
            "attention is counted as wide as Ckv; shared keys are used by every head, and heads together are C wide.",
            ("n_layers * C * pairs", "n_layers * Ckv * pairs"),
        ),
        "never_halved": _wrong(
            "1 + 2 + ... + T is T(T + 1)/2; the division by 2 is missing.", ("T * (T + 1) // 2", "T * (T + 1)")
        ),
        "attention_forward_only": _wrong(
            "attention is counted forward only; its backward pass costs twice that, too.",
            ("return 3 * forward", "return 3 * forward - 8 * B * n_layers * C * pairs"),
        ),
        "output_in_every_layer": _wrong(
            "the output matrix is counted in every layer; it comes once, at the end.",
            ("3 * C * F) + C * V", "3 * C * F + C * V)"),
        ),
        "output_once": _wrong(
            "the output matrix is counted once a text; every token passes it.",
            ("+ C * V", ""),
            ("forward = ", "forward = 2 * B * C * V + "),
        ),
        "one_layer": _wrong("the matrices of one layer are counted; every layer has its own.", ("n_layers * (", "(")),
        "one_text": _wrong(
            "one text is counted; a step has B of them.", ("2 * B * T", "2 * T"), ("4 * B * n", "4 * n")
        ),
        "one_token_more": _wrong(
            "T + 1 tokens pass the matrices; the last of a window is only a target, so T do.",
            ("2 * B * T", "2 * B * (T + 1)"),
        ),
        "across_texts": _wrong(
            "tokens meet those of other texts; each text is by itself.",
            ("T * (T + 1) // 2", "B * T * (B * T + 1) // 2"),
            ("4 * B * n", "4 * n"),
        ),
        "scores_only": _wrong("attention has two products: the scores, and the weighted values.", ("4 * B", "2 * B")),
        "no_attention": _wrong(
            "the products of attention are missing: scores and weighted values.",
            (" + 4 * B * n_layers * C * pairs", ""),
        ),
        "attention_of_one_text": _wrong(
            "attention is counted for one text; every one of the B has its own pairs.", ("4 * B * n", "4 * n")
        ),
        "attention_of_one_layer": _wrong(
            "attention is counted in one layer; every layer has its own.", ("4 * B * n_layers", "4 * B")
        ),
    },
)

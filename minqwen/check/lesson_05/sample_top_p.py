"""Exercise 5.1, the nucleus. Holtzman et al. 2020 (arXiv:1904.09751), section 3.1."""

from functools import partial

import torch
from torch import Tensor

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import generate, sampling


def _reference(logits, top_p, generator=None):
    """Sort, cut, draw, look up."""
    probs, order = logits.softmax(dim=-1).sort(dim=-1, descending=True)
    before = probs.cumsum(dim=-1) - probs  # the mass of all likelier tokens
    kept = probs.masked_fill(before >= top_p, 0.0)
    place = torch.multinomial(kept, 1, generator=generator)
    return order.gather(-1, place).squeeze(-1)


def _logits(rng: torch.Generator, shares: list[float], rows: int = 1) -> tuple[Tensor, Tensor]:
    """One row of logits for these shares in a random order, `rows` times; and where each share stands."""
    place = torch.randperm(len(shares), generator=rng)
    logits = torch.empty(len(shares))
    logits[place] = torch.tensor(shares).log() + draw.normal(rng, 1)  # what all logits share changes nothing
    return logits.expand(rows, -1).clone(), place


def _generator(rng: torch.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(torch.randint(0, 10**6, (1,), generator=rng)))


def _drawn(rng: torch.Generator, top_p: float, kept: int) -> Case:
    logits, place = _logits(rng, [0.5, 0.3, 0.15, 0.05], rows=300)
    given = {"logits": logits, "top_p": top_p, "generator": _generator(rng)}
    note = f"300 equal rows with shares 0.5, 0.3, 0.15 and 0.05, of tokens {place.tolist()}"
    return Case(given, place[:kept].sort().values, note, lambda out: out.unique(), "which tokens were drawn")


def _nuclei(rng: torch.Generator) -> list[Case]:
    return [_drawn(rng, 0.9, 3), _drawn(rng, 0.75, 2), _drawn(rng, 0.6, 2)]


def _narrow(rng: torch.Generator) -> list[Case]:
    rows = [_logits(rng, [0.6, 0.3, 0.1]) for _ in range(5)]
    logits, likeliest = torch.cat([row for row, _ in rows]), torch.stack([place[0] for _, place in rows])
    note = "the likeliest token of each row has 0.6"
    return [Case({"logits": logits, "top_p": top_p}, likeliest, note) for top_p in (0.5, 0.01)]


def _all(rng: torch.Generator) -> list[Case]:
    return [_drawn(rng, 1.0, 4)]


def _shares(rng: torch.Generator) -> list[Case]:
    logits, place = _logits(rng, [0.64, 0.16, 0.12, 0.08], rows=4000)
    given = {"logits": logits, "top_p": 0.7, "generator": _generator(rng)}
    note = f"4,000 equal rows; the nucleus has 0.64 and 0.16, of tokens {place[:2].tolist()}"
    likeliest = place[0]
    reads = f"how many of ten draws give token {likeliest}, rounded"
    return [Case(given, torch.tensor(8.0), note, lambda out: (10 * (out == likeliest).float().mean()).round(), reads)]


def _advances(rng: torch.Generator) -> list[Case]:
    generator = _generator(rng)
    before = generator.get_state()
    given = {"logits": _logits(rng, [0.9, 0.1])[0], "top_p": 0.5, "generator": generator}
    moved = {"of": "generator", "read": lambda g: torch.tensor(not g.get_state().equal(before))}
    return [Case(given, torch.tensor(True), reads="whether the generator was drawn from", **moved)]


_wrong = partial(parts.mistake, _reference)
_CUT = "probs.masked_fill(before >= top_p, 0.0)"

EXERCISE = exercise.Implement(
    name="sample_top_p",
    lesson="05_inference",
    number="5.1",
    title="Draw from the nucleus",
    library=generate.sample_top_p,
    reference=_reference,
    also_closed=(sampling.keep_top_p,),
    in_model=True,
    statement="""\
Write `sample_top_p(logits, top_p, generator=None)`, which draws one token for each row, but never an unlikely one:

- `logits` has shape `(B, V)`: B texts, a score for each of V tokens. Their softmax is the probability of each token.
- Only the **nucleus** may be drawn: the likeliest tokens, as few as possible, whose probabilities together reach
  `top_p`. The token that crosses the line belongs to it, so there is always one. `top_p` is above 0; 1 keeps all.
- Inside the nucleus tokens are drawn in proportion to their probabilities.
- The result has shape `(B,)` and holds **ids of tokens**, as int64. Rows are drawn independently.
- `generator` is where the randomness comes from: hand it on to `torch.multinomial`.

For example, probabilities `[0.05, 0.3, 0.15, 0.5]` and `top_p` 0.6: the likeliest, token 3, has 0.5 < 0.6, so token 1
comes in as well. Token 3 is drawn with probability 0.5 / 0.8, token 1 with 0.3 / 0.8, the others never.
""",
    why="Every chat model that you talk to samples about like this; the report's RLHF does so too, with 0.9.",
    points=4,
    minutes=15,
    difficulty=3,
    hints=(
        "Lay the tokens out from likely to unlikely. How much must the earlier ones have so that a token is left out?",
        "probabilities and order are (B, V), both sorted; the drawn place is (B, 1), the result (B,).",
        "softmax; sort, descending; mass before each = cumsum minus itself; zero where that is top_p or more; "
        "multinomial gives a place in the sorted order; look up which token stands there.",
        "torch.multinomial(p, 1, generator=...) takes p that does not sum to 1; order.gather(-1, place) gives ids.",
    ),
    tests=(
        Test("the nucleus is the smallest set that reaches top_p, with the token that crosses it", _nuclei),
        Test("where the likeliest token alone reaches top_p it is always drawn, in each row its own", _narrow),
        Test("top_p of 1 keeps every token", _all),
        Test("inside the nucleus tokens are drawn in proportion to their probabilities", _shares),
        Test("the randomness comes from the generator", _advances),
    ),
    wrong_answers={
        "crossing_left_out": _wrong(
            "the token that crosses top_p is left out; a token is hidden only if the likelier ones reach it already.",
            ("probs.cumsum(dim=-1) - probs", "probs.cumsum(dim=-1)"),
        ),
        "place_for_token": _wrong(
            "the place in the sorted order is returned; look up which token stands there.",
            ("order.gather(-1, place)", "place"),
        ),
        "unlikely_first": _wrong(
            "the tokens are sorted from unlikely to likely, so the rare ones are kept.",
            ("descending=True", "descending=False"),
        ),
        "each_alone": _wrong(
            "each token is judged by its own probability; what counts is the sum of the likelier ones.",
            ("before >= top_p", "probs < 1 - top_p"),
        ),
        "likeliest_only": _wrong(
            "the likeliest token is always taken; draw from the nucleus.",
            ("torch.multinomial(kept, 1, generator=generator)", "kept.argmax(dim=-1, keepdim=True)"),
        ),
        "not_cut": _wrong("every token may be drawn; top_p has no effect.", (_CUT, "probs + 0.0 * before")),
        "uniform": _wrong(
            "all tokens of the nucleus are equally likely; keep the proportions of their probabilities.",
            (_CUT, "(before < top_p).float()"),
        ),
        "softmax_again": _wrong(
            "a second softmax turns the zeros of hidden tokens into e⁰, so they are drawn; multinomial needs none.",
            (_CUT, f"{_CUT}.softmax(dim=-1)"),
        ),
        "order_of_the_first_row": _wrong(
            "all rows use the order of the first; each row has its own.",
            ("order.gather", "order[:1].expand_as(order).gather"),
        ),
        "generator_ignored": _wrong(
            "the generator is not used, so the same seed gives another text each time; hand it on to multinomial.",
            (", generator=generator)", ")"),
        ),
    },
)

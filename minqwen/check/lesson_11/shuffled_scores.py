"""Exercise 11.4, scores that went back to the wrong texts. Ouyang et al. 2022 (arXiv:2203.02155), equation 1."""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(scores: Tensor, order: Tensor) -> Tensor:
    """The loss of pairs whose texts were sorted to save padding: scores[i] is that of text order[i]."""
    back = scores[order]
    chosen, rejected = back.chunk(2)
    return F.softplus(rejected - chosen).mean()


def _loops(scores: Tensor, order: Tensor) -> Tensor:
    of_text = dict(zip(order.tolist(), scores.double()))
    pairs = len(scores) // 2
    losses = [F.softplus(of_text[pairs + b] - of_text[b]) for b in range(pairs)]
    return torch.stack(losses).mean().to(scores.dtype)


def _tour(rng: torch.Generator, n: int) -> Tensor:
    """An order that visits all places in one round, so that it is no inverse of itself."""
    names = torch.randperm(n, generator=rng)
    return names[(names.argsort() + 1) % n]


def _case(scores: Tensor, order: Tensor, note: str = "") -> Case:
    return Case({"scores": scores, "order": order}, _loops(scores, order), note)


def _perfect(rng: torch.Generator) -> list[Case]:
    order = _tour(rng, 6)
    scores = torch.where(order < 3, 30.0, 0.0)
    return [_case(scores, order, "a model that gives every chosen text 30 and every rejected one 0")]


def _unsorted(rng: torch.Generator) -> list[Case]:
    return [_case(draw.normal(rng, 4), torch.arange(4), "the texts were in order already")]


def _values(rng: torch.Generator) -> list[Case]:
    return [_case(draw.normal(rng, n), _tour(rng, n)) for n in (4, 10)]


_CAUSES = {
    "a": Cause(
        "The loss has the wrong sign: it should be softplus(chosen − rejected).",
        "softplus(rejected − chosen) is −log σ(chosen − rejected), as it should be.",
    ),
    "b": Cause("The scores are put back by `order` itself, and not by its inverse, so many go to other texts."),
    "c": Cause(
        "chunk(2) takes every other score instead of the first half.",
        "chunk(2) cuts in the middle, and the chosen texts are the first half.",
    ),
}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="11_shuffled_scores",
    lesson="11_preferences",
    number="11.4",
    title="A reward model that never gets better than a coin",
    broken=broken,
    also_closed=(_loops,),
    mend=(("scores[order]", "scores[order.argsort()]"),),
    imports="import torch\nfrom torch import Tensor\nfrom torch.nn import functional as F",
    symptom="""\
order = torch.tensor([2, 0, 3, 1])  # the model read text 2 first, then texts 0, 3 and 1
perfect = torch.where(order < 2, 30.0, 0.0)  # texts 0 and 1 are the chosen ones
print("a perfect model should have a loss of 0, but:", broken(perfect, order).item())""",
    statement=f"""\
To save padding, somebody sorts the texts of a batch by length before the model reads them. Training runs, the loss
falls a little, and the accuracy on new pairs stays near 0.5. `broken` is its loss.

- A batch has B pairs, so 2B texts: 0 to B − 1 are the chosen ones, B to 2B − 1 the rejected ones; text b and text B + b
  are a pair.
- `order` is `(2B,)`: the model read text `order[0]` first, then `order[1]`, and so on. `scores` is `(2B,)`, in the
  order of reading: `scores[i]` is the score of text `order[i]`.

Write `fixed(scores, order)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}
""",
    why="Half of the pairs are then exchanged or of two questions; nothing raises an error, and shapes fit.",
    points=2,
    minutes=10,
    difficulty=2,
    hints=(
        "With order [2, 0, 3, 1]: which text has scores[0]? Where does scores[order] put it?",
        "(2B,) scores in the order of reading become (2B,) scores in the order of the texts.",
        "an order that says which text stands at place i is undone by the one that says at which place text t stands.",
        "order.argsort() is the inverse of order.",
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("a perfect model has no loss", _perfect),
        Test("texts that were in order already", _unsorted),
        Test("agrees with plain loops", _values),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "not_put_back": _wrong(
            "the scores stay in the order of reading; put them back into that of the texts.",
            ("scores[order]", "scores"),
        ),
        "sorted_scores": _wrong(
            "the scores are sorted by their own size; sort them by the number of their text.",
            ("scores[order]", "scores.sort(descending=True).values"),
        ),
        "sorted_upwards": _wrong(
            "the scores are sorted by their own size; sort them by the number of their text.",
            ("scores[order]", "scores.sort().values"),
        ),
        "twice": _wrong(
            "the scores are moved by `order` twice; the inverse moves them back once.",
            ("scores[order]", "scores[order][order]"),
        ),
        "sum": _wrong(
            "the losses of the pairs are added up now; the mean was right.",
            ("scores[order]", "scores[order.argsort()]"),
            (".mean()", ".sum()"),
        ),
        "every_other_as_given": _wrong(
            "the scores still go to other texts, and every other one counts as chosen; the first half is.",
            ("back.chunk(2)", "(back[::2], back[1::2])"),
        ),
        "reversed": _wrong(
            "the scores go to other texts, and chosen and rejected are exchanged as well; backwards is no inverse.",
            ("scores[order]", "scores[order.flip(0)]"),
        ),
        "sign_turned": _wrong(
            "now the worse answer is rewarded; the sign was right.",
            ("scores[order]", "scores[order.argsort()]"),
            ("rejected - chosen", "chosen - rejected"),
        ),
        "every_other": _wrong(
            "now every other score counts as chosen; the first half is.",
            ("scores[order]", "scores[order.argsort()]"),
            ("back.chunk(2)", "(back[::2], back[1::2])"),
        ),
    },
)

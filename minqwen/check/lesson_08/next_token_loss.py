"""Exercise 8.1, surprise at the true next token. Radford et al. 2018; Qwen report (arXiv:2309.16609), section 2.4."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from minqwen.check import draw, exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.model import loss


def _reference(logits, targets, mask=None):
    """The library's body, without its raising of half types."""
    logp = logits.log_softmax(dim=-1)
    nll = -logp.gather(-1, targets[..., None]).squeeze(-1)
    if mask is None:
        return nll.mean()
    return nll.where(mask, 0.0).sum() / mask.sum().clamp(min=1)


def _loops(logits: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
    values = []
    for b, row in enumerate(logits.tolist()):
        for t, scores in enumerate(row):
            if mask is None or mask[b, t]:
                top = max(scores)
                total = top + math.log(sum(math.exp(score - top) for score in scores))
                values.append(total - scores[targets[b, t]])
    return torch.tensor(sum(values) / max(len(values), 1), dtype=torch.float64).to(logits.dtype)


def _given(rng: torch.Generator, B: int, T: int, V: int) -> dict[str, Any]:
    return {"logits": 2 * draw.normal(rng, B, T, V), "targets": torch.randint(0, V, (B, T), generator=rng)}


def _case(given: dict[str, Any], note: str = "") -> Case:
    return Case(given, _loops(**given), note)


def _guessing(rng: torch.Generator) -> list[Case]:
    given = {**_given(rng, 1, 2, 3), "logits": torch.zeros(1, 2, 3)}
    return [Case(given, torch.tensor(math.log(3)), "all logits are equal, so the loss is log 3 nats")]


def _large(rng: torch.Generator) -> list[Case]:
    given = _given(rng, 1, 2, 3)
    given["logits"] = (8 * given["logits"]).round() / 8  # so that adding 100 rounds nothing away
    return [Case({**given, "logits": given["logits"] + 100.0}, _loops(**given), "100 is added to all logits")]


def _values(rng: torch.Generator) -> list[Case]:
    return [_case(_given(rng, 1, 2, 3)), _case(_given(rng, *draw.sizes(rng, 3)))]


def _masked(rng: torch.Generator) -> list[Case]:
    mask = torch.tensor([[True, False, False], [True, True, True]])
    return [_case({**_given(rng, 2, 3, 5), "mask": mask}, "rows with one and with three positions that count")]


def _nothing(rng: torch.Generator) -> list[Case]:
    given = {**_given(rng, 1, 2, 3), "mask": torch.zeros(1, 2, dtype=torch.bool)}
    return [Case(given, torch.tensor(0.0), "no position counts")]


_wrong = partial(parts.mistake, _reference)

EXERCISE = exercise.Implement(
    name="next_token_loss",
    lesson="08_pretraining",
    number="8.1",
    title="How surprised is the model?",
    library=loss.next_token_loss,
    faster=loss.fused_next_token_loss,
    reference=_reference,
    also_closed=(_loops,),
    twins=(F.cross_entropy, F.nll_loss),
    in_model=True,
    imports="from torch.nn import functional as F",
    statement="""\
Write `next_token_loss(logits, targets, mask=None)`, the objective of pre-training, in nats a token:

$$-\\frac{1}{n}\\sum_{b,t}\\log \\text{softmax}(\\text{logits}_{b,t})_{\\text{targets}_{b,t}}$$

- `logits` is `(B, T, V)`; `targets` is `(B, T)` and holds ids: `targets[b, t]` is the token *after* position t, so the
  shift is made already. The result is one number, of shape `()` and the dtype of `logits`.
- `mask` is boolean `(B, T)`. Where it is False a position does not count, neither in the sum nor in n. Without any True
  the loss is 0.
- Logits around 100 must give a number, though float32 cannot hold e¹⁰⁰.

For example, three equal logits give log 3 = 1.0986 for any target; logits `[[[0., 0., 2.]]]` and target `[[2]]` give
log(2 + e²) − 2 = 0.2395.

Torch's `log_softmax` and `gather` are allowed, its cross-entropy is not.
""",
    why="Everything that a base model knows came through this one number.",
    points=3,
    minutes=12,
    difficulty=2,
    hints=(
        "How large is the loss of a model that finds all V tokens equally likely?",
        "logits (B, T, V), the log-probabilities (B, T, V), those of the targets (B, T), the result ().",
        "log-softmax over the vocabulary; pick each target's entry; negate; mean over what counts.",
        "logp.gather(-1, targets[..., None]) picks one entry from each row of V; squeeze the last axis away.",
    ),
    tests=(
        Test("equal logits give the logarithm of their number", _guessing),
        Test("agrees with plain loops", _values),
        Test("large logits give a number", _large),
        Test("masked positions count neither in the sum nor in the mean", _masked),
        Test("without any position the loss is 0", _nothing),
        draw.gradients("a gradient reaches the logits", ("logits",), lambda rng: _given(rng, 1, 2, 3)),
    ),
    wrong_answers={
        "sign_lost": _wrong("the sign is lost: surprise is −log p.", ("nll = -logp", "nll = logp")),
        "probability": _wrong("this is −p; the surprise is −log p.", ("logits.log_softmax", "logits.softmax")),
        "over_time": _wrong("the softmax runs over positions; it runs over the vocabulary.", ("(dim=-1)", "(dim=1)")),
        "summed": _wrong("this is a sum over positions; take their mean.", ("nll.mean()", "nll.sum()")),
        "mask_turned": _wrong(
            "the mask is taken the wrong way round; True counts.", ("nll.where(mask", "nll.where(~mask")
        ),
        "divided_by_all": _wrong("masked positions still count in n.", ("mask.sum().clamp(min=1)", "mask.numel()")),
        "mask_ignored": _wrong("the mask has no effect.", ("if mask is None:", "if True:")),
        "mean_of_rows": _wrong(
            "each row gets its own mean; all positions that count weigh the same.",
            (
                "nll.where(mask, 0.0).sum() / mask.sum().clamp(min=1)",
                "(nll.where(mask, 0.0).sum(-1) / mask.sum(-1).clamp(min=1)).mean()",
            ),
        ),
        "empty_is_nan": _wrong("without any True this is 0/0.", (".clamp(min=1)", "")),
        "shifted_again": _wrong(
            "the targets are shifted once more; targets[b, t] belongs to position t already.",
            ("targets[..., None]", "targets.roll(-1, -1)[..., None]"),
        ),
        "shifted_by_slices": _wrong(
            "logits and targets are shifted once more; targets[b, t] belongs to position t already.",
            ("logits.log_softmax", "logits[:, :-1].log_softmax"),
            ("targets[..., None]", "targets[:, 1:, None]"),
        ),
        "overflow": _wrong(
            "log(softmax) by exp is right on paper, but e¹⁰⁰⁰ is infinite.",
            ("logits.log_softmax(dim=-1)", "(logits.exp() / logits.exp().sum(dim=-1, keepdim=True)).log()"),
        ),
        "bits": _wrong("these are bits; nats are asked for.", ("nll = -logp", "nll = -1.4426950408889634 * logp")),
    },
)

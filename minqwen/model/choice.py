"""Multiple choice without sampling: the option that the model finds likeliest.

Qwen Technical Report (arXiv:2309.16609), section 2.6, Table 2: MMLU and C-Eval are marked by the logits of A, B, C and
D; whole options as in Brown et al. 2020 (arXiv:2005.14165), section 2.4.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


@torch.no_grad()
def letter_scores(model: nn.Module, prompt: Sequence[int], letters: Sequence[int]) -> Float[Tensor, " N"]:
    """log p of each letter's token after the prompt."""
    logits: Float[Tensor, "1 T V"] = model(torch.tensor([list(prompt)]))
    return logits[0, -1].log_softmax(dim=-1)[list(letters)]


@torch.no_grad()
def option_scores(model: nn.Module, prompt: Sequence[int], options: Sequence[Sequence[int]]) -> Float[Tensor, " N"]:
    """Mean over an option's tokens of log p(token | prompt, the option so far)."""
    scores = []
    for option in options:
        ids: Int[Tensor, "1 T"] = torch.tensor([[*prompt, *option]])
        logp = model(ids[:, :-1])[0, len(prompt) - 1 :].log_softmax(dim=-1)
        scores.append(logp.gather(-1, ids[0, len(prompt) :, None]).mean())
    return torch.stack(scores)

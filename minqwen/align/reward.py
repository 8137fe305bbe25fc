"""A reward model: of two answers, the better one shall score higher.

Bradley & Terry 1952; Ouyang et al. 2022, "Training language models to follow instructions with human feedback"
(arXiv:2203.02155), equation 1. The Qwen report (arXiv:2309.16609), section 3.2.1, reads the reward at an end token and
does not write its loss down. Head and normalisation as in Stiennon et al. 2020 (arXiv:2009.01325).
"""

import copy
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from minqwen.model import Qwen, QwenConfig, checkpoint, hub

TRUNK = "model."  # how the names of the trunk's weights begin in a file, as in transformers


def preference_loss(
    chosen: Float[Tensor, " B"], rejected: Float[Tensor, " B"], margin: float = 0.0
) -> Float[Tensor, ""]:
    """−mean log σ(chosen − rejected − margin), in nats a pair; log 2 where both score alike and margin is 0."""
    if margin < 0:
        raise ValueError(f"margin={margin} would reward the worse answer; use 0, or how much better it is to be")
    if not (chosen.isfinite().all() and rejected.isfinite().all()):
        raise ValueError("scores are infinite or no numbers; go back to the last checkpoint and lower the rate")
    return nn.functional.softplus(rejected - chosen + margin).mean()


def last_value(values: Float[Tensor, "B T"], is_token: Bool[Tensor, "B T"]) -> Float[Tensor, " B"]:
    """values[b, t] at the last t of each row where is_token is True, whichever side is padded."""
    if not is_token.any(dim=-1).all():
        raise ValueError("a row holds nothing but padding; leave it out, or give it at least its end token")
    places = torch.arange(values.shape[-1], device=values.device)
    last = places.where(is_token, -1).amax(dim=-1)
    return values.gather(-1, last[:, None]).squeeze(-1)


class RewardModel(nn.Module):
    """A copy of a Qwen with a linear head of one output in place of its output matrix.

    The head is drawn from N(0, 1/√(C + 1)), its bias is 0. Scores are gain · head + bias; `normalise` sets the two.
    By its `values` it is the value model of PPO as well.
    """

    def __init__(self, trunk: Qwen, generator: torch.Generator | None = None):
        super().__init__()
        self.trunk = copy.deepcopy(trunk)
        self.trunk.lm_head = nn.Identity()  # no token is foretold any more
        C = trunk.config.d_model
        self.score = nn.Linear(C, 1)
        with torch.no_grad():
            self.score.weight.normal_(0.0, (C + 1) ** -0.5, generator=generator)
            self.score.bias.zero_()
        self.register_buffer("gain", torch.ones(()))
        self.register_buffer("bias", torch.zeros(()))

    @property
    def config(self) -> QwenConfig:
        """The sizes of the trunk."""
        return self.trunk.config

    def values(self, ids: Int[Tensor, "B T"], is_token: Bool[Tensor, "B T"] | None = None) -> Float[Tensor, "B T"]:
        """The head at every position, whose score is that of the text up to there."""
        return self.gain * self.score(self.trunk.hidden(ids, is_token)).squeeze(-1) + self.bias

    def forward(self, ids: Int[Tensor, "B T"], is_token: Bool[Tensor, "B T"] | None = None) -> Float[Tensor, " B"]:
        """One score a row, at its last token; of a whole answer that is the end token."""
        values = self.values(ids, is_token)
        return last_value(values, torch.ones_like(ids, dtype=torch.bool) if is_token is None else is_token)

    @torch.no_grad()
    def value_model(self) -> "RewardModel":
        """A copy that foretells 0 everywhere, from which a value model starts.

        The judge's head was read at end tokens only; at the others it says something, but nothing about what follows.
        """
        copied = copy.deepcopy(self)
        for tensor in (copied.score.weight, copied.score.bias, copied.bias):
            tensor.zero_()
        copied.gain.fill_(1.0)
        return copied

    @torch.no_grad()
    def normalise(self, scores: Float[Tensor, " N"]) -> None:
        """From now on the answers that scored `scores` have mean 0 and deviation 1: score → (score − mean) / deviation.

        Give the scores of answers of the policy that is to be improved.
        """
        mean, deviation = scores.double().mean(), scores.double().std(correction=0)
        if not (mean.isfinite() and deviation > 1e-6):
            raise ValueError(
                f"{len(scores)} scores of mean {mean:.3g} and deviation {deviation:.3g} set no scale; "
                "give finite scores of different answers"
            )
        self.gain.div_(deviation)
        self.bias.sub_(mean).div_(deviation)

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype = torch.float32) -> None:
        """Write a hub folder; the names are those of transformers' Qwen2ForSequenceClassification."""
        config = self.config.to_hub() | {"architectures": ["Qwen2ForSequenceClassification"], "num_labels": 1}
        weights = {name.removeprefix("trunk."): tensor for name, tensor in self.state_dict().items()}
        checkpoint.save(folder, config, weights, dtype)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "RewardModel":
        """The reward model of a folder that `save_pretrained` wrote, in float32."""
        folder = hub.find(folder)
        with torch.device("meta"):  # shapes without memory: nothing is drawn only to be overwritten
            model = cls(Qwen(QwenConfig.from_hub(checkpoint.read_config(folder))))
        weights = {
            ("trunk." + name if name.startswith(TRUNK) else name): tensor.to(torch.float32, copy=True)
            for name, tensor in checkpoint.read_weights(folder).items()
        }
        try:
            model.load_state_dict(weights, assign=True)
        except RuntimeError as error:
            raise ValueError(
                f"{folder} holds no reward model ({error}); a base model becomes one by training"
            ) from error
        return model

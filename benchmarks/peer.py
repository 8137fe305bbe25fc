"""The other side: `transformers` in its fastest settings, with the same optimizer and the same learning rate."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from minqwen.model import QwenConfig, schedule, training


def build(shape: dict[str, Any]) -> PreTrainedModel:
    """The same shape: Qwen2 with biases on Q, K and V, Llama without. Attention by torch's kernel."""
    hub = QwenConfig(**shape).to_hub()
    config = AutoConfig.for_model(hub.pop("model_type"), **hub)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa", dtype=torch.float32)
    # Nothing ends a text early, and no token counts as padding, as on our side.
    model.generation_config.eos_token_id = model.generation_config.pad_token_id = None
    return model


def train(model: PreTrainedModel, batches: Iterable[Tensor], steps: int) -> Iterator[float]:
    """The loss of each step: its own loss function, our AdamW (fused), schedule and clipping."""
    optimizer = training.adamw(model)
    model.train()
    for step, batch in zip(range(steps), batches):
        for group in optimizer.param_groups:
            group["lr"] = schedule.cosine_schedule(step, warmup=1, total=steps, peak=1e-3)
        ids, targets = batch[:, :-1], batch[:, 1:].contiguous()
        loss = model(input_ids=ids, labels=targets, shift_labels=targets, use_cache=False).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        yield loss.item()


def write(model: PreTrainedModel, prompt: Tensor, new_tokens: int) -> Tensor:
    """Greedy continuation with the cache; only the new tokens."""
    model.eval()
    return model.generate(prompt, max_new_tokens=new_tokens, do_sample=False, use_cache=True)[:, prompt.shape[1] :]

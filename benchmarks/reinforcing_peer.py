"""The other side of `reinforcing.py`: trl's PPOTrainer on the same weights, a turn of ours after each of its own."""

import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from datasets import Dataset
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PrinterCallback,
    TrainerCallback,
)
from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

from harness import clock
from minqwen import assets
from minqwen.align import answers, rlhf, rollout
from reinforcing import Turn, timed


class Turns(TrainerCallback):
    """Ends an iteration of theirs, takes one of ours, and starts the clock anew."""

    def __init__(self, mine: Iterator[Turn]):
        self.source, self.mine, self.theirs = mine, [], []

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self.started = clock()

    def wrote(self, seconds: float, result: tuple[torch.Tensor, torch.Tensor]) -> None:
        """The answers are there."""
        self.write, self.ids = seconds, result[0]

    def learns(self, *_: Any) -> None:
        """Whitened advantages are the last thing before the update."""
        self.update = clock()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """Stop the clock and take our turn."""
        now = clock()
        answer = rollout.finish(self.ids, self.prompt_is_token, *self.ends)
        tokens, ended = int(answer.is_answer.sum()), answer.ended.double().mean().item()
        self.theirs.append(Turn(self.write, now - self.update, now - self.started, tokens, ended))
        self.mine.append(next(self.source))
        self.started = clock()


def ppo(
    prompts: answers.Prompts,
    ends: tuple[int, int],
    settings: rlhf.Settings,
    sampling: rollout.Sampling,
    total: int,
    mine: Iterator[Turn],
) -> tuple[list[Turn], list[Turn]]:
    """`total` turns of both sides, ours first in the pair."""
    B = len(prompts.ids)
    turns = Turns(mine)
    turns.prompt_is_token, turns.ends = prompts.is_token, ends
    policy = AutoModelForCausalLM.from_pretrained(assets.TINY_QWEN_SFT, dtype=torch.float32)
    judge = _classifier(assets.TINY_QWEN_REWARD)
    trainer = PPOTrainer(
        config(settings, sampling, B, total, ends[0]),
        SimpleNamespace(eos_token_id=ends[0], pad_token_id=ends[1]),
        policy,
        copy.deepcopy(policy),
        judge,
        Dataset.from_dict({"input_ids": prompts.ids.tolist()}),
        copy.deepcopy(judge),
        data_collator=lambda rows: {"input_ids": torch.tensor([row["input_ids"] for row in rows])},
        eval_dataset=Dataset.from_dict({"input_ids": prompts.ids[:1].tolist()}),
        callbacks=[turns],
    )
    trainer.remove_callback(PrinterCallback)
    with (
        timed(ppo_trainer, "batch_generation", turns.wrote),
        timed(ppo_trainer, "masked_whiten", turns.learns),
    ):
        trainer.train()
    return turns.mine, turns.theirs


def config(settings: rlhf.Settings, sampling: rollout.Sampling, B: int, total: int, end_id: int) -> PPOConfig:
    """Our settings in their words, with everything off that is no part of an iteration."""
    return PPOConfig(
        output_dir=tempfile.mkdtemp(),
        learning_rate=settings.policy_rate,
        per_device_train_batch_size=B,
        gradient_accumulation_steps=1,
        num_mini_batches=settings.minibatches,
        num_ppo_epochs=settings.epochs,
        total_episodes=B * total,
        local_rollout_forward_batch_size=B,
        response_length=sampling.max_new_tokens,
        temperature=sampling.temperature,
        stop_token_id=end_id,
        missing_eos_penalty=-settings.missing_end,
        kl_coef=settings.beta,
        cliprange=settings.clip,
        cliprange_value=settings.value_clip,
        gamma=1.0,
        lam=settings.lam,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        num_sample_generations=0,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


def _classifier(folder: Path) -> PreTrainedModel:
    """Ours, but for the head's bias and scale: they change scores by a line, and no time."""
    return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1, dtype=torch.float32)

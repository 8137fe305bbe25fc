"""Pre-training, from documents to checkpoints: packing, the loop, whole runs that go on where they were stopped.

Qwen Technical Report (arXiv:2309.16609), section 2.4. `python -m minqwen.model.training settings.toml` runs it.
"""

from minqwen.model.training.loop import NotANumberError, Step, adamw, batch_loss, multiplies_bfloat16, nats, train
from minqwen.model.training.packing import Batches, pack, shuffled_batches
from minqwen.model.training.recipe import Recipe
from minqwen.model.training.run import Run, as_line

__all__ = [
    "Batches",
    "NotANumberError",
    "Recipe",
    "Run",
    "Step",
    "adamw",
    "as_line",
    "batch_loss",
    "multiplies_bfloat16",
    "nats",
    "pack",
    "shuffled_batches",
    "train",
]

"""One model on several processes of `torchrun`: each computes its rows of a batch, and gradients are averaged.

DDP keeps a whole copy in each process (Li et al. 2020, arXiv:2006.15704); FSDP2 keeps a share of every matrix (Zhao et
al. 2023, arXiv:2304.11277). With one process all of this does nothing. Lesson 16 is about more than that.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta

from jaxtyping import Float, Int
from torch import Tensor, distributed, nn

KINDS = ("ddp", "fsdp")
LOST = ("Timed out", "Connection closed", "Connection reset", "Broken pipe")  # gloo's words for it


class LostProcessError(ConnectionError):
    """Another process ended, or did not answer in time; what was saved is whole."""


@contextmanager
def processes(limit: timedelta = timedelta(minutes=10)) -> Iterator[int]:
    """This process's number; under `torchrun` they are connected by gloo, which works without a GPU.

    `limit` is how long one waits for another, in any exchange, before it gives up; torch's own half hour is long.
    """
    if not distributed.is_torchelastic_launched():
        yield 0
        return
    distributed.init_process_group("gloo", timeout=limit)
    try:
        yield rank()
    except RuntimeError as error:
        if not any(words in str(error) for words in LOST):
            raise
        raise LostProcessError(
            f"process {rank()} of {count()} lost another one: it ended, or did not answer for {limit} ({error}); "
            "look for its own message, then start the same command again, which goes on from the last state"
        ) from error
    finally:
        distributed.destroy_process_group()


def count() -> int:
    """How many processes share the work."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def wrap(model: nn.Module, kind: str) -> nn.Module:
    """The model as these processes share it; alone, the model itself."""
    if kind not in KINDS:
        raise ValueError(f"parallel={kind!r} is not known; choose one of {KINDS}")
    if count() == 1:
        return model
    if kind == "ddp":
        return nn.parallel.DistributedDataParallel(model)
    from torch.distributed import device_mesh, fsdp  # most of a second, which a single process need not wait for

    mesh = device_mesh.init_device_mesh("cpu", (count(),))
    for block in model.model.layers:
        fsdp.fully_shard(block, mesh=mesh)
    return fsdp.fully_shard(model, mesh=mesh)


def own_rows(batch: Int[Tensor, "B L"]) -> Int[Tensor, "n L"]:
    """The rows of this process; as many in each, so that the mean of means is the mean."""
    if len(batch) % count():
        raise ValueError(
            f"a batch of {len(batch)} windows does not split over {count()} processes; "
            f"use batch_size={max(len(batch) // count(), 1) * count()}"
        )
    return batch.chunk(count())[rank()]


def mean(value: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """The mean over the processes, the same number in each."""
    if count() == 1:
        return value
    total = value.clone()
    distributed.all_reduce(total)
    return total / count()


def whole(value: Tensor) -> Tensor:
    """A tensor of which each process holds a share, in full."""
    return value.full_tensor() if hasattr(value, "full_tensor") else value


def synchronise(model: nn.Module, now: bool) -> None:
    """Whether FSDP averages the gradients of the next backward pass, or keeps adding them up."""
    if hasattr(model, "set_requires_gradient_sync"):
        model.set_requires_gradient_sync(now)


def local_gradients(model: nn.Module, local: bool) -> AbstractContextManager:
    """The same for DDP: inside, nothing is exchanged."""
    is_ddp = isinstance(model, nn.parallel.DistributedDataParallel)
    return model.no_sync() if is_ddp and local else nullcontext()

"""Two processes of torchrun on two shares of each batch. Oracle: one process on the whole batch, over 20 steps."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from minqwen.model import Qwen, QwenConfig, training
from minqwen.model.training import parallel, state

ROOT = Path(training.__file__).parents[3]
CONFIG = QwenConfig(vocab_size=23, d_model=28, n_layers=2, n_heads=2, n_kv_heads=2, d_ff=31, max_length=16)
WINDOWS = (torch.arange(17) * 5 + torch.arange(46)[:, None] ** 2) % 23
RECIPE = training.Recipe(steps=20, peak=1e-2, warmup=2, batch_size=8, parts=2)
CASES = [(kind, dtype, 20) for kind in parallel.KINDS for dtype in ("float64", "float32")] + [("fsdp", "float64", 10)]


def work(folder, kind, dtype, steps):
    """Train up to this step, keep the state and export the model."""
    model = Qwen(CONFIG, torch.Generator().manual_seed(0)).to(getattr(torch, dtype))
    run = training.Run(model, WINDOWS, RECIPE, folder, save_every=10, kind=kind)
    for step in run:
        if step.step == steps - 1:
            break
    run.save()
    run.save_model()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """The folders of all cases, each worked on by the same two processes."""
    folder = tmp_path_factory.mktemp("two")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*launcher, __file__, str(folder)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {case: folder / "-".join(map(str, case)) for case in CASES}


def largest_gap(ours, theirs):
    ours, theirs = (load_file(folder / state.FILE) for folder in (ours, theirs))
    assert ours.keys() == theirs.keys()
    return max((ours[name].double() - theirs[name].double()).abs().max().item() for name in ours)


@pytest.mark.parametrize("kind", parallel.KINDS)
@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-9), ("float32", 1e-3)])
def test_two_processes_equal_one(tmp_path, two_processes, kind, dtype, bound):
    work(tmp_path, "ddp", dtype, 20)
    two = two_processes[kind, dtype, 20]
    one, start = load_file(tmp_path / state.FILE), Qwen(CONFIG, torch.Generator().manual_seed(0)).state_dict()
    moved = max((one[f"model.{name}"] - weight).abs().max().item() for name, weight in start.items())
    assert largest_gap(two, tmp_path) < bound < moved / 10
    exported = load_file(two / "model.safetensors")
    assert all(exported[name].shape == weight.shape for name, weight in start.items())


def test_a_run_goes_on_with_another_number_of_processes(tmp_path, two_processes):
    work(tmp_path / "one", "ddp", "float64", 20)
    shutil.copytree(two_processes["fsdp", "float64", 10], tmp_path / "half")
    work(tmp_path / "half", "ddp", "float64", 20)
    assert largest_gap(tmp_path / "half", tmp_path / "one") < 1e-9


def test_a_batch_that_does_not_split_is_refused(monkeypatch):
    monkeypatch.setattr(parallel, "count", lambda: 3)
    with pytest.raises(ValueError, match="use batch_size=6"):
        parallel.own_rows(torch.zeros(8, 5, dtype=torch.long))


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="choose one of"):
        parallel.wrap(Qwen(CONFIG), "pipeline")


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(parts):
    whole, split = (Qwen(CONFIG, torch.Generator().manual_seed(0)).double() for _ in range(2))
    batch = torch.randint(0, 23, (8, 13), generator=torch.Generator().manual_seed(1))
    value = training.batch_loss(whole, batch)
    value.backward()
    torch.testing.assert_close(training.loop.accumulate(split, batch, parts, False), value.detach())
    for ours, theirs in zip(split.parameters(), whole.parameters()):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_parts_of_unequal_size_weigh_as_much_as_they_hold():
    whole, split = (Qwen(CONFIG, torch.Generator().manual_seed(0)).double() for _ in range(2))
    batch = torch.randint(0, 23, (7, 13), generator=torch.Generator().manual_seed(1))
    training.batch_loss(whole, batch).backward()
    training.loop.accumulate(split, batch, 2, False)
    for ours, theirs in zip(split.parameters(), whole.parameters()):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_bfloat16_products_are_near_and_not_equal():
    model = Qwen(QwenConfig(n_layers=1), torch.Generator().manual_seed(0))
    batch = torch.arange(2 * 17).view(2, 17)
    exact, fast = (training.batch_loss(model, batch, bfloat16).item() for bfloat16 in (False, True))
    assert fast == pytest.approx(exact, rel=1e-3) and fast != exact  # bfloat16 keeps 8 bits


if __name__ == "__main__":  # what torchrun starts twice
    with parallel.processes():
        for case in CASES:
            work(Path(sys.argv[1]) / "-".join(map(str, case)), *case)

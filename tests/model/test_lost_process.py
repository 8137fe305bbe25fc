"""What two processes do when one ends, stops answering, or cannot get its share. Oracle: the clock, and torchrun's own
exit status."""

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from minqwen.model import Qwen, QwenConfig, training
from minqwen.model.training import parallel

ROOT = Path(training.__file__).parents[3]
CONFIG = QwenConfig(vocab_size=23, d_model=28, n_layers=2, n_heads=2, n_kv_heads=2, d_ff=31, max_length=16)
LIMIT = 3  # seconds that a process waits for another
SETTINGS = """\
[data]
train = "train.npy"
[model]
vocab_size = 23
d_model = 28
n_layers = 1
n_heads = 2
n_kv_heads = 2
d_ff = 31
max_length = 16
[recipe]
steps = 2
peak = 1e-3
warmup = 0
batch_size = 5
[run]
folder = "run"
parallel = "fsdp"
"""


def torchrun(*command):
    """Start it in two processes on one thread each; CompletedProcess, and the seconds it took."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *command]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    started = time.monotonic()
    done = subprocess.run(launcher, capture_output=True, text=True, check=False, env=environment, timeout=170)
    return done, time.monotonic() - started


def work(how, kind):
    """Two steps together, then process 1 ends or falls silent."""
    model = parallel.wrap(Qwen(CONFIG, torch.Generator().manual_seed(0)), kind)
    for step in training.train(model, [torch.arange(36).view(4, 9) % 23] * 4, 4, 1e-3, 0):
        if step.step == 1 and parallel.rank() == 1:
            os._exit(3) if how == "ends" else time.sleep(600)


@pytest.mark.parametrize(("how", "kind"), [("ends", "ddp"), ("falls silent", "fsdp")])
def test_when_a_process_is_lost_the_others_end_in_time_and_say_why(how, kind):
    done, seconds = torchrun(__file__, how, kind)
    assert done.returncode != 0 and seconds < 120  # starting takes most of it; a sleeping process would sleep for 600
    if how == "ends":
        assert "exitcode  : 3" in done.stderr
    else:
        assert "did not answer for 0:00:03" in done.stderr and "start the same command again" in done.stderr


def test_a_batch_that_does_not_split_ends_the_command_with_the_way_out(tmp_path):
    np.save(tmp_path / "train.npy", np.arange(17 * 9) % 23)
    (tmp_path / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    done, _ = torchrun("-m", "minqwen.model.training", str(tmp_path / "settings.toml"))
    assert done.returncode != 0
    assert "a batch of 5 windows does not split over 2 processes; use batch_size=4" in done.stderr


def test_another_error_is_not_taken_for_a_lost_process(monkeypatch):
    monkeypatch.setattr(parallel.distributed, "is_torchelastic_launched", lambda: True)
    monkeypatch.setattr(parallel.distributed, "init_process_group", lambda *_, **__: None)
    monkeypatch.setattr(parallel.distributed, "destroy_process_group", lambda: None)
    monkeypatch.setattr(parallel, "rank", lambda: 0)
    with pytest.raises(RuntimeError, match="no such layer"), parallel.processes():
        raise RuntimeError("no such layer")
    with pytest.raises(parallel.LostProcessError, match="goes on from the last state"), parallel.processes():
        raise RuntimeError("[gloo] Connection closed by peer")


if __name__ == "__main__":  # what torchrun starts twice
    with parallel.processes(timedelta(seconds=LIMIT)):
        work(*sys.argv[1:])

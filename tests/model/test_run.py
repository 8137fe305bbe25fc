"""Runs that stop and go on. Oracles: the uninterrupted run, bit for bit; processes that really are killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from minqwen.model import Qwen, QwenConfig, training
from minqwen.model.training import __main__ as command
from minqwen.model.training import state

CONFIG = QwenConfig(vocab_size=23, d_model=28, n_layers=1, n_heads=2, n_kv_heads=2, d_ff=31, max_length=16)
WINDOWS = (torch.arange(17) + torch.arange(46)[:, None]) % 23
RECIPE = training.Recipe(steps=17, peak=1e-2, warmup=2, batch_size=8)
ROOT = Path(training.__file__).parents[3]
SETTINGS = """
[data]
train = "ids.npy"
held_out = "ids.npy"
[model]
vocab_size = 23
d_model = 28
n_layers = 1
n_heads = 2
n_kv_heads = 2
d_ff = 31
max_length = 16
[recipe]
steps = 17
peak = 1e-2
warmup = 2
batch_size = 8
parts = 2
[run]
folder = "out"
save_every = 3
measure_every = 5
"""
# Dies by SIGKILL at the n-th call of a function: no finally, no flush, nothing.
DIES = """
import os, signal, sys
import minqwen.model.training.state as state, minqwen.model.training.loop as loop
from minqwen.model.training.__main__ import main
place, n = sys.argv.pop(1), int(sys.argv.pop(1))
def deadly(function, half=False):
    calls = [0]
    def replaced(*args, **kwargs):
        calls[0] += 1
        if calls[0] < n:
            return function(*args, **kwargs)
        if place == "half a file":
            open(args[1], "wb").write(b"half")
        if place == "after the rename":
            function(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
    return replaced
if place == "half a file": state.save_file = deadly(state.save_file)
if "rename" in place: state._swap = deadly(state._swap)
if place == "in a step": loop.accumulate = deadly(loop.accumulate)
main()
"""


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from minqwen.model.training.__main__ import main
main()
"""


def run(folder, seed=0, recipe=RECIPE, config=CONFIG, windows=WINDOWS, **settings):
    model = Qwen(config, torch.Generator().manual_seed(seed))
    return training.Run(model, windows, recipe, folder, **{"save_every": 5, **settings})


def measured(log):
    """The log without what depends on the clock."""
    records = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return [{k: v for k, v in r.items() if k not in ("seconds", "tokens_per_second")} for r in records]


def equal_states(a, b):
    a, b = (load_file(folder / state.FILE) for folder in (a, b))
    return a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)


@pytest.mark.parametrize("stop", [1, 5, 7, 16])
def test_a_run_that_was_left_goes_on_bit_for_bit(tmp_path, stop):
    list(whole := run(tmp_path / "whole"))
    for step in run(tmp_path / "stopped"):
        if step.step == stop - 1:
            break
    resumed = run(tmp_path / "stopped", seed=99)  # its first weights do not matter
    assert resumed.step == stop // 5 * 5
    if not resumed.step:  # nothing was saved, so it begins anew, with what it is given
        resumed = run(tmp_path / "stopped")
    list(resumed)
    assert equal_states(tmp_path / "whole", tmp_path / "stopped")
    assert measured(whole.log) == measured(resumed.log)
    assert list(run(tmp_path / "whole")) == [], "a finished run has nothing left to do"


def test_tied_embeddings_are_saved_once_and_stay_tied(tmp_path):
    tied = QwenConfig(**{**vars(CONFIG), "tie_embeddings": True})
    list(whole := run(tmp_path / "whole", config=tied))
    for step in run(tmp_path / "stopped", config=tied):
        if step.step == 8:
            break
    list(resumed := run(tmp_path / "stopped", config=tied, seed=99))
    assert equal_states(tmp_path / "whole", tmp_path / "stopped")
    assert resumed.plain.lm_head.weight is resumed.plain.model.embed_tokens.weight
    whole.save_model()
    assert Qwen.from_pretrained(tmp_path / "whole").config == tied


def call(folder, script=None, *arguments):
    code = ["-c", script, *map(str, arguments)] if script else ["-m", "minqwen.model.training"]
    return subprocess.run(
        [sys.executable, *code, str(folder / "settings.toml")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture
def settings(tmp_path):
    np.save(tmp_path / "ids.npy", (np.arange(800) % 23).astype(np.uint16))
    (tmp_path / "settings.toml").write_text(SETTINGS)
    return tmp_path


def test_a_process_that_is_killed_again_and_again_ends_as_one_that_was_not(settings, tmp_path_factory):
    whole = tmp_path_factory.mktemp("whole")
    for name in ("ids.npy", "settings.toml"):
        (whole / name).write_bytes((settings / name).read_bytes())
    assert call(whole).returncode == 0
    # (where it dies, at which call, the step of the state that is left)
    deaths = [("half a file", 2, 3), ("before the rename", 1, 3), ("after the rename", 1, 6), ("in a step", 5, 9)]
    for place, n, left in deaths:
        done = call(settings, DIES, place, n)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert state.read_about(settings / "out")["step"] == left, place
    with (settings / "out" / "log.jsonl").open("a") as log:
        log.write('{"step": 11, "lo')  # a line that was cut
    done = call(settings)
    assert done.returncode == 0, done.stderr
    assert equal_states(whole / "out", settings / "out")
    assert measured(whole / "out" / "log.jsonl") == measured(settings / "out" / "log.jsonl")
    assert not list((settings / "out").glob("*.part"))
    assert Qwen.from_pretrained(settings / "out").config == CONFIG


def test_a_full_disk_leaves_the_last_state_and_says_so(settings):
    """A limit on the size of files, set in a process of its own: writing fails as it does on a full disk."""
    assert call(settings, DIES, "in a step", 5).returncode == -signal.SIGKILL
    before = (settings / "out" / state.FILE).read_bytes()
    done = call(settings, LIMITED)
    assert done.returncode not in (0, -signal.SIGXFSZ), "it ends with a sentence, and not by a signal"
    assert "state of step 6 could not be written" in done.stderr and "Free some space" in done.stderr
    assert "last good state is that of step 3" in done.stderr
    assert (settings / "out" / state.FILE).read_bytes() == before and not list((settings / "out").glob("*.part"))


def test_a_loss_that_is_no_number_names_step_batch_and_the_last_good_state(tmp_path):
    training_run = run(tmp_path)
    with pytest.raises(training.NotANumberError) as told:
        for step in training_run:
            if step.step == 6:
                with torch.no_grad():
                    training_run.plain.lm_head.weight[0, 0] = float("nan")
    order = training_run.batches
    rows = order.order[order.position - 8 : order.position].tolist()
    assert "at step 7" in str(told.value) and ", ".join(map(str, rows)) in str(told.value)
    assert "number 3 of epoch 2" in str(told.value) and "last good state is that of step 5" in str(told.value)
    assert run(tmp_path).step == 5


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"config": QwenConfig(**{**vars(CONFIG), "d_ff": 33})}, "model.d_ff is 31 there and 33 here"),
        ({"recipe": training.Recipe(steps=17, peak=2e-2, warmup=2)}, "peak is 0.01 there and 0.02 here"),
        ({"windows": WINDOWS.flip(0)}, "windows is"),
    ],
)
def test_a_state_of_another_run_is_not_gone_on_with(tmp_path, changed, said):
    list(run(tmp_path))
    with pytest.raises(ValueError, match="give it these settings again, or choose another folder") as told:
        run(tmp_path, **changed)
    assert said in str(told.value)


def test_a_damaged_state_is_named(tmp_path):
    (tmp_path / state.FILE).write_bytes(b"half")
    with pytest.raises(ValueError, match=r"is damaged .* delete it to begin anew"):
        run(tmp_path)


def test_windows_longer_than_the_context_are_refused(tmp_path):
    with pytest.raises(ValueError, match="cut them to 17, or give the model max_length=22"):
        run(tmp_path, windows=torch.zeros(9, 23, dtype=torch.long))


@pytest.mark.parametrize(
    ("wrong", "way_out"),
    [
        ({"peak": 0.0}, "the tiny Qwen learned at 0.0025"),
        ({"steps": 0}, "above zero"),
        ({"warmup": 17}, "must lie between 0 and steps=17"),
        ({"parts": 3}, "use batch_size=6"),
        ({"clip": -1.0}, "above zero"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(wrong, way_out):
    with pytest.raises(ValueError, match=way_out):
        training.Recipe(**{**vars(RECIPE), **wrong})


@pytest.mark.parametrize(
    ("old", "new", "way_out"),
    [
        ("peak", "peek", r"\[recipe\] peek is not known"),
        ("train = ", "train = = ", "is not TOML"),
        ('folder = "out"', "", r"lacks \[run\] folder"),
        ("[run]", '[run]\nparallel = "pipeline"', "choose one of"),
    ],
)
def test_settings_that_cannot_be_read_are_refused(settings, old, new, way_out):
    path = settings / "settings.toml"
    path.write_text(SETTINGS.replace(old, new))
    with pytest.raises(ValueError, match=way_out):
        command.build(path)


def test_a_value_of_another_type_ends_the_command_with_a_sentence(settings):
    (settings / "settings.toml").write_text(SETTINGS.replace("1e-2", '"fast"'))
    done = call(settings)
    assert done.returncode == 1 and done.stderr == "error: peak='fast' must be of type float\n"


def test_the_printed_example_is_one(tmp_path):
    np.save(tmp_path / "train.npy", np.arange(2000) % 4096)
    np.save(tmp_path / "held_out.npy", np.arange(500) % 4096)
    (tmp_path / "example.toml").write_text(command.EXAMPLE, encoding="utf-8")
    assert command.build(tmp_path / "example.toml").recipe.steps == 400


def test_a_row_that_holds_no_ids_is_refused(settings):
    np.save(settings / "ids.npy", np.zeros((3, 800)))
    with pytest.raises(ValueError, match=r"write it with numpy\.save"):
        command.build(settings / "settings.toml")


def test_measures_stand_in_the_log_beside_their_step(settings):
    [*_] = command.build(settings / "settings.toml")
    found = [r["step"] for r in measured(settings / "out" / "log.jsonl") if "held_out" in r]
    assert found == [4, 9, 14, 16]

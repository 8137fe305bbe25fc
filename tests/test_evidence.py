"""Logged runs over seeds: what a log holds, how an interrupted one goes on. Oracle: an experiment of three lines."""

import json

import pytest

import assets
import evidence


@pytest.fixture
def toy():
    """An experiment whose result is known, and the list of the runs that it made."""
    made = []

    def measure(variant, recipe, seed, prepared):
        made.append((variant, seed))
        return [{"step": step, "loss": prepared + seed / 3 + step} for step in range(recipe["steps"])]

    variants = {name: {"change": name, "expected": "nothing"} for name in ("a", "b")}
    return evidence.Experiment("Is it?", variants, {"steps": 2}, 3, 0.5, lambda recipe: 10, measure), made


def read(log):
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


def test_a_log_begins_with_recipe_expectations_and_machine(toy, tmp_path):
    experiment = toy[0]._replace(reads=("tiny-qwen/tokenizer.tiktoken",))
    evidence.run("toy", experiment, tmp_path / "runs" / "toy.jsonl")
    first, *records = read(tmp_path / "runs" / "toy.jsonl")
    assert first["recipe"] == {"steps": 2, "seeds": 3} and first["variants"] == experiment.variants
    assert first["command"] == "python tools/evidence.py toy" and {"torch", "threads", "processor"} <= first.keys()
    path = assets.ASSETS / "tiny-qwen" / "tokenizer.tiktoken"
    assert first["reads"] == {"tiny-qwen/tokenizer.tiktoken": assets.sha256(path)}
    assert records[3] == {"variant": "b", "seed": 0, "step": 1, "loss": 11.0, "seconds": records[3]["seconds"]}
    assert len(records) == 2 * 3 * 2 and "seconds" not in records[0]
    assert records[4]["loss"] == 10.33333, "five digits"


def test_the_variants_take_turns_within_a_seed(toy, tmp_path):
    evidence.run("toy", toy[0], tmp_path / "log.jsonl")
    assert toy[1] == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_an_interrupted_run_goes_on_and_a_finished_one_stays(toy, tmp_path):
    experiment, made = toy

    def interrupted(variant, *rest):
        if len(made) == 3:
            raise KeyboardInterrupt
        return experiment.measure(variant, *rest)

    with pytest.raises(KeyboardInterrupt):
        evidence.run("toy", experiment._replace(measure=interrupted), tmp_path / "log.jsonl")
    half = (tmp_path / "log.jsonl").read_text("utf-8")
    evidence.run("toy", experiment, tmp_path / "log.jsonl")
    whole = (tmp_path / "log.jsonl").read_text("utf-8")
    assert len(made) == len(set(made)) == 6 and whole.startswith(half)

    evidence.run("toy", experiment._replace(prepare=None), tmp_path / "log.jsonl")
    assert (tmp_path / "log.jsonl").read_text("utf-8") == whole, "nothing to do, nothing prepared"


@pytest.mark.parametrize("changed", [{"recipe": {"steps": 3}}, {"seeds": 4}, {"variants": {"c": {}}}])
def test_a_log_of_another_experiment_is_not_mixed_with_this_one(toy, tmp_path, changed):
    evidence.run("toy", toy[0], tmp_path / "log.jsonl")
    with pytest.raises(ValueError, match="move it away to begin anew"):
        evidence.run("toy", toy[0]._replace(**changed), tmp_path / "log.jsonl")


def test_the_hours_are_said_before_anything_runs(toy, tmp_path, monkeypatch, capsys):
    said = []
    monkeypatch.setattr(evidence, "EXPERIMENTS", {"toy": toy[0]})
    monkeypatch.setattr(evidence, "RUNS", tmp_path)
    monkeypatch.setattr(evidence, "run", lambda *_: said.append(capsys.readouterr().out))
    monkeypatch.setattr(assets, "write_hashes", lambda: said.append("hashes"))
    monkeypatch.setattr("sys.argv", ["evidence.py", "all"])
    evidence.main()
    assert said == ["toy: 2 variants, 3 seeds, 0.5 hours on one core. Is it?\n", "hashes"]


def test_every_experiment_says_what_it_expects():
    for experiment in evidence.EXPERIMENTS.values():
        assert all(variant["change"] and variant["expected"] for variant in experiment.variants.values())

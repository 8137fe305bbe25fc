"""The number writer: what is shipped against numbers written by rule, and a run of four steps from end to end."""

import json

import pytest

import number_writer
from minqwen import assets
from minqwen.data import numbers
from minqwen.model import seq2seq
from minqwen.model.transformer import Transformer

LOG = [json.loads(line) for line in (assets.RUNS / "transformer-2017.jsonl").read_text("utf-8").splitlines()]


def test_the_shipped_model_writes_held_out_numbers_in_every_direction():
    _, held_out = numbers.split(number_writer.RECIPE["held_out"])
    shares = number_writer.exact(Transformer.from_pretrained(assets.NUMBER_WRITER), held_out)
    assert len(shares) == 6 and min(shares.values()) >= 0.95
    assert shares == pytest.approx(LOG[-1]["exact"], abs=0.02)  # another processor may round one letter otherwise


def test_the_log_holds_the_recipe_of_the_tool():
    assert LOG[0]["recipe"] == number_writer.RECIPE
    assert LOG[-2]["step"] == number_writer.RECIPE["steps"] - 1 and LOG[-2]["loss"] < 0.01 < 1 < LOG[1]["loss"]


def test_a_short_run_leaves_a_model_and_a_log_and_comes_out_the_same_again(tmp_path, capsys):
    recipe = {**number_writer.RECIPE, "steps": 4, "batch_size": 3}
    for name in ("one", "two"):
        number_writer.train(tmp_path / name, tmp_path / f"{name}.jsonl", recipe)
    one, two = (Transformer.from_pretrained(tmp_path / name) for name in ("one", "two"))
    assert all(a.equal(b) for a, b in zip(one.parameters(), two.parameters()))
    log = [json.loads(line) for line in (tmp_path / "one.jsonl").read_text("utf-8").splitlines()]
    assert [entry["step"] for entry in log[1:-1]] == [0, 3]
    assert "of 200 held-out numbers" in capsys.readouterr().out


def test_what_counts_as_exact(monkeypatch):
    """A writer that knows every number but 12 into English."""

    def written(model, source, start, stop, longest):
        rows = []
        for ids in source.ids.tolist():
            text = numbers.decode(ids)
            number = next(n for w in numbers.WRITINGS if (n := numbers.read(text, w)) is not None)
            into = next(w for w in numbers.WRITINGS if numbers.question("", w)[0] == ids[0])
            said = "twenty" if (number, into) == (12, "english") else numbers.write(number, into)
            rows.append([*numbers.encode(said), stop])
        return seq2seq.pad(rows, padding=stop).ids

    monkeypatch.setattr(seq2seq, "greedy", written)
    shares = number_writer.exact(None, [7, 12])
    assert shares == {name: 0.5 if name.endswith("english") else 1.0 for name in shares} and len(shares) == 6

"""Each benchmark at a toy size: it runs, both sides agree, and RESULTS.md has its rows. Times are never asserted.

The oracle of the arithmetic is numbers worked out by hand.
"""

import re

import pytest

import footprint
import run
import speed
from harness import Goal, Row, Table, in_fresh_process, interleave, processor, show, spread

TOY = dict(vocab_size=61, d_model=30, n_layers=2, n_heads=3, n_kv_heads=3, d_ff=43, max_length=32)
GROUPED = TOY | dict(d_model=60, n_heads=6, n_kv_heads=2, qkv_bias=False, tie_embeddings=True)


@pytest.fixture(scope="module")
def tables():
    return {
        "training": speed.training(TOY, batch_size=3, rounds=3, steps=2, square=32),
        "generation": speed.generation(TOY, batches=(1, 5), prompt=7, new=11, rounds=2),
        "decoding": speed.decoding(GROUPED, new=11, rounds=2, buffer=(32, 64)),
    }


def row(table: Table, words: str) -> Row:
    return next(r for r in table.rows if words in r.what)


def test_both_sides_train_to_the_same_losses(tables):
    assert row(tables["training"], "loss of step 8").ratio == pytest.approx(1.0, abs=1e-5)
    assert row(tables["training"], "largest gap").ours[0] < 1e-5


@pytest.mark.parametrize("name", ["generation", "decoding"])
def test_both_sides_write_the_same_tokens(name, tables):
    assert all(r.ours == [1.0] for r in tables[name].rows if "equal tokens" in r.what)


def test_a_share_is_what_the_formula_gives(tables):
    # A layer has 4 · 30² + 3 · 30 · 43 weights, the output 30 · 61; the scores take 6 · 2 · 30 · 33 operations a token.
    flops = 6 * (2 * (4 * 30**2 + 3 * 30 * 43) + 30 * 61) + 6 * 2 * 30 * 33
    assert f"{flops:,} in all" in tables["training"].settings[2]
    speeds, shares = row(tables["training"], "training"), row(tables["training"], "matrix peak")
    peaks = [flops * speed / share for speed, share in zip(speeds.ours + speeds.peer, shares.ours + shares.peer)]
    assert peaks == pytest.approx([peaks[0]] * len(peaks))


@pytest.fixture
def every_table(tables, monkeypatch):
    monkeypatch.setattr(footprint, "in_fresh_process", lambda *job: 1.0)  # names of rows, not times
    return tables | {"import": footprint.import_time(), "memory": footprint.memory()}


def outline(lines: list[str]) -> list[str]:
    """What a table's lines say beside their numbers, which differ between runs and sizes."""
    return [re.sub(r"[\d.,]*\d", "N", line.replace(", tied", "")) for line in lines]


@pytest.mark.parametrize("name", run.TABLES)
def test_the_results_have_every_table_row_and_setting(name, every_table):
    sections = run.RESULTS.read_text(encoding="utf-8").split("\n## ")[1:]
    number = list(run.TABLES).index(name)
    assert len(sections) == len(run.TABLES)
    assert sections[number].startswith(f"{number + 1}. {run.TABLES[name][0]}\n\n`python benchmarks/run.py {name}`\n")
    lines = sections[number].splitlines()
    rows = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ") and "---" not in line]
    assert outline(rows[1:]) == outline([row.what for row in every_table[name].rows])
    settings = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    probes = r"here the (sum|matrix-vector product)"
    expected = outline(every_table[name].settings)
    assert [re.sub(probes, "", s) for s in outline(settings)] == [re.sub(probes, "", s) for s in expected]


def test_the_results_say_what_they_were_measured_on():
    head = run.RESULTS.read_text(encoding="utf-8").split("\n## ")[0]
    assert re.search(r"\w+ on \S+( with [\w, -]+)?, \d+ cores; OMP_NUM_THREADS=1; Python \S+, torch \S+", head)


@pytest.mark.parametrize(
    ("kind", "lines", "expected"),
    [
        ("x86_64", ["model name: X", "flags : sse avx2 fma"], "x86_64 with AVX2"),
        ("x86_64", ["flags : avx2 avx512f avx512bw amx_tile"], "x86_64 with AVX2, AVX-512, AMX"),
        ("aarch64", ["Features : fp asimd"], "aarch64 with NEON"),
        ("arm64", [], "arm64"),
        ("x86_64", ["bugs : avx512f"], "x86_64"),
    ],
)
def test_the_processor_is_named_by_what_its_flags_say(kind, lines, expected):
    assert processor(kind, lines) == expected


def test_one_process_knows_one_side_only():
    assert in_fresh_process("footprint", "peak", "ours", "train", TOY, 3) > 100  # MiB: Python and torch alone take it
    assert in_fresh_process("footprint", "peak", "peer", "write", GROUPED, 3) > 100


def test_the_import_is_timed_in_a_fresh_process():
    assert in_fresh_process("footprint", "seconds_of", "import fractions") > 0


def test_rounds_alternate_after_a_warm_up():
    order = []
    timed = interleave({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3)
    assert "".join(order) == "baabbaab"
    assert [len(seconds) for seconds in timed.seconds.values()] == [3, 3]


@pytest.mark.parametrize(
    ("ours", "goal", "reached"),
    [
        pytest.param([12.0, 30.0, 18.0], Goal("ratio", "≥", 1.5), True, id="ratios 1.2, 1.5, 1.8: the median counts"),
        pytest.param([12.0, 30.0, 18.0], Goal("ratio", "≤", 1.4), False, id="at most 1.4 is missed"),
        pytest.param([12.0, 30.0, 18.0], Goal("ours", "≥", 18.0), True, id="a value of our own"),
    ],
)
def test_a_goal_is_reached_by_medians(ours, goal, reached):
    assert Row("", "tokens/s", ours, [10.0, 20.0, 10.0], goal).reached is reached


def test_a_row_shows_median_and_spread():
    goal = Goal("ratio", "≥", 1.15)
    line = Row("training", "tokens/s", [3530.4, 3400.0, 3600.0], [3000.0, 3100.0, 2900.0], goal).markdown()
    assert line == (
        "| training | 3,530 tokens/s (3,400 to 3,600) | 3,000 tokens/s (2,900 to 3,100) | 1.18 | ratio ≥ 1.15 | yes |"
    )
    assert (show(0.0123, "s"), show(0.621, "%"), spread([0.5, 0.5], "%")) == ("0.0123 s", "62.1 %", "50.0 %")


def test_an_unknown_table_is_refused_with_the_names_of_all():
    with pytest.raises(SystemExit, match=f"there are {', '.join(run.TABLES)}"):
        run.main(["speed"])

"""Reading logs, and intervals of paired differences. Oracles: printed tables of Student's t, sums by hand, draws."""

import json

import numpy as np
import pytest

from minqwen import show
from minqwen.show import runs


@pytest.mark.parametrize(
    ("level", "freedom", "printed"),
    [
        # NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2
        pytest.param(0.95, 1, 12.706, id="two pairs"),
        pytest.param(0.95, 4, 2.776, id="five pairs"),
        pytest.param(0.99, 4, 4.604, id="five pairs, 99 %"),
        pytest.param(0.90, 10, 1.812, id="eleven pairs, 90 %"),
        pytest.param(0.95, 100, 1.984, id="almost normal"),
    ],
)
def test_student_t_is_what_tables_print(level, freedom, printed):
    assert runs.student_t(level, freedom) == pytest.approx(printed, abs=6e-4)


def test_an_interval_is_the_mean_and_t_times_the_standard_error():
    # d = 1, 2, 3: mean 2, deviation 1, so 4.303 · 1 / √3 on both sides
    interval = show.paired_difference([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert interval == pytest.approx((2 - 4.3027 / 3**0.5, 2.0, 2 + 4.3027 / 3**0.5), abs=1e-3)


def test_ninety_five_of_a_hundred_intervals_hold_the_truth():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(2000, 5)) * 10  # what a pair shares, however large, must cancel
    ours = base + 0.3 + rng.normal(size=(2000, 5))
    held = [
        interval.low < 0.3 < interval.high for interval in map(show.paired_difference, ours.tolist(), base.tolist())
    ]
    assert np.mean(held) == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / 2000) ** 0.5)


@pytest.mark.parametrize(
    ("interval", "excluded"), [((0.1, 0.2, 0.3), True), ((-0.3, -0.2, -0.1), True), ((-0.1, 0.1, 0.3), False)]
)
def test_zero_is_excluded_only_by_an_interval_on_one_side(interval, excluded):
    assert runs.Interval(*interval).excludes_zero == excluded


@pytest.mark.parametrize(("ours", "base"), [([1.0], [1.0]), ([1.0, 2.0], [1.0, 2.0, 3.0])])
def test_values_without_partners_are_refused(ours, base):
    with pytest.raises(ValueError, match="pairs are needed, two or more"):
        show.paired_difference(ours, base)


def test_a_log_gives_values_by_variant_in_the_order_of_the_seeds(tmp_path):
    lines = [{"variants": {"a": {}, "b": {}}}, {"variant": "b", "seed": 1, "step": 10, "loss": 4.0, "seconds": 1800.0}]
    lines += [{"variant": "a", "seed": s, "step": t, "loss": float(s + t)} for s in (1, 0) for t in (5, 10)]
    lines += [{"variant": "b", "seed": 0, "step": 10, "loss": 3.0, "seconds": 1800.0}]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    log = show.read_log(tmp_path / "log.jsonl")
    assert log.at(10, lambda record: record["loss"]) == {"a": [10, 11], "b": [3.0, 4.0]}
    assert log.steps == [5, 10] and log.hours == 1.0
    difference = log.against("a", 10, lambda record: record["loss"])
    assert difference == {"b": pytest.approx((-7.0, -7.0, -7.0))}, "4 and 3 minus 11 and 10, in their pairs"

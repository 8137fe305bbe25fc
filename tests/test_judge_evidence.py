"""Table 4 in miniature: which pairs are which, and what a run measures. Oracles: hand-made pairs, lines of poems."""

import evidence
import judge_evidence
from minqwen.align import gold
from minqwen.align.preference import Scored


def test_pairs_by_source():
    scored = [Scored("q", ("a", "b", "c", "base"), (0.1, 0.5, 0.52, 0.3))]
    found = judge_evidence.of_models(scored, 0.05)
    assert [(p.chosen, p.rejected) for p in found["own"]] == [("b", "a"), ("c", "a")]
    assert [(p.chosen, p.rejected) for p in found["base"]] == [("b", "base"), ("c", "base"), ("base", "a")]
    assert len(found["all"]) == 5


def test_poets_against_shuffled_lines_and_answers_of_other_tasks():
    for pair in judge_evidence.of_poets(20, 0):
        chosen, rejected = gold.lines_of(pair.chosen), gold.lines_of(pair.rejected)
        assert len(chosen) == len(rejected) == 4 and chosen[0] == rejected[0] and chosen[1:] != rejected[1:]
    assert all(pair.chosen != pair.rejected for pair in judge_evidence.of_other_tasks(20, 0))


def test_a_small_experiment_measures_every_stage():
    recipe = {**judge_evidence.RECIPE, "many": 4, "few": 3, "fewest": 2, "test": 3, "batch_size": 2}
    sets = judge_evidence.prepare(recipe)
    assert all(len(pairs) == 3 for pairs in sets.tests.values())
    first, second = judge_evidence.measure("PMP then RM", recipe, 0, sets)
    assert (first["step"], first["pairs"], second["step"], second["pairs"]) == ("PMP", 4, "RM", 3)
    assert set(first["accuracy"]) == {"SFT model", "base model", "poets", "other tasks"}
    assert set(judge_evidence.VARIANTS) == set(evidence.EXPERIMENTS["reward"].variants)

"""The experiments on reinforcement learning, in their smallest form."""

import reinforcement


def test_a_run_of_random_walks_reports_the_imitator_first_and_then_every_few_iterations():
    recipe = {"seeds": 2, "iterations": 2, "rollouts": 8, "evaluate_every": 1, "walks_a_start": 2}
    prepared = reinforcement.prepare_walks({**recipe, "seeds": 1})
    runs = [list(reinforcement.measure_walks(name, recipe, 0, prepared)) for name in ("PPO, 3e-4", "A2C, 3e-4")]
    for records in runs:
        assert [record["step"] for record in records] == [0, 1, 2]
        assert all(0 <= record["optimality"] <= 1 and 0 <= record["greedy"] <= 1 for record in records)
        assert {"kl", "clip_share", "explained", "ratio"} <= records[-1].keys() - records[0].keys()
    assert runs[0][0] == runs[1][0], "every variant begins with the same imitator"
    assert len({id(model) for _, model in prepared}) == 1 and runs[0][2] != runs[1][2]


def test_a2c_is_ppo_with_one_epoch_one_minibatch_and_no_clip():
    a2c, ppo = reinforcement.WALK_SETTINGS["A2C"], reinforcement.WALK_SETTINGS["PPO"]
    changed = {name for name, value in vars(a2c).items() if vars(ppo)[name] != value}
    assert changed == {"clip", "value_clip", "epochs", "minibatches"}

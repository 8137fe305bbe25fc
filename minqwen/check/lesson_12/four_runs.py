"""Exercise 12.6, reading the gauges of PPO. Huang et al. 2022, "The 37 Implementation Details of PPO"."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="12_four_runs",
    lesson="12_ppo",
    number="12.6",
    title="Four runs and their gauges",
    formula="3",
    statement="""\
Suppose (these numbers are made up) four runs of PPO with ε = 0.2 and four actions, so that the entropy is at most
log 4 = 1.39. The best possible reward is 1.0. At three times of each run:

| run | | early | middle | late |
| --- | --- | --- | --- | --- |
| 1 | reward | 0.20 | 0.24 | 0.28 |
| | share clipped, entropy | 0.00, 1.38 | 0.00, 1.37 | 0.00, 1.35 |
| 2 | reward | 0.20 | 0.61 | 0.93 |
| | share clipped, entropy | 0.12, 1.36 | 0.10, 0.90 | 0.06, 0.35 |
| 3 | reward | 0.20 | 0.41 | 0.41 |
| | share clipped, entropy | 0.30, 1.20 | 0.02, 0.03 | 0.00, 0.00 |
| 4 | reward | 0.20 | 0.35 | 0.08 |
| | share clipped, entropy | 0.35, 1.30 | 0.52, 1.05 | 0.61, 1.22 |

In which run will more iterations, with unchanged settings, change **nothing** any more? Set `answer` to its number.
""",
    why="Rewards alone do not tell a run that is stuck from one that is slow.",
    after="Its entropy is 0: one action has probability 1, where the gradient of log π is 0, and no other is drawn. "
    "A bonus for entropy, or a smaller rate at the start, could have kept it looking.",
    points=1,
    minutes=5,
    difficulty=2,
    hints=(
        "What does a policy learn from, if in each state it always takes the same action?",
        "A whole number from 1 to 4.",
        "look at the entropy, and at what the gradient of log π is for an action of probability 1.",
        "An entropy of 0 means that nothing else is ever tried.",
    ),
    wrong_answers={
        "slow": WrongAnswer("It is slow, not stuck: its reward rises, and a larger rate would help.", value=1),
        "healthy": WrongAnswer("That one is healthy: clipped by a tenth, and surer as the reward rises.", value=2),
        "wild": WrongAnswer(
            "It changes far too much: half of its tokens are clipped, and the reward falls. Its rate is too large.",
            value=4,
        ),
    },
)

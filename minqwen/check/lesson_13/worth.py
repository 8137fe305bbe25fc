"""Exercise 13.5, what straying must bring in. Qwen Technical Report (arXiv:2309.16609), section 3.2.2: β = 0.04."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="13_worth",
    lesson="13_rlhf",
    number="13.5",
    title="The price of 12 nats",
    formula="0.04 * 12",
    tolerance=0.01,
    statement="""\
A policy's answers score 1.5 deviations higher than the reference's, at a KL of 12 nats an answer, with β = 0.04. How
much of its score does the penalty take away? Set `answer` to that number, in deviations of the score.
""",
    why="A coefficient says nothing by itself: it has to be set against the units of the reward.",
    after="Two thirds of the gain are left. With β = 0.2 nothing would be: the policy would stop far earlier.",
    points=1,
    minutes=3,
    difficulty=1,
    hints=(
        "How much does one nat cost?",
        "One number, in the units of the score.",
        "the coefficient times the KL of a whole answer.",
        "a twenty-fifth of twelve.",
    ),
    wrong_answers={
        "left": WrongAnswer("That is what is left of the score; what was taken away is asked for.", value=1.02),
        "share": WrongAnswer("That is the share of the gain; the number itself is asked for.", value=0.32),
        "other_beta": WrongAnswer("That is at β = 0.2.", value=2.4),
        "a_token": WrongAnswer("That is the price of one nat; an answer strays by 12.", value=0.04),
    },
)

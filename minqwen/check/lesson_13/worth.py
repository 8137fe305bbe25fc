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
        "divided": WrongAnswer("That is 12 / 0.04; each nat costs 0.04.", value=300),
        "of_the_gain": WrongAnswer("That is β times the gain; β is the price of a nat.", value=0.06),
        "with_the_gain": WrongAnswer("The gain does not enter: the price is β times the KL.", value=0.72),
        "nats": WrongAnswer("Those are the nats; each costs 0.04.", value=12),
        "below_zero": WrongAnswer("How much is taken away is asked for: that is above 0.", value=-0.48),
        "a_token": WrongAnswer("That is the price of one nat; an answer strays by 12.", value=0.04),
    },
)

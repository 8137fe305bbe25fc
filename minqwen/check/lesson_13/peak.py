"""Exercise 13.6, where the gold score turns. Gao et al. 2023 (arXiv:2210.10760), equation 1 for RL."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="13_peak",
    lesson="13_rlhf",
    number="13.6",
    title="The KL at which the gold score is highest",
    formula="math.exp(2 * (0.75 / 0.3 - 1))",
    tolerance=0.03,
    statement="""\
Gao et al. trained policies against reward models and watched a gold one. Over d = √KL the reward model's score kept
rising, while the gold score followed

$$R(d)=d\\,(a-b\\log d)$$

Take a = 0.75 and b = 0.3. At which **KL**, in nats, is the gold score highest? Set `answer` to the number.
""",
    why="A reward model is right near the answers that it was trained on. The further away, the more is error.",
    after="Beyond it, each further nat raises the reward and lowers what the reward stands for.",
    imports="import math",
    points=2,
    minutes=8,
    difficulty=3,
    hints=(
        "What is true of the derivative of R at its highest point?",
        "One number for d, and the KL from it.",
        "the derivative of d log d is log d + 1: set a − b log d − b to 0, solve for d, square it.",
        "log d = a/b − 1; KL is d times d.",
    ),
    wrong_answers={
        "root": WrongAnswer("That is d; KL is its square.", value=4.48169),
        "zero": WrongAnswer("There the gold score is 0 again: a = b log d. The peak lies before it.", value=148.413),
        "product_rule_root": WrongAnswer(
            "That is d without the 1 in the derivative of d log d, and KL is its square.", value=12.1825
        ),
        "log_d": WrongAnswer("That is log d, a/b − 1; KL is d², so e is raised to twice that.", value=1.5),
        "log_kl": WrongAnswer("That is log KL; raise e to it.", value=3),
        "base_ten": WrongAnswer("10 was raised to the power; log is the natural one.", value=1000),
        "sign": WrongAnswer("b is subtracted in the derivative: log d = a/b − 1, not a/b + 1.", value=1096.63),
        "height": WrongAnswer("That is how high the peak is, b · d; where it lies is asked for.", value=1.34451),
    },
)

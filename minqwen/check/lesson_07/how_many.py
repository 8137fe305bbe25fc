"""Exercise 7.3, how long a signature must be. Broder 1997 (https://doi.org/10.1109/SEQUEN.1997.666900)."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="07_how_many",
    lesson="07_data_cleaning",
    number="7.3",
    title="How many permutations an error of 0.025 takes",
    formula="0.5 * (1 - 0.5) / 0.025**2",
    tolerance=0.01,
    statement="""\
Each permutation asks one yes-or-no question: have both sets the same minimum? The answer is yes with probability J, the
Jaccard similarity. The estimate of J is the share of yes among K answers.

For two sets with J = 0.5, **how many permutations K** make the standard error of the estimate 0.025? Set `answer` to
the number.
""",
    why="The length of a signature is the price of its accuracy, in memory and in time.",
    after="Half the error takes four times the permutations. At 128, as is usual, it is 0.044.",
    points=1,
    minutes=5,
    difficulty=2,
    hints=(
        "A coin that shows heads with probability J is thrown K times. How much does the share of heads scatter?",
        "One number. The variance of one answer is J (1 - J), that of a mean of K answers is K times smaller.",
        "standard error = root of (variance of one answer / K); solve for K.",
        "K is J (1 - J) divided by the square of the error.",
    ),
    wrong_answers={
        "no_square": WrongAnswer("That divides by the error, not by its square.", value=10),
        "root_kept": WrongAnswer(
            "That is the root of it: the standard error is the root of J (1 - J) / K, so square both sides.", value=20
        ),
        "variance_left_out": WrongAnswer(
            "That takes 1 for the variance of one answer; it is J (1 - J), a quarter at J = 0.5.", value=1600
        ),
        "one_factor": WrongAnswer("That takes J for the variance of one answer; it is J (1 - J).", value=800),
        "one_over_error": WrongAnswer("That is 1 / 0.025; an error falls with the root of K.", value=40),
        "usual": WrongAnswer("That is the usual number; its error at J = 0.5 is 0.044.", value=128),
    },
)

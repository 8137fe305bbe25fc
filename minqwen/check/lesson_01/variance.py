"""Exercise 1.1, why scores are divided. Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.1, footnote 4."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="01_variance",
    lesson="01_attention",
    number="1.1",
    title="The variance of a score before it is divided",
    formula="64",
    statement="""\
A query q and a key k have D = 64 channels each. All 128 numbers are independent, with mean 0 and variance 1. The score
before any division is q · k = q₀k₀ + q₁k₁ + … + q₆₃k₆₃.

What is its variance? Set `answer` to the number. (You may find it by thinking, or by drawing many q and k.)
""",
    why="It grows with the width of a head, and a softmax over large scores looks at one key only.",
    after="Divided by √64 = 8 the scores have variance 1 at every width, and the softmax keeps its gradient.",
    points=1,
    minutes=5,
    difficulty=2,
    hints=(
        "What is the mean of one product q₀k₀, and what is the mean of its square?",
        "One number comes out: D terms are added, each a product of two independent numbers.",
        "variance of one product = mean(q₀²) · mean(k₀²); variances of independent terms add up.",
        "64 terms, each of variance 1 · 1.",
    ),
    wrong_answers={
        "standard_deviation": WrongAnswer("That is the standard deviation, √64; the variance is its square.", value=8),
        "after_division": WrongAnswer("That is the variance after the score is divided by √64.", value=1),
        "scale": WrongAnswer("That is the factor 1/√64 by which scores are multiplied.", value=0.125),
        "squared": WrongAnswer("Variances of independent terms add up: 64 terms of 1, not 64 times 64.", value=4096),
        "doubled": WrongAnswer("A product of two numbers of variance 1 has variance 1 · 1, not 1 + 1.", value=128),
    },
)

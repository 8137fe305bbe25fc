"""Exercise 2.4, the slowest hand of the clock. Su et al. 2021 (arXiv:2104.09864), section 3.2.2, equation 15."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="02_slowest_pair",
    lesson="02_positions",
    number="2.4",
    title="How many tokens the slowest pair needs for one full turn",
    formula="2 * math.pi * 10_000 ** (30 / 32)",
    tolerance=0.01,
    imports="import math",
    statement="""\
A head has D = 32 channels, so 16 pairs, i = 0 … 15. At every step to the next token, pair i turns by
10000^(−2i/D) radians.

After how many tokens has the *slowest* pair made one full turn? Set `answer` to the number; 1 % off is fine.
""",
    why="Until a pair has come round, its angle alone tells how far apart two tokens are.",
    after="Our model reads 256 tokens at a time, so its slowest pairs never come round: they tell near from far.",
    points=1,
    minutes=5,
    difficulty=2,
    hints=(
        "Which pair is the slowest, the first or the last? What is its number i?",
        "One number, in tokens: an angle (radians) divided by a speed (radians a token).",
        "i = 15, so the exponent 2i/D = ...; speed = 10000 ** -(2i/D); tokens = full turn / speed.",
        "A full turn is 2π radians, and the speed is 10000 ** (-30 / 32) radians a token.",
    ),
    wrong_answers={
        "one_pair_too_far": WrongAnswer("That is pair i = 16, but the last of 16 pairs is i = 15.", value=62_831.853),
        "in_radians": WrongAnswer(
            "After that many tokens it has turned by one radian; a full turn is 2π.", value=5_623.413
        ),
        "speed": WrongAnswer(
            "That is the speed in radians a token; divide a full turn by it.", value=10_000 ** (-30 / 32)
        ),
        "exponent_halved": WrongAnswer("The exponent is 2i/D = 30/32, not i/D = 15/32.", value=471.1745),
        "fastest": WrongAnswer("That is the fastest pair, i = 0.", value=6.2831853),
        "half_a_turn": WrongAnswer("That is half a turn, π.", value=17_666.474),
    },
)

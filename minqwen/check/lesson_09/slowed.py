"""Exercise 9.3, what dynamic NTK does to one pair. Qwen Technical Report (arXiv:2309.16609), section 2.5."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="09_slowed",
    lesson="09_long_context",
    number="9.3",
    title="How much the slowest pair is slowed down",
    formula="2 ** (math.log2(8192 / 2048) + 1) - 1",
    tolerance=0.005,
    imports="import math",
    statement="""\
A Qwen-7B was trained on 2,048 tokens; its heads have 128 channels and its base is 10,000. It reads a text of 8,192
tokens at once, with dynamic NTK.

How many times as long as before does its *slowest* pair now take for one full turn? Set `answer` to the number;
half a percent off is fine.
""",
    why="The slow pairs are the ones that never came round in training, and so have no angles to spare.",
    after="It needs a factor of 4 and gets 7: the slowest pair at 8,192 stands where it stood at 1,170.",
    points=1,
    minutes=5,
    difficulty=2,
    hints=(
        "How often must 2,048 be doubled to hold the text? Which factor belongs to that chunk?",
        "One number. The base changes by a power of alpha; what does the exponent make of that at the last pair?",
        "alpha = 2 to the (doublings + 1), minus 1; ntk_base has its exponent so that the last pair gets just alpha.",
        "The new base is 72,195.9. Speeds: 10000 ** (-126 / 128) before, 72195.9 ** (-126 / 128) now.",
    ),
    wrong_answers={
        "interpolated": WrongAnswer(
            "That is how many times too long the text is, the factor of interpolation.", value=4.0
        ),
        "of_the_base": WrongAnswer(
            "That is by how much the base grows; the last pair turns by base^(−126/128).", value=7.21959
        ),
        "next_chunk": WrongAnswer("That belongs to texts above 8,192: a full chunk is still that chunk.", value=15.0),
        "chunk_before": WrongAnswer("That belongs to texts up to 4,096.", value=3.0),
        "fastest": WrongAnswer("That is the fastest pair, which stays as it was.", value=1.0),
        "upside_down": WrongAnswer("That is its speed, which falls; the time for a turn grows.", value=1 / 7),
    },
)

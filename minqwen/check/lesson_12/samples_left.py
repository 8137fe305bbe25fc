"""Exercise 12.5, ratios that multiply. Owen 2013, "Monte Carlo theory, methods and examples", section 9.3."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="12_samples_left",
    lesson="12_ppo",
    number="12.5",
    title="How many of a thousand answers still count",
    formula="1000 / 1.05 ** 40",
    tolerance=0.005,
    statement="""\
A thousand answers of **40 tokens** were drawn from the old policy, and each is to be weighted by the ratio of the whole
answer, the product of its tokens' ratios. The tokens are independent; for each of them E[ρ] = 1 and E[ρ²] = **1.05**
under the old policy: hardly a difference.

The effective size is N · E[ρ]² / E[ρ²], with ρ that of the whole answer. How many of the thousand are left? Set
`answer` to the number.
""",
    why="PPO weights and clips each token by itself; the ratio of whole answers would be unbiased.",
    after="Fewer than 150 of 1,000: the expected squares multiply, so the curve over the length falls exponentially. "
    "That is why PPO works with ratios of single tokens, and accepts the bias.",
    points=1,
    minutes=5,
    difficulty=2,
    hints=(
        "What is E[(ρ₁ρ₂)²] when the two are independent?",
        "One number between 1 and 1,000.",
        "E[ρ²] of an answer is a product of forty equal factors; divide N by it.",
        "1.05 to the 40th is a little above 7.",
    ),
    wrong_answers={
        "one_token": WrongAnswer("That is for answers of one token; forty squares multiply.", value=1000 / 1.05),
        "added": WrongAnswer("The excesses were added: 1 + 40 · 0.05; expected squares multiply.", value=1000 / 3),
        "unchanged": WrongAnswer("Each token's ratio is 1 on average, but the squares are not.", value=1000),
        "root": WrongAnswer(
            "That is a root: N is divided by E[ρ²] itself, the expected square of the product.", value=1000 / 1.05**20
        ),
        "squared_twice": WrongAnswer("E[ρ²] is squared already; do not square it again.", value=1000 / 1.05**80),
        "multiplied": WrongAnswer("There cannot be more than a thousand: divide by E[ρ²].", value=1000 * 1.05**40),
        "lost": WrongAnswer("That is how many are lost; how many are left is asked for.", value=1000 - 1000 / 1.05**40),
        "share": WrongAnswer("That is their share; of a thousand it is so many.", value=1 / 1.05**40),
        "of_95": WrongAnswer("To divide by 1.05 is not to multiply by 0.95.", value=1000 * 0.95**40),
        "inverse": WrongAnswer("That is by how much the size shrinks; divide N by it.", value=1.05**40),
    },
)

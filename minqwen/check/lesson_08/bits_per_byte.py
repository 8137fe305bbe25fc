"""Exercise 8.7, a number that vocabularies cannot move. Gao et al. 2020, "The Pile" (arXiv:2101.00027), section 3.1."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="08_bits_per_byte",
    lesson="08_pretraining",
    number="8.7",
    title="From nats a token to bits a byte",
    formula="40_000 * 2.8 / (math.log(2) * 96_000)",
    imports="import math",
    tolerance=0.01,
    statement="""\
On a held-out text of 96,000 bytes, which its tokenizer cuts into 40,000 tokens, a model has a loss of 2.8 nats a token.

How many **bits per byte** is that? Set `answer` to the number; 1 % off is fine. (1 nat = 1 / ln 2 bits.)
""",
    why="A larger vocabulary has longer tokens, each harder to foresee; per byte, both models face the same text.",
    after="The same text, kept with 8 bits a byte, would shrink to a fifth: a language model is a compressor.",
    points=1,
    minutes=4,
    difficulty=1,
    hints=(
        "How many nats is the whole text? And how many bits?",
        "One number: all bits over all bytes.",
        "tokens times nats a token, over ln 2, over bytes.",
        "40,000 · 2.8 / 0.6931 is the number of bits of the whole text.",
    ),
    wrong_answers={
        "nats": WrongAnswer("That is nats per byte; a nat is 1 / ln 2 = 1.44 bits.", value=1.1667),
        "bits_a_token": WrongAnswer("That is bits per token; there are 2.4 bytes in one.", value=4.0396),
        "multiplied": WrongAnswer("Nats become bits by division by ln 2.", value=0.8087),
        "tokens_a_byte": WrongAnswer("Bytes and tokens are exchanged: all bits over all bytes.", value=9.695),
        "perplexity": WrongAnswer(
            "That is the perplexity, e to the loss, which depends on the vocabulary.", value=16.44
        ),
    },
)

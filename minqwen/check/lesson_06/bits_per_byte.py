"""Exercise 6.4, two vocabularies, one measure. Gao et al. 2020, "The Pile" (arXiv:2101.00027), section 3.1."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="06_bits_per_byte",
    lesson="06_tokenizer",
    number="6.4",
    title="Loss in bits per byte",
    formula="2.4 / math.log(2) / 3",
    tolerance=0.005,
    imports="import math",
    statement="""\
Two models with different tokenizers cannot be compared by their loss: who cuts a text into fewer tokens has more to
guess at each of them. Per byte of text they can.

A model has a loss of 2.4 nats per token (the natural logarithm, as everywhere in PyTorch), and its tokenizer makes
tokens of 3.0 bytes on average. How many **bits per byte** is that? Set `answer` to the number; 0.5 % off is fine.
""",
    why="The course compares its models in bits per byte, because their vocabularies differ.",
    after="A model of 1.9 nats per token with 2 bytes per token has the smaller loss and is worse: 1.37 bits per byte.",
    points=1,
    minutes=5,
    difficulty=2,
    hints=(
        "100 tokens have a loss of 240 nats. How many bytes of text are that?",
        "nats per token → bits per token → bits per byte: two divisions.",
        "bits = nats / ln 2; per byte = per token / bytes per token.",
        "math.log(2) is 0.693: a nat is more than a bit, so the number in bits is larger.",
    ),
    wrong_answers={
        "nats_per_byte": WrongAnswer("That is in nats per byte; a nat is 1 / ln 2 = 1.44 bits.", value=0.8),
        "bits_per_token": WrongAnswer("That is bits per token; share them out over 3 bytes.", value=3.4625),
        "multiplied": WrongAnswer("That is multiplied by the bytes per token; divide by them.", value=10.387),
        "wrong_way": WrongAnswer("That is multiplied by ln 2; a nat is more than a bit, so divide.", value=0.5545),
        "perplexity": WrongAnswer("That is the perplexity per token, e to the loss.", value=11.023),
        "per_bit": WrongAnswer(
            "That is bits per bit of text: it was divided by 24; bytes are asked for.", value=0.14427
        ),
        "inverse": WrongAnswer("That is bytes per bit, upside down.", value=0.8664),
    },
)

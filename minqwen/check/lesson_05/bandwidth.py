"""Exercise 5.5, how fast a model can write at best. Shazeer 2019 (arXiv:1911.02150), section 2.4: memory decides."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="05_bandwidth",
    lesson="05_inference",
    number="5.5",
    title="How many tokens a second a 7B model can write at most",
    formula="100e9 / (2 * (7_721_324_544 - 151_936 * 4_096))",
    tolerance=0.01,
    statement="""\
To write one token, a model must read each of its weights once: every matrix multiplies one vector. (Of the input
embedding it reads one row only, next to nothing.) Qwen-7B has 7,721,324,544 parameters, 151,936 × 4,096 of which are
the input embedding, and two bytes each in bfloat16. A good desktop reads 100 GB/s (100 · 10⁹ bytes) from its memory.

How many **tokens a second** can it write at most, for one text at a time? Set `answer` to the number; 1 % off is fine.
""",
    why="It says what is possible before anybody optimises, and why one more text in the batch is almost free.",
    after="About seven, however fast the processor multiplies; a GPU that reads twenty times as fast writes 140.",
    points=2,
    minutes=6,
    difficulty=2,
    hints=(
        "How many bytes go from the memory to the processor for one token?",
        "parameters that are read, times two bytes, is bytes for a token; bytes a second over bytes for a token.",
        "leave the input embedding out; times 2; divide the bandwidth by it.",
        "The input embedding has 622,329,856 parameters, so about 7.1 billion are read.",
    ),
    wrong_answers={
        "embedding_read": WrongAnswer(
            "That reads the whole input embedding for each token; only one row of it is looked up.", value=6.4756
        ),
        "both_embeddings_left_out": WrongAnswer(
            "That leaves out the output matrix as well, but it is multiplied with every token.", value=7.7203
        ),
        "one_byte": WrongAnswer("That counts one byte for a parameter; bfloat16 has two.", value=14.0862),
        "four_bytes": WrongAnswer(
            "That counts four bytes for a parameter, as in float32; bfloat16 has two.", value=3.5215
        ),
        "seconds": WrongAnswer(
            "Those are the seconds for one token; the question asks for tokens a second.", value=0.14198
        ),
        "gibi": WrongAnswer("That takes a gigabyte for 2³⁰ bytes; here it is 10⁹.", value=7.5625),
        "milliseconds": WrongAnswer("Those are milliseconds for a token; give tokens a second.", value=141.98),
    },
)

"""Exercise 4.6, what a second vocabulary matrix costs. Qwen Technical Report (arXiv:2309.16609), section 2.3.1."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="04_untying",
    lesson="04_qwen_block",
    number="4.6",
    title="How many million parameters untying costs a 7B model",
    formula="151_936 * 4_096 / 1e6",
    tolerance=0.01,
    statement="""\
A language model has a matrix that turns each of V tokens into C channels, the embedding, and one that turns C channels
into V scores, the output. Tied, they are one matrix, used twice. Qwen unties them: the output has a matrix of its own.

The 7B model has V = 151,936 and C = 4,096. How many **million parameters** (10⁶) more does it have than if it were
tied? Set `answer` to the number; 1 % off is fine.
""",
    why="The report chose to untie for better performance, and names the price: memory.",
    after="In bfloat16 that is 1.24 GB, and 8 % of the model's 7.7 billion parameters; of a small model more.",
    points=1,
    minutes=4,
    difficulty=1,
    hints=(
        "Tied, how many matrices of this size does the model have? And untied?",
        "One number, in millions of parameters: the output matrix is (V, C).",
        "parameters of one matrix = rows times columns; divide by a million.",
        "V is 151,936 and C is 4,096; only the second matrix is extra.",
    ),
    wrong_answers={
        "doubled": WrongAnswer(
            "That is twice as much. A tied model has one matrix already, so only one is extra; and parameters are "
            "asked for, not bytes (two each in bfloat16).",
            value=1244.66,
        ),
        "gigabytes": WrongAnswer("That is its size in bfloat16, in gigabytes; count parameters.", value=1.24466),
        "float32_bytes": WrongAnswer("That is megabytes in float32, four bytes each; count parameters.", value=2489.32),
        "not_in_millions": WrongAnswer("That is right in parameters; give it in millions.", value=622_329_856),
        "billions": WrongAnswer("That is in billions; give it in millions.", value=0.62233),
        "mebi": WrongAnswer("That is divided by 2²⁰ = 1,048,576; a million is 10⁶.", value=593.5),
        "share": WrongAnswer("That is its share of the model in percent; give millions of parameters.", value=8.06),
        "nothing": WrongAnswer("Tied, the model has one such matrix; untied, it has two.", value=0),
        "whole_model": WrongAnswer("That is the whole model; only one matrix of it is extra.", value=7721.32),
        "width_squared": WrongAnswer("That is C times C; the output has a row for each of V tokens.", value=16.777),
    },
)

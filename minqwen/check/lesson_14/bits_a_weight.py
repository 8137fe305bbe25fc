"""Exercise 14.11, bits a weight. Dettmers et al. 2023, "QLoRA" (arXiv:2305.14314), section 3, double quantization."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="14_bits_a_weight",
    lesson="14_lora_qlora",
    number="14.11",
    title="Bits a weight, all told",
    formula="4 + 8 / 64 + 32 / (64 * 256)",
    tolerance=0.0001,
    statement="""\
A weight has a code of 4 bits. Every 64 weights share a scale; after double quantisation a scale has 8 bits. Every 256
scales share a step of 32 bits. (The one mean of all scales costs nothing to speak of.)

How many bits is that a weight? Set `answer` to the number, to four digits behind the point.
""",
    why="The overhead of small blocks is what double quantisation is for.",
    after="Without double quantisation it is 4.5: it saves 0.373 bits a weight, 3 GB for 65 billion weights.",
    points=1,
    minutes=4,
    difficulty=1,
    hints=(
        "How many weights share one scale? How many share one step?",
        "One number a little above the bits of a code.",
        "bits of a code + bits of a scale over those who share it + bits of a step over those who share it.",
        "64 · 256 weights share a step.",
    ),
    wrong_answers={
        "codes_alone": WrongAnswer("That is the codes alone; the scales have to be kept too.", value=4),
        "single": WrongAnswer("That is with scales of 32 bits, before double quantisation.", value=4.5),
        "no_steps": WrongAnswer("The steps of the scales are missing; 64 · 256 weights share one.", value=4.125),
        "rounded": WrongAnswer("Four digits behind the point are asked for.", value=4.13),
        "overhead": WrongAnswer("That is what is added; the bits of the code belong to it.", value=0.126953125),
        "both_scales": WrongAnswer(
            "The scales of 32 bits are gone: those of 8 bits stand in their place.", value=4.625
        ),
        "steps_too_often": WrongAnswer("A step is shared by 256 scales, so by 64 · 256 weights.", value=4.25),
    },
)

"""Exercise 16.3, what a process keeps. Rajbhandari et al. 2019, "ZeRO" (arXiv:1910.02054), section 3.1 and Table 1."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="16_share",
    lesson="16_past_one_machine",
    number="16.3",
    title="Gigabytes that each of 8 processes keeps of Qwen-7B, by FSDP",
    formula="16 * 7_721_324_544 / 8 / 1e9",
    tolerance=0.03,
    statement="""\
Qwen-7B has 7,721,324,544 parameters. In mixed precision each of them needs a weight and a gradient in bfloat16, and for
AdamW three numbers in float32: a copy of the weight and two moments.

FSDP shares all of that evenly over 8 processes. How many **GB** (10⁹ bytes) does each keep between two steps? Set
`answer` to the number; 3 % off is fine. (Leave activations aside.)
""",
    why="Whether a model can be trained at all is a question of bytes before it is one of speed.",
    after="About 15 GB, beside which activations still fit on 80 GB; alone, no such accelerator could hold the whole.",
    points=1,
    minutes=5,
    difficulty=1,
    hints=(
        "How many bytes has a number in bfloat16, and how many in float32?",
        "One number: bytes of a parameter, times parameters, over processes, over 10⁹.",
        "(weight + gradient + three numbers of AdamW) times N over 8.",
        "2 + 2 + 3 · 4 bytes a parameter.",
    ),
    wrong_answers={
        "whole": WrongAnswer("That is the whole, as DDP keeps it in every process; FSDP shares it.", value=123.54),
        "moments_shared": WrongAnswer(
            "That shares AdamW's numbers only (stage 1 of ZeRO); FSDP shares gradients and weights as well.",
            value=42.47,
        ),
        "weights_whole": WrongAnswer(
            "That shares AdamW's numbers and gradients, but keeps whole weights (stage 2); FSDP shares all three.",
            value=28.95,
        ),
        "weights_only": WrongAnswer(
            "That is the weights alone; gradients and AdamW's numbers come on top.", value=1.93
        ),
        "no_optimizer": WrongAnswer("That leaves AdamW's three numbers out.", value=3.86),
        "no_copy": WrongAnswer("That leaves the float32 copy of the weights out.", value=11.58),
        "moments_only": WrongAnswer(
            "That is 8 bytes a parameter, as for the two moments alone; count all five numbers.", value=7.72
        ),
        "gibibytes": WrongAnswer("That divides by 2³⁰, which gives GiB; a GB has 10⁹ bytes.", value=14.38),
        "bytes": WrongAnswer("That is in bytes; divide by 10⁹.", value=15_442_649_088),
        "all_bfloat16": WrongAnswer("AdamW's three numbers are in float32, four bytes each.", value=9.65),
        "gradient_float32": WrongAnswer("The gradient is in bfloat16 too, two bytes.", value=17.37),
        "numbers": WrongAnswer("That counts parameters, not bytes; each has 16.", value=0.9652),
        "all_float32": WrongAnswer("Weight and gradient are in bfloat16, two bytes each.", value=19.3),
    },
)

"""Exercise 8.5, what it costs to train Qwen-7B. Kaplan et al. 2020 (arXiv:2001.08361), section 2.1: 6 N D."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="08_flops",
    lesson="08_pretraining",
    number="8.5",
    title="Operations to train Qwen-7B, in units of 10²³",
    formula="6 * 7_721_324_544 * 2.4e12 / 1e23",
    tolerance=0.05,
    statement="""\
A product of a token's vector with a matrix costs one multiplication and one addition a weight. The backward pass makes
two such products for each one of the forward pass: for the gradient of the input, and for that of the weight.

Qwen-7B has N = 7,721,324,544 parameters and read D = 2.4 · 10¹² tokens (Table 1). How many operations is that, in units
of **10²³**? Set `answer` to the number; 5 % off is fine. (Leave attention's own products aside.)
""",
    why="It is the first line of every budget: operations, divided by what the machine makes a second.",
    after="About 1.1 · 10²³: at 10¹⁵ a second on each of 1,000 accelerators and 40 % of the peak, three days.",
    points=1,
    minutes=4,
    difficulty=1,
    hints=(
        "How many operations does one weight cost a token, forward? And backward?",
        "One number: operations a weight and token, times weights, times tokens.",
        "(2 forward + 4 backward) times N times D, over 10²³.",
        "6 · 7.72 · 10⁹ · 2.4 · 10¹² over 10²³.",
    ),
    wrong_answers={
        "forward_only": WrongAnswer(
            "That is the forward pass; the backward pass costs twice as much again.", value=0.3706
        ),
        "backward_only": WrongAnswer("That is the backward pass; add the forward pass.", value=0.7412),
        "products_only": WrongAnswer("That counts multiplications; each comes with an addition.", value=0.5559),
        "no_factor": WrongAnswer(
            "That is one operation a weight and token; forward and backward make six.", value=0.1853
        ),
        "two_passes": WrongAnswer(
            "The backward pass makes two products for each forward one, so six in all.", value=0.7
        ),
        "no_unit": WrongAnswer("That is right in operations; give it in units of 10²³.", value=1.1119e23),
        "other_unit": WrongAnswer("That is in units of 10²¹; divide by 10²³.", value=111.19),
        "three_trillion": WrongAnswer("The 7B model read 2.4 trillion tokens; 3.0 are those of 14B.", value=1.3898),
    },
)

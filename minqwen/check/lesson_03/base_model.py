"""Exercise 3.5, where the parameters of 2017 are. Vaswani et al. 2017 (arXiv:1706.03762), sections 3.1 to 3.3."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="03_base_model",
    lesson="03_transformer",
    number="3.5",
    title="How many million parameters the layers of the base model have",
    formula="(6 * (4 + 2 * 4) + 6 * (2 * 4 + 2 * 4)) * 512**2 / 1e6",
    tolerance=0.01,
    statement="""\
The *base* model of 2017 has an encoder of 6 layers and a decoder of 6 layers, with C = 512 channels, and a feed-forward
layer that is F = 4 C = 2,048 wide.

How many **million parameters** (10⁶) do the matrices of these 12 layers have, the two vocabulary ends, all biases and
all norms left out? Set `answer` to the number; 1 % off is fine.
""",
    why="Counting parameters tells where a model keeps what it has learnt, and what making it wider costs.",
    after="With one shared vocabulary matrix of about 37,000 rows, 19 million more, that is 63 of the 65 million that "
    "the paper's table 3 states.",
    points=1,
    minutes=8,
    difficulty=2,
    hints=(
        "Which parts has an encoder layer, and which one more has a decoder layer?",
        "An attention has four matrices (C, C); a feed-forward layer has (F, C) and (C, F), and F is 4 C.",
        "count everything in units of C²: an attention is 4 of them, a feed-forward layer 2 · 4.",
        "An encoder layer is 4 + 8 units of 512²; a decoder layer has two attentions.",
    ),
    wrong_answers={
        "no_cross_attention": WrongAnswer(
            "That counts one attention in a decoder layer; it has two, one to itself and one to the encoder's result.",
            value=37.75,
        ),
        "one_side": WrongAnswer(
            "That is the encoder alone, or all attentions alone; the decoder, and every feed-forward layer, count too.",
            value=18.87,
        ),
        "decoder_only": WrongAnswer(
            "That is the decoder alone, or all layers with feed-forward matrices that are not widened to 4 C.",
            value=25.17,
        ),
        "no_output_matrix": WrongAnswer(
            "That gives an attention three matrices; the fourth brings the heads together again.", value=39.32
        ),
        "feed_forward_once": WrongAnswer(
            "That counts one matrix for each feed-forward layer; there is one up and one down.", value=31.46
        ),
        "in_billions": WrongAnswer("That is right in billions; give it in millions.", value=0.04404),
        "with_vocabulary": WrongAnswer("That is the whole model; the vocabulary matrix was to be left out.", value=65),
        "not_in_millions": WrongAnswer("That is right in parameters; give it in millions.", value=44_040_192),
        "per_head": WrongAnswer(
            "That counts every head with matrices of full width; eight heads share them, 64 channels each.",
            value=176.16,
        ),
    },
)

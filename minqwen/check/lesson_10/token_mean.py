"""Exercise 10.5, a batch in parts. Qwen report (arXiv:2309.16609), section 3.1.2: batches of 128."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="10_token_mean",
    lesson="10_sft",
    number="10.5",
    title="The loss of a batch that is added up from two parts",
    formula="(20 * 2.8 + 180 * 0.6) / (20 + 180)",
    tolerance=0.005,
    statement="""\
A batch of conversations does not fit into memory, so its gradient is added up from two parts. The first holds short
answers, **20** learned tokens with a mean loss of **2.8** nats. The second holds long ones, **180** learned tokens with
a mean loss of **0.6**.

What is the loss of the whole batch, the mean over all its learned tokens? Set `answer` to the number.
""",
    why="In pre-training all parts hold equally many tokens; here they do not, and the mean of means is another loss.",
    after="A trainer that averages the means of the parts gives each token of the first part nine times the weight: "
    "count the learned tokens of all parts first.",
    points=1,
    minutes=4,
    difficulty=1,
    hints=(
        "How many nats is each part in all?",
        "One number, nearer to the part with more tokens.",
        "all nats over all learned tokens.",
        "20 tokens of 2.8 nats are 56 nats.",
    ),
    wrong_answers={
        "mean_of_means": WrongAnswer(
            "That is the mean of the two means: it gives a token of the short part nine times the weight.", value=1.7
        ),
        "sum_of_means": WrongAnswer("That is the sum of the two means; a mean lies between them.", value=3.4),
        "weights_exchanged": WrongAnswer("The weights are exchanged: the long part counts for 180.", value=2.58),
        "sum": WrongAnswer("That is the sum in nats; divide by the learned tokens.", value=164.0),
    },
)

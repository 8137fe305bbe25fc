"""Exercise 10.6, reading two curves. Qwen report (arXiv:2309.16609), section 3.1.2: how long to fine-tune."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="10_which_epoch",
    lesson="10_sft",
    number="10.6",
    title="Which epoch to keep",
    formula="3",
    statement="""\
Suppose (these numbers are made up) that a small model is fine-tuned on 500 poems, five times through. After each epoch
its loss is measured, in nats a token of the answers, and its greedy answers to the **training** titles are compared
with the poems themselves.

| after epoch | 1 | 2 | 3 | 4 | 5 |
| --- | --- | --- | --- | --- | --- |
| loss on training answers | 4.9 | 4.4 | 3.6 | 2.3 | 1.1 |
| loss on held-out answers | 5.0 | 4.7 | 4.6 | 4.9 | 5.6 |
| lines recited from training | 0 % | 1 % | 6 % | 41 % | 88 % |

Which epoch's model would you keep for new titles? Set `answer` to its number.
""",
    why="A training loss falls for two reasons: the task is learned, or its examples are known by heart.",
    after="From there on the model gets better only at what it has read: the two curves part, and recitation sets in.",
    points=1,
    minutes=4,
    difficulty=1,
    hints=(
        "Which row says how the model does on titles that it has not seen?",
        "A whole number from 1 to 5.",
        "look for the minimum of one row.",
        "The training loss never stops falling; it cannot tell.",
    ),
    wrong_answers={
        "last": WrongAnswer(
            "That has the lowest training loss, and recites: its loss on new poems is the worst of all.", value=5
        ),
        "first": WrongAnswer("There the two losses are still close, but both still fall.", value=1),
        "before_recitation": WrongAnswer("It recites a little less, but its loss on new poems still falls.", value=2),
        "too_late": WrongAnswer("There the loss on held-out answers is rising again.", value=4),
    },
)

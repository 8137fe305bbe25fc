"""Exercise 11.5, what noisy labels do to an accuracy. Angluin and Laird 1988, on learning from noisy examples."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="11_noisy_labels",
    lesson="11_preferences",
    number="11.5",
    title="The accuracy that a good model can show on noisy labels",
    formula="0.9 * (1 - 0.2) + (1 - 0.9) * 0.2",
    tolerance=0.005,
    statement="""\
A reward model orders 90 % of all pairs as the truth does. It is tested on labels of people, of which 20 % are wrong,
whatever the pair and whatever the model says of it.

What accuracy does the test show, from 0 to 1? Set `answer` to it. (On its own test the report's reward model shows
74.78 %.)
""",
    why="An accuracy is only as good as the labels that it is measured on.",
    after="0.74: agreement is being right together or wrong together. A perfect model would show 0.80.",
    points=1,
    minutes=5,
    difficulty=1,
    hints=(
        "In which two ways can model and label agree on a pair?",
        "One number from two terms, each a product of two shares.",
        "(model right and label right) + (model wrong and label wrong).",
        "0.9 · 0.8 + 0.1 · 0.2.",
    ),
    wrong_answers={
        "right_together": WrongAnswer("They also agree where both are wrong; add that share.", value=0.72),
        "difference": WrongAnswer("Errors do not simply add up: some meet and cancel.", value=0.7),
        "labels_alone": WrongAnswer("That is what a perfect model would show; this one errs as well.", value=0.8),
        "model_alone": WrongAnswer("That is the accuracy against the truth; the test has wrong labels.", value=0.9),
        "disagreement": WrongAnswer("That is how often they disagree.", value=0.26),
        "wrong_together": WrongAnswer("That is how often both are wrong; add how often both are right.", value=0.02),
        "chance": WrongAnswer("Labels of which 80 % are right do not bring it down to chance.", value=0.5),
    },
)

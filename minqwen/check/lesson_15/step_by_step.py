"""Exercise 15.5, what steps cost. Zhou et al. 2023, "Least-to-Most Prompting" (arXiv:2205.10625): errors multiply."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="15_step_by_step",
    lesson="15_tools",
    number="15.5",
    title="Right in every step",
    formula="0.95**7",
    tolerance=0.0075,
    statement="""\
A model answers **95 %** of the sums of two numbers right, one as well as another. It is asked a sum of **eight**
numbers in steps; a wrong answer in any step makes the result wrong.

What share of such sums does it get right? Set `answer` to a number between 0 and 1, to two decimals.
""",
    why="Steps make each question easy, and there are many of them.",
    after="Steps help only a model that is good at each one: at half as many errors a step, 0.84 would be right.",
    points=1,
    minutes=4,
    difficulty=1,
    hints=(
        "How many sums of two does a sum of eight numbers make?",
        "One number below the share of a single step.",
        "all steps have to be right, one after the other.",
        "Two steps in a row are right in 0.95 times 0.95 of the cases.",
    ),
    wrong_answers={
        "eight_steps": WrongAnswer("Eight numbers make seven steps: the first takes two of them.", value=0.95**8),
        "six_steps": WrongAnswer("Eight numbers make seven steps: count the first one, too.", value=0.95**6),
        "one_step": WrongAnswer("That is the share of one step; all of them have to be right.", value=0.95),
        "added_up": WrongAnswer(
            "That takes 5 % off for every step; a sum that is wrong already cannot become wrong again.", value=0.65
        ),
        "all_wrong": WrongAnswer(
            "That is the share with a wrong step somewhere; the rest is right.", value=1 - 0.95**7
        ),
        "no_step": WrongAnswer(
            "That is the share in which every step is wrong; one is enough to spoil a sum.", value=0.05**7
        ),
        "percent": WrongAnswer("That is in percent; set a number between 0 and 1.", value=100 * 0.95**7),
        "times_seven": WrongAnswer(
            "A share is never above 1; seven steps multiply it by itself, not by 7.", value=0.95 * 7
        ),
    },
)

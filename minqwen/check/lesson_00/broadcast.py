"""Exercise 0.1, what broadcasting makes. Harris et al. 2020, "Array programming with NumPy" (arXiv:2006.10256)."""

from minqwen.check import exercise
from minqwen.check.parts import WrongAnswer

EXERCISE = exercise.Explain(
    name="00_broadcast",
    lesson="00_start",
    number="0.1",
    title="How many numbers a broadcast makes",
    formula="7 * 3 * 5",
    statement="""\
`a` has shape (7, 1, 5), `b` has shape (3, 5). How many numbers does `a + b` hold? Set `answer` to that number: first on
paper, then you may ask torch.
""",
    why="A shape that you can say beforehand is a bug that you find in a second, not in an hour.",
    after="The shape is (7, 3, 5): from the right, 5 meets 5, 1 meets 3, and 7 meets nothing.",
    points=1,
    minutes=2,
    difficulty=1,
    hints=(
        "Write the two shapes one under the other, so that they end in the same column. What meets what?",
        "One number comes out: the product of the sizes of a result with three axes.",
        "for each column: equal sizes stay, a 1 or a gap takes the size of the other; multiply them all.",
        "The columns are 7 and a gap, 1 and 3, 5 and 5.",
    ),
    wrong_answers={
        "size_of_a": WrongAnswer("That is a alone; where it has a 1, b has 3, and so has the result.", value=35),
        "size_of_b": WrongAnswer("That is b alone; the 7 of a meets nothing there, and stays.", value=15),
        "sum": WrongAnswer("Those are the numbers of a and of b; each number of a is used three times.", value=50),
        "every_pair": WrongAnswer("Not every number of a meets every one of b: the last axes run together.", value=525),
        "last_axis_lost": WrongAnswer("The last axis is missing: 5 meets 5, and stays 5.", value=21),
        "error": WrongAnswer("It is no error: where sizes differ, one of them is 1 or missing.", value=0),
    },
)

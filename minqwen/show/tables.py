"""Tables of words, as Markdown: a screen reader walks through one, and a stored notebook keeps it."""

from collections.abc import Sequence

from IPython.display import Markdown


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Markdown:
    """The rows under named columns, for the last line of a cell."""
    lines = [columns, ["---"] * len(columns), *rows]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))

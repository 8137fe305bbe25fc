"""What every task is made of: a question, an answer, and what of the question differs from example to example."""

from typing import NamedTuple


class Example(NamedTuple):
    """One question and one right answer. `given` is what the task is done with: a title, a line, words, numbers."""

    task: str
    question: str
    answer: str
    given: str

    @property
    def messages(self) -> list[dict[str, str]]:
        """As a conversation, for `align.chatml`."""
        return [{"role": "user", "content": self.question}, {"role": "assistant", "content": self.answer}]

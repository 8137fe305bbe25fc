"""A tokenizer.json of the hub behind the two methods that ChatML needs (`align.chatml`).

The file's format: https://huggingface.co/docs/tokenizers. Needs that package, which `python3 course.py real-model`
brings with the real model.
"""

from pathlib import Path

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


class HubWords:
    """Control tokens stand apart: one that a user types is text, as in `Tokenizer`."""

    def __init__(self, folder: str | Path):
        import tokenizers

        self.library = tokenizers.Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        self.library.encode_special_tokens = True  # as plain text
        self.control_ids = {token: self.library.token_to_id(token) for token in CONTROL}

    def encode(self, text: str, allow_control: bool = False) -> list[int]:
        """The ids of a text; of a control token its one id, if that is allowed."""
        is_control = allow_control and text in self.control_ids
        return [self.control_ids[text]] if is_control else self.library.encode(text).ids

    def decode(self, ids: list[int]) -> str:
        """The text, without control tokens."""
        return self.library.decode(list(ids))

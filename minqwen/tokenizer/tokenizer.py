"""The tokenizer: text to ids and back, with control tokens that text cannot forge.

Control tokens are never read out of text unless the caller asks: text from a user must not be able to end its own turn
(Bai et al. 2023, "Qwen Technical Report", arXiv:2309.16609, section 3.1.1, on ChatML).
"""

import codecs
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import regex

from minqwen.tokenizer import encoding, pretokenize
from minqwen.tokenizer import ranks as rank_files

if TYPE_CHECKING:
    import tiktoken

CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"<|extra_{i}|>" for i in range(13)))
RANKS_FILE, CONFIG_FILE = "tokenizer.tiktoken", "tokenizer_config.json"


class Tokenizer:
    """Ranks of byte strings, and control tokens on the ids that the ranks leave free: as a rule those after them.

    `control_ids` maps a control token to its id.
    """

    def __init__(self, ranks: Mapping[bytes, int], control_tokens: Sequence[str] = CONTROL_TOKENS):
        if len(set(control_tokens)) != len(control_tokens):
            raise ValueError(f"control tokens must differ, not {list(control_tokens)}; drop the doubles")
        self.ranks = dict(ranks)
        self.control_ids = dict(zip(control_tokens, rank_files.free_ids(ranks, len(control_tokens))))
        named = {**self.ranks, **{token.encode(): i for token, i in self.control_ids.items()}}
        self._tokens = [b""] * (len(ranks) + len(control_tokens))
        for token, i in named.items():
            self._tokens[i] = token

    @property
    def vocab_size(self) -> int:
        """Byte strings and control tokens together."""
        return len(self._tokens)

    def encode(self, text: str, allow_control: bool = False) -> list[int]:
        """NFC, words, bytes, merges; `allow_control` reads <|im_start|> and its like as control tokens.

        Half a surrogate pair, which UTF-8 cannot hold, becomes U+FFFD, as in tiktoken.
        """
        text = pretokenize.repair(pretokenize.normalize(text))
        if not (allow_control and self.control_ids):
            return encoding.encode(text, self.ranks)
        longest_first = sorted(self.control_ids, key=len, reverse=True)
        ids: list[int] = []
        # split() puts what the group matched at the odd places
        for i, part in enumerate(regex.split(f"({'|'.join(map(regex.escape, longest_first))})", text)):
            ids += [self.control_ids[part]] if i % 2 else encoding.encode(part, self.ranks)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The tokens' bytes as UTF-8; a sequence cut inside a character ends in U+FFFD."""
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", errors="replace")

    def stream(self, ids: Iterable[int]) -> Iterator[str]:
        """The text that each id adds, as ids arrive: a character is held back until its last byte is there.

        The pieces joined are `decode` of all ids; what is never completed comes at the end, as U+FFFD.
        """
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for token_id in ids:
            yield decoder.decode(self.token_bytes(token_id))
        rest = decoder.decode(b"", final=True)
        if rest:
            yield rest

    def token_bytes(self, token_id: int) -> bytes:
        """The byte string of one token, which need not be a whole character."""
        if not 0 <= token_id < self.vocab_size:
            raise ValueError(
                f"id {token_id} is outside this vocabulary; give ids from 0 to {self.vocab_size - 1}, "
                "or decode with the tokenizer that made them"
            )
        return self._tokens[token_id]

    def token_text(self, token_id: int) -> str:
        r"""One token for people: its text, with bytes that are no whole character as \xe6."""
        return self.token_bytes(token_id).decode("utf-8", errors="backslashreplace")

    def to_tiktoken(self, name: str = "minqwen") -> "tiktoken.Encoding":
        """The same vocabulary in tiktoken. It takes text as it is: bring it to NFC before, as `encode` here does."""
        import tiktoken  # here, so that who needs no tiktoken does not load it

        return tiktoken.Encoding(
            name, pat_str=pretokenize.PATTERN, mergeable_ranks=self.ranks, special_tokens=self.control_ids
        )

    def save_pretrained(self, folder: str | Path) -> None:
        """tokenizer.tiktoken: base64(token) rank, a line each; tokenizer_config.json: the control tokens."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = {"vocab_size": self.vocab_size, "control_tokens": list(self.control_ids)}
        _write(folder / RANKS_FILE, rank_files.format_ranks(self.ranks))
        _write(folder / CONFIG_FILE, json.dumps(config, indent=2) + "\n")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "Tokenizer":
        """The tokenizer that `save_pretrained` wrote."""
        folder = Path(folder)
        for name in (RANKS_FILE, CONFIG_FILE):
            if not (folder / name).is_file():
                raise ValueError(f"{folder} holds no {name}; give the folder that save_pretrained wrote")
        ranks = rank_files.parse_ranks((folder / RANKS_FILE).read_text(encoding="ascii", errors="replace"))
        vocab_size, control_tokens = _read_config(folder / CONFIG_FILE)
        if vocab_size != len(ranks) + len(control_tokens):
            raise ValueError(
                f"{CONFIG_FILE} says vocab_size={vocab_size}, but {RANKS_FILE} has {len(ranks)} tokens and there are "
                f"{len(control_tokens)} control tokens; fetch both files again from one place"
            )
        _check_model_beside(folder, vocab_size)
        return cls(ranks, control_tokens)


def _read_config(path: Path) -> tuple[int, list[str]]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        vocab_size, control_tokens = int(config["vocab_size"]), list(config["control_tokens"])
        if not all(isinstance(token, str) and token for token in control_tokens):
            raise TypeError("a control token is a string that is not empty")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path.name} must be a JSON object with vocab_size and control_tokens ({error!r}); "
            "write it again with save_pretrained"
        ) from error
    return vocab_size, control_tokens


def _check_model_beside(folder: Path, vocab_size: int) -> None:
    """A model in the same folder needs a row for every token; it may have more, since matrices are padded."""
    try:
        rows = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # no model here, or one that its own loader refuses
    if isinstance(rows, int) and vocab_size > rows:
        raise ValueError(
            f"the tokenizer of {folder} has {vocab_size} tokens, but the embedding of the model there has {rows} rows "
            f"(vocab_size in config.json), so ids from {rows} on have no vector; take both from one model"
        )


def _write(path: Path, text: str) -> None:
    """Aside, then rename: an interrupted save leaves the old file, and a full disk gets its room back."""
    aside = path.with_name(path.name + ".part")
    try:
        aside.write_text(text, encoding="utf-8", newline="\n")
        os.replace(aside, path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise

"""ChatML: a conversation as tokens, and which of them are learned.

Qwen Technical Report (arXiv:2309.16609), sections 3.1.1 and 3.1.2 and appendix A.1.1; the layout is that of the
reference code, https://github.com/QwenLM/Qwen: `make_context` for prompts, `finetune.py` for training. A turn stands
between two control tokens, which no text of a user can become.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from minqwen.tokenizer import Tokenizer

START, END = "<|im_start|>", "<|im_end|>"
PAD = "<|endoftext|>"  # behind or before a conversation in a batch: no end of a turn
ROLES = ("system", "user", "assistant")
MODES = ("assistant_only", "qwen_official")
DEFAULT_SYSTEM = "You are a helpful assistant."

Message = Mapping[str, str]


class Segment(NamedTuple):
    """One message in tokens: START role newline · content · END newline."""

    role: str
    head: list[int]
    content: list[int]
    tail: list[int]

    @property
    def ids(self) -> list[int]:
        """All of it."""
        return [*self.head, *self.content, *self.tail]


def complete(messages: Sequence[Message]) -> list[Message]:
    """The conversation with a system message first, and contents without line breaks before and blanks behind."""
    if not messages:
        raise ValueError("an empty conversation has nothing to say; give at least one message of the user")
    for at, message in enumerate(messages):
        if message.get("role") not in ROLES or not isinstance(message.get("content"), str):
            raise ValueError(f"message {at} is {dict(message)}; give it a role of {ROLES} and its content as text")
        if message["role"] == "system" and at:
            raise ValueError(f"message {at} is a second system message, or a late one; put all of it into the first")
    if messages[0]["role"] != "system":
        messages = [{"role": "system", "content": DEFAULT_SYSTEM}, *messages]
    for at, message in enumerate(messages[1:]):
        if message["role"] != ROLES[1 + at % 2]:
            raise ValueError(f"turn {at} is of the {message['role']}; user and assistant take turns, the user first")
    if len(messages) == 1:
        raise ValueError("a system message alone asks nothing; add a message of the user")
    return [{**message, "content": message["content"].lstrip("\n").rstrip()} for message in messages]


def render(messages: Sequence[Message]) -> str:
    """The conversation for people to read. A forged control token looks real here: models are given `encode_chat`."""
    whole = complete(messages)
    text = "".join(f"{START}{message['role']}\n{message['content']}{END}\n" for message in whole)
    return text + (f"{START}assistant\n" if whole[-1]["role"] == "user" else "")


def segments(messages: Sequence[Message], tokenizer: Tokenizer) -> list[Segment]:
    """Role, newline and content are encoded apart, as the reference does, so that no merge joins them."""
    [start], [end] = (tokenizer.encode(token, allow_control=True) for token in (START, END))
    newline = tokenizer.encode("\n")
    return [
        Segment(role, [start, *tokenizer.encode(role), *newline], tokenizer.encode(content), [end, *newline])
        for role, content in ((message["role"], message["content"]) for message in complete(messages))
    ]


def encode_chat(messages: Sequence[Message], tokenizer: Tokenizer, max_length: int | None = None) -> list[int]:
    """The ids of a conversation; one that ends with the user is a prompt, and ends where the answer is to begin.

    Below `max_length` tokens: the oldest turns are forgotten first, the system message and the last turn never.
    """
    whole = segments(messages, tokenizer)
    prompt = whole[0].head[:1] + tokenizer.encode("assistant") + tokenizer.encode("\n")
    opening = prompt if whole[-1].role == "user" else []
    if max_length is not None:
        whole = _within(whole, max_length - len(opening), max_length)
    return [token for segment in whole for token in segment.ids] + opening


def loss_mask(messages: Sequence[Message], tokenizer: Tokenizer, mode: str = "assistant_only") -> list[bool]:
    """For each id of `encode_chat`: True if the model is to learn to say it.

    "assistant_only": the contents of the assistant and the END after them. "qwen_official": what `finetune.py` keeps,
    these and, of every role, START, END and the newline behind it.
    """
    if mode not in MODES:
        raise ValueError(f"mode={mode!r} is unknown; choose one of {MODES}")
    whole = segments(messages, tokenizer)
    if whole[-1].role != "assistant":
        raise ValueError("the conversation ends with the user, so there is no last answer to learn; add it")
    mask: list[bool] = []
    for segment in whole:
        answers, official = segment.role == "assistant", mode == "qwen_official"
        mask += [official, *[False] * (len(segment.head) - 1)]
        mask += [answers] * len(segment.content)
        mask += [official or answers, *[official] * (len(segment.tail) - 1)]
    return mask


def _within(whole: list[Segment], budget: int, max_length: int) -> list[Segment]:
    """System, and as many whole turns from the end as stay below the budget."""
    system, *rest = whole
    turns = [rest[at : at + 2] for at in range(0, len(rest), 2)]
    kept, length = [], len(system.ids)
    for turn in reversed(turns):
        length += sum(len(segment.ids) for segment in turn)
        if length >= budget:
            break
        kept = [*turn, *kept]
    if not kept:
        raise ValueError(
            f"system message and last turn need {length + max_length - budget} tokens, and must stay below "
            f"max_length={max_length}; shorten them, or give a longer context"
        )
    return [system, *kept]

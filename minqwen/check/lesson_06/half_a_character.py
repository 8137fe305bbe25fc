"""Exercise 6.5, a chat that shows �. UTF-8: RFC 3629, https://www.rfc-editor.org/rfc/rfc3629."""

import codecs  # noqa: F401 - for the mended function, which is compiled among the names of this module
from functools import partial
from itertools import pairwise

import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Cause, Test


def broken(tokens: list[bytes]) -> list[str]:
    """The text that each token adds, as tokens come from a model; tokens are byte strings."""
    shown = []
    for token in tokens:
        shown.append(token.decode("utf-8", errors="replace"))
    return shown


def _held_back(tokens: list[bytes]) -> list[str]:
    """After each token: the characters that are whole by now, less those that were before."""
    whole, shown = "".join(token.decode("latin-1") for token in tokens).encode("latin-1").decode(), []
    before = arrived = 0
    for token in tokens:
        arrived += len(token)
        now = max(n for n in range(len(whole) + 1) if len(whole[:n].encode()) <= arrived)
        shown.append(whole[before:now])
        before = now
    return shown


def _case(tokens: list[bytes], note: str = "") -> Case:
    return Case({"tokens": tokens}, _held_back(tokens), note)


def _hanzi(rng: torch.Generator) -> str:
    return chr(0x4E00 + int(torch.randint(0, 20_000, (1,), generator=rng)))


def _whole(rng: torch.Generator) -> list[Case]:
    a, b = _hanzi(rng), _hanzi(rng)
    return [_case([a.encode(), b" moon ", (b + a).encode()], "each token is whole characters")]


def _split(rng: torch.Generator) -> list[Case]:
    a, b = _hanzi(rng).encode(), _hanzi(rng).encode()
    return [
        _case([a[:1], a[1:]], "a character of three bytes in two tokens"),
        _case([a[:2], a[2:] + b], "and a whole one after it"),
        _case([a + b[:1], b[1:2], b[2:]], "one in three tokens"),
    ]


def _four(rng: torch.Generator) -> list[Case]:
    face = chr(0x1F600 + int(torch.randint(0, 60, (1,), generator=rng))).encode()
    return [
        _case([face[i : i + 1] for i in range(4)], "four bytes, one by one"),
        _case([b"a", face[:3], face[3:] + b"b"]),
    ]


def _values(rng: torch.Generator) -> list[Case]:
    text = "".join(_hanzi(rng) + chr(97 + i) for i in range(5)).encode()
    cuts = sorted(torch.randperm(len(text) - 1, generator=rng)[:7].tolist())
    edges = [0, *(cut + 1 for cut in cuts), len(text)]
    return [_case([text[i:j] for i, j in pairwise(edges)])]


_CAUSES = {
    "a": Cause(
        "The character is not in the vocabulary, so the model writes a token for the unknown.",
        "a byte-level vocabulary has every byte, so every text has ids.",
    ),
    "b": Cause("A character may be split over tokens, and each token is decoded by itself."),
    "c": Cause(
        "The text is not in form NFC, so base and accent are shown as two characters.",
        "月 is one character in every form of Unicode, and it is broken here too.",
    ),
}

_wrong = partial(parts.mistake, broken)

EXERCISE = exercise.Bug(
    name="06_half_a_character",
    lesson="06_tokenizer",
    number="6.5",
    title="Half a character",
    broken=broken,
    also_closed=(_held_back,),
    mend=(
        ("    shown = []\n", '    shown, decoder = [], codecs.getincrementaldecoder("utf-8")(errors="replace")\n'),
        ('token.decode("utf-8", errors="replace")', "decoder.decode(token)"),
    ),
    imports="import codecs",
    symptom="""\
tokens = [b"\\xe6\\x9c", b"\\x88 moon"]
print("the two tokens should add '' and '月 moon', but:", broken(tokens))""",
    statement=f"""\
A chat shows a model's answer while it is written, token by token. English is fine. In Chinese, and with emoji, � stands
where a character should be.

- `tokens` is a list of byte strings, as a model makes them one after the other; all of them joined are valid UTF-8.
- The result is a list of as many strings: what each token **adds** to the screen. A character appears whole, with the
  token that brings its last byte; a token that completes nothing adds `""`. All strings joined are the text.

`broken` is what the chat does now. Write `fixed(tokens)`, and set `cause` to the letter of the cause:

{parts.listed(_CAUSES)}

Python's own incremental decoders (`import codecs`, which is done for you) may be used; so may a few lines of your own.
""",
    why="The real Qwen has tokens that are parts of characters: 51461 is a blank and two thirds of one.",
    points=2,
    minutes=12,
    difficulty=2,
    hints=(
        "What does broken return for [b'\\xe6\\x9c', b'\\x88']? And b'\\xe6\\x9c\\x88'.decode()?",
        "n byte strings in, n strings out; between two tokens something has to be kept.",
        "keep the bytes that are no whole character yet; put them before the next token; show what is whole.",
        "An object of codecs.getincrementaldecoder('utf-8') keeps them: its method decode(b) returns what is whole.",
    ),
    causes=_CAUSES,
    cause="b",
    tests=(
        Test("tokens of whole characters are shown at once", _whole),
        Test("a character appears with the token that brings its last byte", _split),
        Test("so do characters of four bytes", _four),
        Test("agrees with counting bytes, wherever the text is cut", _values),
    ),
    wrong_answers={
        "as_given": _wrong("this is the function as it was given.", ("def broken(", "def fixed(")),
        "left_out": _wrong(
            "now the halves are left out, and the character never appears; keep its bytes until the rest comes.",
            ('errors="replace"', 'errors="ignore"'),
        ),
        "another_encoding": _wrong(
            "now each byte is shown as a character of its own (that is what Latin-1 does); the text is UTF-8.",
            ('"utf-8", errors="replace"', '"latin-1"'),
        ),
        "backslashes": _wrong(
            r"now the halves are shown as \xe6; a half should not be shown at all.",
            ('errors="replace"', 'errors="backslashreplace"'),
        ),
        "all_at_the_end": _wrong(
            "now everything is shown with the last token; show each character as soon as it is whole.",
            ('shown.append(token.decode("utf-8", errors="replace"))', 'shown.append("")'),
            ("return shown", 'return [*shown[1:], b"".join(tokens).decode()]'),
        ),
        "all_so_far": _wrong(
            "now each string is the whole text so far; a string is what its token adds.",
            (
                'shown.append(token.decode("utf-8", errors="replace"))',
                'shown.append(b"".join(tokens[: len(shown) + 1]).decode("utf-8", errors="ignore"))',
            ),
        ),
    },
)

"""Exercise 6.3, text to ids. Sennrich et al. 2016 (arXiv:1508.07909), section 3.2, by ranks as in tiktoken."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise

import tiktoken
import torch

from minqwen.check import exercise, parts
from minqwen.check.parts import Case, Test
from minqwen.tokenizer import encoding, pretokenize


def _searching(text: str, ranks: Mapping[bytes, int]) -> list[int]:
    """The ids of each word's bytes after merging, one word after the other."""
    ids: list[int] = []
    for word in pretokenize.split_words(text):
        tokens = [bytes([byte]) for byte in word.encode("utf-8")]
        while known := [a + b for a, b in pairwise(tokens) if a + b in ranks]:
            best = min(known, key=lambda token: ranks[token])
            i = [a + b for a, b in pairwise(tokens)].index(best)
            tokens[i : i + 2] = [best]
        ids += [ranks[token] for token in tokens]
    return ids


def _in_the_order_of_ranks(text: str, ranks: Mapping[bytes, int]) -> list[int]:
    """Each token of the vocabulary in turn: join its halves wherever they stand, from left to right."""
    ids = []
    for word in pretokenize.split_words(text):
        tokens = [bytes([byte]) for byte in word.encode()]
        for token in sorted(ranks, key=lambda token: ranks[token]):
            for i in range(len(tokens)):
                if len(tokens[i : i + 2]) == 2 and b"".join(tokens[i : i + 2]) == token:
                    tokens[i : i + 2] = [token]
        ids += [ranks[token] for token in tokens]
    return ids


def _case(rng: torch.Generator, text: str, *tokens: str, note: str = "") -> Case:
    """256 bytes in random order, as Qwen's are in none that one would guess, and then these tokens."""
    order = torch.randperm(256, generator=rng).tolist()
    ranks = {bytes([byte]): rank for rank, byte in enumerate(order)}
    ranks |= {token.encode(): 256 + i for i, token in enumerate(tokens)}
    after = ", ".join(f"{token.encode()!r}: {ranks[token.encode()]}" for token in tokens)
    note += f"ranks has the 256 bytes and {after or 'nothing else'}"
    return Case({"text": text, "ranks": ranks}, _in_the_order_of_ranks(text, ranks), note)


def _letters(rng: torch.Generator, n: int) -> list[str]:
    """n different letters."""
    return [chr(97 + i) for i in torch.randperm(26, generator=rng)[:n].tolist()]


def _bytes(rng: torch.Generator) -> list[Case]:
    a, b = _letters(rng, 2)
    return [_case(rng, text) for text in (a + b, a + b.upper(), "")]


def _characters(rng: torch.Generator) -> list[Case]:
    (a,) = _letters(rng, 1)
    return [_case(rng, text, note="a character may have several bytes; ") for text in ("月", "月明", "é" + a)]


def _merged(rng: torch.Generator) -> list[Case]:
    a, b, c, d = _letters(rng, 4)
    return [
        _case(rng, a + b, a + b),
        _case(rng, a + b + a + b, a + b),
        _case(rng, a + b + c + d, a + b, c + d, a + b + c + d),
    ]


def _lowest(rng: torch.Generator) -> list[Case]:
    a, b, c, d = _letters(rng, 4)
    return [
        _case(rng, a + b + c, b + c, a + b),
        _case(rng, a + b + c, a + b, b + c),
        _case(rng, a + b + c + d, c + d, a + b, b + c + d),
    ]


def _leftmost(rng: torch.Generator) -> list[Case]:
    (a,) = _letters(rng, 1)
    return [_case(rng, n * a, a + a, note="equal letters; ") for n in (3, 5)]


def _words(rng: torch.Generator) -> list[Case]:
    a, b, c = _letters(rng, 3)
    digits = "".join(str(digit) for digit in torch.randperm(10, generator=rng)[:2].tolist())
    return [
        _case(rng, f"{a}{b} {c}", f"{b} ", f"{a}{b}", note="two words; "),
        _case(rng, digits, digits, note="digits are words of their own; "),
        _case(rng, f"{a} {b}", f" {b}", note="a blank belongs to the word after it; "),
        _case(rng, f"{a} {b} {a} {a}", note="a word comes again; "),
    ]


def _values(rng: torch.Generator) -> list[Case]:
    tokens = _letters(rng, 3)
    text = [tokens[i] for i in torch.randint(0, 3, (29,), generator=rng).tolist()]
    for i, j in torch.randint(0, 3, (9, 2), generator=rng).tolist():
        tokens.append(tokens[-1 - i] + tokens[-1 - j])  # of two that are there, so that every token can be reached
    return [_case(rng, f"{''.join(text[:13])} {''.join(text[13:])}", *dict.fromkeys(tokens[3:]))]


_TIKTOKEN = (tiktoken.Encoding.encode, tiktoken.Encoding.encode_ordinary)
_FIND = "[a + b for a, b in pairwise(tokens)]"

_wrong = partial(parts.mistake, _searching)

EXERCISE = exercise.Implement(
    name="encode",
    lesson="06_tokenizer",
    number="6.3",
    title="Text to ids",
    library=encoding.encode,
    reference=_searching,
    also_closed=(encoding.merge_by_rank, _in_the_order_of_ranks, *_TIKTOKEN),
    in_model=True,
    imports=(
        "from collections.abc import Mapping\nfrom itertools import pairwise\n\n"
        "from minqwen.tokenizer import pretokenize  # pretokenize.split_words(text): the words that no token crosses"
    ),
    statement="""\
Write `encode(text, ranks)`, the ids of a text in a vocabulary of byte strings.

- `ranks` maps each token, a byte string, to its rank, which is its id. All 256 bytes are in it, in **any** order.
- Cut `text` into words with `pretokenize.split_words(text)`, which is imported for you; no token crosses words. Begin
  each word as its UTF-8 bytes. Then, as long as two neighbours joined are in `ranks`, **join the two whose result has
  the lowest rank**; among equals the leftmost two.
- The result is the list of the ranks of what is left, word after word. It need not be fast. (`text` is in NFC already,
  and control tokens are none of your business: `Tokenizer.encode` sees to both.)

For example, with `b"bc"` of rank 256 and `b"ab"` of rank 257, `"abc"` becomes the ranks of `b"a"` and `b"bc"`: the pair
bc is joined first, and after that a has no partner.

`Tokenizer` and `tiktoken` refuse while your function is checked.
""",
    why="It is what runs before every model: the real Qwen reads with this rule, and 151,643 ranks.",
    points=4,
    minutes=20,
    difficulty=3,
    hints=(
        "Before any merge the tokens are single bytes. Which joins are possible, and which comes first?",
        "str to words; a word to a list of byte strings, which gets shorter; at the end a list of ints.",
        "for each word: tokens = its bytes, one by one; while some two neighbours joined are in ranks: join the two "
        "of lowest rank; then look up each token's rank.",
        "bytes([231]) is a byte string of one byte; tokens[i : i + 2] = [joined] puts one in the place of two.",
    ),
    tests=(
        Test("where nothing can be joined, the ids are the ranks of the bytes", _bytes),
        Test("a character begins as its UTF-8 bytes", _characters),
        Test("joins go on until none is possible", _merged),
        Test("the join of lowest rank comes first, not the leftmost and not the longest", _lowest),
        Test("among equals the leftmost two are joined", _leftmost),
        Test("no token crosses words", _words),
        Test("agrees with joining token by token, in the order of ranks", _values),
    ),
    wrong_answers={
        "one_word": _wrong("the text was not cut into words; cut it.", ("pretokenize.split_words(text)", "[text]")),
        "highest_rank": _wrong("the highest rank is joined first; the lowest comes first.", ("min(known", "max(known")),
        "leftmost_first": _wrong(
            "the leftmost pair that is known is joined first; the lowest rank comes first.",
            ("min(known, key=lambda token: ranks[token])", "known[0]"),
        ),
        "longest_first": _wrong(
            "the longest token is joined first; the lowest rank comes first.",
            ("key=lambda token: ranks[token]", "key=lambda token: (-len(token), ranks[token])"),
        ),
        "rightmost": _wrong(
            "among equals the rightmost two are joined; take the leftmost.",
            (f"{_FIND}.index(best)", f"len(tokens) - 2 - {_FIND}[::-1].index(best)"),
        ),
        "one_join": _wrong("each word gets one join only; go on while one is possible.", ("while known", "if known")),
        "nothing_joined": _wrong(
            "nothing is joined: these are the ranks of the bytes.",
            ("for token in tokens]", "for token in map(bytes, zip(word.encode()))]"),
        ),
        "bytes_for_ranks": _wrong(
            "a byte's own number is taken for its id; look it up in ranks, where the bytes stand in any order.",
            ("[ranks[token] for token", "[token[0] if len(token) == 1 else ranks[token] for token"),
        ),
        "characters": _wrong(
            "words begin as characters; they begin as single bytes, all of which are in ranks.",
            ('bytes([byte]) for byte in word.encode("utf-8")', "character.encode() for character in word"),
        ),
        "cut_at_blanks": _wrong(
            "the text is cut at its blanks only; split_words also sets digits and signs apart, and keeps the blanks.",
            ("pretokenize.split_words(text)", "text.split()"),
        ),
        "blanks_lost": _wrong("the blanks are lost; words have them.", ("in word.encode", "in word.strip().encode")),
        "each_word_once": _wrong(
            "a word that comes again is left out.",
            ("in pretokenize.split_words(text)", "in dict.fromkeys(pretokenize.split_words(text))"),
        ),
    },
)

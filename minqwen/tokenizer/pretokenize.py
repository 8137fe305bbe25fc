"""Text into words that no token crosses: Qwen's pattern, which is that of cl100k_base with digits taken one by one.

Bai et al. 2023, "Qwen Technical Report" (arXiv:2309.16609), section 2.2.
"""

import unicodedata

import regex

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"  # English endings
    r"|[^\r\n\p{L}\p{N}]?\p{L}+"  # letters, with at most one blank or sign before them
    r"|\p{N}"  # one digit
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*"  # signs, with the line ends after them
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"  # blanks; the last one before a word is left to that word
)


def normalize(text: str) -> str:
    """Unicode form NFC: é is one character, however it was typed."""
    return unicodedata.normalize("NFC", text)


def split_words(text: str) -> list[str]:
    """Pieces whose concatenation is the text."""
    return regex.findall(PATTERN, text)


def utf8(word: str) -> bytes:
    """The bytes of a word."""
    try:
        return word.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{word!r} holds half of a surrogate pair, which is no character; "
            "read the file again as UTF-8 with errors='replace'"
        ) from error


def repair(text: str) -> str:
    """Two halves of a surrogate pair become their character, and half a pair, which is none, U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text

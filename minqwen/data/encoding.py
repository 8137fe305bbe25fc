"""From the bytes of a page to its characters, whatever the page, or its server, says about its encoding.

The order follows the HTML standard's "determining the character encoding", https://html.spec.whatwg.org (a byte order
mark, the server, the page), with one change that crawls need: a declaration counts only if the bytes agree with it.
"""

import codecs
import re
from typing import NamedTuple

MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
LOOKED_AT = 4096  # a declaration stands within so many bytes
CHARSET = re.compile(rb"""charset\s*+=\s*+["']?\s*+([A-Za-z0-9_.:-]+)""", re.IGNORECASE)
OF_PAGES = re.compile(r"iso8859|cp\d|koi8|mac_|gb|big5|euc_|shift_jis|tis_620|ascii")  # not utf-7, rot13 or idna
EAST_ASIAN = re.compile(r"big5|euc_|shift_jis|cp9[345]\d")  # two bytes a character, as in GB18030
RUN = re.compile(rb"[\x80-\xff]+")
GB2312 = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")  # a common character, in GB2312, GBK and GB18030 alike
COMMON = 0.9  # share of the bytes above 127 that form such characters; a letter with an accent stands alone
ERRORS = 0.1  # for each run of bytes above 127; half of all Cyrillic words have an odd number of letters
DAMAGED = 0.05  # share of the characters beyond ASCII that may be unreadable
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f]")
BINARY = 0.01  # share of control characters that no text has


class Decoded(NamedTuple):
    """The text, and the encoding that was found; None if these bytes are no text."""

    text: str
    encoding: str | None


def decode(raw: bytes, content_type: str = "") -> Decoded:
    """The first that fits: byte order mark, UTF-8, GB18030, what server or page declare, Windows-1252.

    Valid UTF-8 is hardly ever anything else, so it comes before any declaration. A single-byte encoding fits every
    page, so a server that calls all its pages ISO-8859-1 comes after what can be recognised.
    """
    marked = [(raw[len(mark) :], encoding) for mark, encoding in MARKS if raw.startswith(mark)]
    guesses = ("utf-8", *_plausible(raw, content_type), "cp1252")
    for given, encoding in marked[:1] or [(raw, guess) for guess in guesses]:
        text = given.decode(encoding, "replace")
        if marked or _unreadable(text, given) <= DAMAGED * sum(map(len, re.findall(r"[^\x00-\x7f]+", text))):
            break
    if len(CONTROLS.findall(text)) > BINARY * len(text):
        return Decoded("", None)
    return Decoded(text, encoding)


def declared(raw: bytes, content_type: str = "") -> list[str]:
    """The encodings that the server's header and the page's first bytes name, as Python knows them."""
    names = [*CHARSET.findall(content_type.encode("utf-8", "replace")), *CHARSET.findall(raw[:LOOKED_AT])[:1]]
    found = []
    for name in names:
        try:
            found.append(codecs.lookup(name.decode("ascii")).name.replace("-", "_"))
        except LookupError:
            continue
    return ["gb18030" if name.startswith("gb") else name for name in found if OF_PAGES.match(name)]


def _plausible(raw: bytes, content_type: str) -> list[str]:
    names = declared(raw, content_type)
    two_bytes = [name for name in names if EAST_ASIAN.match(name)]
    return [
        *two_bytes,
        *(["gb18030"] if _looks_chinese(raw) else []),
        *(name for name in names if name not in two_bytes),
    ]


def _looks_chinese(raw: bytes) -> bool:
    """Mostly characters of GB2312, and bytes that come in twos; a page may be cut inside its last character."""
    runs = RUN.findall(raw)
    high = sum(map(len, runs))
    errors = raw.decode("gb18030", "replace").rstrip("\ufffd").count("\ufffd")
    return errors <= ERRORS * len(runs) and 0 < COMMON * high <= 2 * len(GB2312.findall(raw))


def _unreadable(text: str, raw: bytes) -> int:
    """How many characters the decoding lost; those that the page itself holds as U+FFFD were lost before."""
    return text.count("\ufffd") - raw.count("\ufffd".encode())

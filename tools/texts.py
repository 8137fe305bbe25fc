"""From the raw files of two packages to documents: pure text functions for tools/assets.py."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from configparser import ConfigParser
from pathlib import Path
from typing import Any

from minqwen.data import corpus

LONGEST, SHORTEST = 3000, 400  # characters of a document cut from a longer text
MILTON = (
    "areopagitica_gut",
    "lallegro_il_penseroso_comus_and_lycidas_gut",
    "paradise_lost_(no_introduction)_gut",
    "paradise_regained_gut",
)
TITLE_LINES = re.compile(r"\A[^\n]+\n+(by William Shakespeare\n+)?")
# Where a piece always begins: a numbered poem, an act or scene, an epilogue; "Act now" in a line of verse does not.
HEADING = re.compile(
    r"(?i:act|scene|prologue|epilogue|induction|book|the \w+ book)\b[^a-z]*($|[.:-])|(?i:[ivxlc]+\.?$)", re.M
)
SPEAKER = r"[A-Z][A-Z .'-]{1,28}\.\n"
# Variant characters that OpenCC keeps, each followed by the form in use today.
VARIANTS = (
    "疎疏劒剑鴈雁猨猿遶绕慙惭簷檐荅答櫂棹谿溪鬬斗斾旆徧遍蘂蕊嬾懒媿愧堦阶幷并臯皋廻回覩睹髪发暎映桮杯飜翻煖暖"
    "歛敛檝楫呌叫隣邻竝并巵卮逈迥迳径詶酬牋笺燄焰罇樽毬球羇羁壻婿栢柏鵶鸦棃梨鼇鳌僊仙隄堤鏁锁邨村缾瓶緜绵麤粗"
    "鸎莺趂趁醆盏筯箸帬裙牓榜碁棋粧妆嚬颦顦憔顇悴姪侄倣仿"
)
POEM_LINE = re.compile(r"[\u4e00-\u9fff]{2,20}([，、；：！？。][\u4e00-\u9fff]{2,20})*[。！？]")
POEM_TITLE = re.compile(r"[\u4e00-\u9fff]([\u4e00-\u9fff ，、·]{0,24}[\u4e00-\u9fff])?")


def tidy_english(text: str) -> str:
    """Single spaces, indents of two, no title lines, line numbers or leader dots, one blank line between blocks."""
    text = re.sub(r"[\ufeff\r\x1a]", "", text).replace("\t", " ")
    text = re.sub(r"^\.{4,}", "  ", text, flags=re.M)
    text = re.sub(r" {3,}\d+ *$", "", text, flags=re.M)
    text = re.sub(r"(?<=\S) {2,}", " ", text)
    text = re.sub(r"^ +(?=\S)", "  ", text, flags=re.M)
    text = re.sub(r"[ ]+$", "", text, flags=re.M)
    text = re.sub(r"\n{3,}", "\n\n", text).strip("\n")
    text = TITLE_LINES.sub("", text)
    return re.sub(rf"^({SPEAKER})\n(?=[^\[\n])", r"\1", text, flags=re.M)


def cut_pieces(text: str) -> list[str]:
    """Pieces of about 3,000 characters that begin at headings and at blank lines where these exist."""
    pieces, piece = [], ""
    for block in _blocks(text):
        is_full = HEADING.match(block) or len(piece) + len(block) > LONGEST
        if is_full and len(piece) >= SHORTEST:
            pieces.append(piece.strip("\n"))
            piece = ""
        piece += block
    if pieces and len(piece) < SHORTEST:
        piece = pieces.pop() + "\n\n" + piece
    return [*pieces, piece.strip("\n")]


def _blocks(text: str) -> Iterator[str]:
    """Paragraphs and speeches with the blank line after them; longer ones are cut between lines."""
    for block in text.split("\n\n"):
        part = ""
        for line in block.split("\n"):
            if len(part) + len(line) > LONGEST:
                yield part
                part = ""
            part += line + "\n"
        yield part + "\n"


def english(package: Path) -> list[corpus.Document]:
    """Shakespeare's plays and poems in the modern editions, and Milton."""
    documents = []
    for folder, wanted in (("shksprdata", None), ("miltondata", MILTON)):
        metadata = ConfigParser(strict=False, interpolation=None)
        metadata.read(package / folder / "texts" / "metadata.txt", encoding="utf-8")
        for name in sorted(metadata.sections()):
            if not name.endswith("_gut") or (wanted and name not in wanted):
                continue
            author = " ".join(reversed(metadata[name]["creator"].split(", ")))
            title = metadata[name]["title"].strip()
            text = (package / folder / "texts" / f"{name}.txt").read_text(encoding="utf-8")
            for piece in cut_pieces(tidy_english(text)):
                documents.append(corpus.Document("en", author, title, title, f"{title} by {author}\n\n{piece}"))
    return documents


def poem(record: Mapping[str, Any]) -> corpus.Document | str:
    """《title》poet, then one couplet a line; or why it is not a whole poem: a fragment, gaps, editors' brackets."""
    title, author = record["title"].strip(), record["author"].strip()
    lines = [line.strip() for line in record["paragraphs"]]
    if not POEM_TITLE.fullmatch(title) or title == "句":
        return "title"
    if not re.fullmatch(r"[\u4e00-\u9fff]{2,5}", author):
        return "author"
    if not 2 <= len(lines) <= 40:
        return "length"
    if not all(POEM_LINE.fullmatch(line) for line in lines):
        return "signs"
    return corpus.Document("zh", author, author, title, "\n".join([f"《{title}》{author}", *lines]))


def read_records(path: Path, to_simplified: Callable[[str], str]) -> list[dict[str, Any]]:
    """A file of poems, in simplified characters and in the forms of today."""
    variants = str.maketrans(dict(zip(VARIANTS[::2], VARIANTS[1::2])))
    return json.loads(to_simplified(path.read_text(encoding="utf-8")).translate(variants))


def chinese(package: Path, to_simplified: Callable[[str], str]) -> tuple[list[corpus.Document], Counter]:
    """The poems of the Tang in simplified characters, each text once; and how many were left out for what."""
    documents, seen, left_out = [], set(), Counter()
    folder = package / "dist" / "quantangshi"
    for path in sorted(folder.glob("poet.tang.*.json"), key=lambda path: int(path.name.split(".")[2])):
        for record in read_records(path, to_simplified):
            document = poem(record)
            if isinstance(document, str):
                left_out[document] += 1
                continue
            body = re.sub(r"\W", "", document.text.partition("\n")[2])
            if body in seen:
                left_out["same_text"] += 1
            else:
                seen.add(body)
                documents.append(document)
    return documents, left_out


def without_leaks(documents: list[corpus.Document]) -> dict[str, list[corpus.Document]]:
    """Both splits; a held-out poem that shares a line with a training poem is left out of either."""
    splits = {split: [] for split in corpus.SPLITS}
    for document in documents:
        splits[corpus.split_of(document.language, document.work)].append(document)
    known = {line for document in splits["train"] for line in _poem_lines(document)}
    splits["held_out"] = [d for d in splits["held_out"] if known.isdisjoint(_poem_lines(d))]
    return splits


def _poem_lines(document: corpus.Document) -> list[str]:
    return document.text.splitlines()[1:] if document.language == "zh" else []

"""Which characters rhyme, and which are of level tone, as the poets of Tang and Song used them.

Tone: the package `chinese-poetry` 2.0.1 gives each character of a poem as 平 or 仄 (folder `strains`). Rhyme: in a
regular poem lines 2, 4, … end in level tones that rhyme, so two such endings that often meet in one poem belong
together; the communities of that graph (Blondel et al. 2008, arXiv:0803.0476, by networkx) are the classes. No
dictionary is needed.
"""

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import networkx

import texts
from minqwen.data.prosody import LEVEL, OBLIQUE

SURE = 0.9  # share of its uses that makes a character level or oblique; between, it is both
SEEN = 5  # a character that is rarer has no tone, a rhyme that is rarer no class
RESOLUTION = 2.0
HELD_OUT = 0.1


class Verses(NamedTuple):
    """A regular poem: halves of couplets of equal length, and the tones of their characters."""

    lines: list[str]
    tones: list[str]


def read(package: Path, to_simplified: Callable[[str], str]) -> Iterator[Verses]:
    """The poems of Tang and Song whose lines have five or seven characters each, with their tones."""
    for path in sorted((package / "dist" / "quantangshi").glob("poet.*.json")):
        tones_of = package / "dist" / "strains" / "json" / path.name
        if not tones_of.exists():
            continue
        tones = {record["id"]: record["strains"] for record in json.loads(tones_of.read_text(encoding="utf-8"))}
        for record in texts.read_records(path, to_simplified):
            verses = Verses(_lines(record["paragraphs"]), _lines(tones.get(record["id"], ())))
            lengths = [len(line) for line in verses.lines]
            if lengths == [len(line) for line in verses.tones] and len(lengths) >= 4 and set(lengths) in ({5}, {7}):
                yield verses


def _lines(paragraphs: Sequence[str]) -> list[str]:
    return [line for paragraph in paragraphs for line in re.split(r"[，。！？；、：]", paragraph.strip()) if line]


def tones(poems: Sequence[Verses]) -> dict[str, str]:
    """平, 仄 or both for every character that is seen often enough."""
    uses: dict[str, Counter] = defaultdict(Counter)
    for poem in poems:
        for line, marks in zip(poem.lines, poem.tones):
            for character, mark in zip(line, marks):
                if "\u4e00" <= character <= "\u9fff":  # not the □ of a gap
                    uses[character][mark] += 1
    found = {}
    for character, counts in sorted(uses.items()):
        total = counts[LEVEL] + counts[OBLIQUE]
        if total >= SEEN:
            sure = [mark for mark in (LEVEL, OBLIQUE) if counts[mark] / total >= SURE]
            found[character] = sure[0] if sure else LEVEL + OBLIQUE
    return found


def endings(poem: Verses, tone: dict[str, str]) -> list[str]:
    """The last characters of lines 2, 4, …, if all may be of level tone."""
    last = [line[-1] for line in poem.lines[1::2]]
    return last if all(LEVEL in tone.get(character, "") for character in last) else []


def classes(poems: Sequence[Verses], tone: dict[str, str], seed: int = 0) -> list[list[str]]:
    """Communities of characters that rhyme, the largest first."""
    graph, weights = networkx.Graph(), Counter()
    for poem in poems:
        weights.update(tuple(sorted(pair)) for pair in combinations(set(endings(poem, tone)), 2))
    graph.add_weighted_edges_from((a, b, weight) for (a, b), weight in sorted(weights.items()))
    often = [node for node, degree in graph.degree(weight="weight") if degree >= SEEN]
    found = networkx.community.louvain_communities(graph.subgraph(sorted(often)), resolution=RESOLUTION, seed=seed)
    return sorted((sorted(each) for each in found), key=lambda each: (-len(each), each))


def agreement(poems: Sequence[Verses], tone: dict[str, str], found: list[list[str]], seed: int = 0) -> dict[str, float]:
    """How often two rhymes of one poem are of one class; and two rhymes of different poems, by chance."""
    class_of = {character: number for number, members in enumerate(found) for character in members}
    rhymes = [known for poem in poems if len(known := [c for c in endings(poem, tone) if c in class_of]) > 1]
    pairs = [pair for known in rhymes for pair in combinations(known, 2)]
    ends = [character for known in rhymes for character in known]
    other = random.Random(seed).sample(ends, len(ends))
    same = [class_of[a] == class_of[b] for a, b in pairs]
    by_chance = [class_of[a] == class_of[b] for a, b in zip(ends, other)]
    return {"in one poem": sum(same) / len(same), "by chance": sum(by_chance) / len(by_chance)}


def build(package: Path, to_simplified: Callable[[str], str]) -> dict[str, Any]:
    """Tones and classes, learned from nine tenths of the poems; the agreement is measured on the last."""
    poems = list(read(package, to_simplified))
    random.Random(0).shuffle(poems)
    held_out, train = poems[: int(len(poems) * HELD_OUT)], poems[int(len(poems) * HELD_OUT) :]
    tone = tones(train)
    found = classes(train, tone)
    by_tone = {
        mark: "".join(c for c, each in tone.items() if each == mark) for mark in (LEVEL, OBLIQUE, LEVEL + OBLIQUE)
    }
    return {
        "poems": {"learned from": len(train), "held out": len(held_out)},
        "tones": by_tone,
        "rhymes": ["".join(each) for each in found if len(each) > 1],
        "agreement": {name: round(share, 4) for name, share in agreement(held_out, tone, found).items()},
    }

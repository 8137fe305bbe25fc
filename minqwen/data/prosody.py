"""Tones and rhymes of Chinese characters, as the poets of Tang and Song used them (see minqwen/assets/README.md)."""

import json
from importlib import resources
from typing import NamedTuple

LEVEL, OBLIQUE = "平", "仄"


class Prosody(NamedTuple):
    """tone[character] is 平, 仄, or 平仄 for one that is read in both; rhyme[character] the number of its class."""

    tone: dict[str, str]
    rhyme: dict[str, int]


def load() -> Prosody:
    """The shipped table; a character that poets seldom use is not in it."""
    table = json.loads(resources.files("minqwen.assets").joinpath("prosody/prosody.json").read_text(encoding="utf-8"))
    return Prosody(
        {character: tone for tone, characters in table["tones"].items() for character in characters},
        {character: number for number, members in enumerate(table["rhymes"]) for character in members},
    )

"""The nouns of the street and what they name; the words, English and Chinese, stand in `data/nouns.toml`.

They are written by hand from the category names and from how people and models describe objects; they are not fitted to
any judge. A noun may fit several categories (a scooter is a moped or a motorcycle): any of them is right. Nouns of a
whole group (`vehicle`) name no category. Nouns of things outside the seven groups (`building`) are known so that an
answer with one is wrong rather than unrecognised.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from embodied.driving.categories import CATEGORIES
from embodied.driving.grounded.text import Phrases, han, key


@dataclass(frozen=True)
class Noun:
    """What a word or phrase names."""

    categories: tuple[str, ...]
    """Categories it fits, the usual one first; empty for a noun of a whole group or of none."""
    groups: tuple[str, ...]
    """Their groups; empty for a thing outside the seven."""
    plural: bool = False


_TABLES = tomllib.loads(files("embodied.driving.grounded").joinpath("data/nouns.toml").read_text(encoding="utf-8"))
_IRREGULAR = {
    "man": "men",
    "woman": "women",
    "child": "children",
    "person": "people",
    "policeman": "policemen",
    "bus": "buses",
    "minibus": "minibuses",
    "sheep": "sheep",
}
_NO_PLURAL = {
    "debris",
    "rubble",
    "luggage",
    "baggage",
    "garbage",
    "trash",
    "rubbish",
    "litter",
    "waste",
    "machinery",
    "equipment",
    "signage",
    "fencing",
}


def _plural(words: tuple[str, ...]) -> tuple[str, ...] | None:
    """The plural of an English phrase: of its last word, or of its first word if the phrase continues after it
    (`person riding a bike`).
    """
    at = 0 if words[0] in _IRREGULAR and len(words) > 2 else len(words) - 1
    if "of" in words:
        at = words.index("of") - 1
    word = words[at]
    if word in _NO_PLURAL:
        return None
    if word in _IRREGULAR:
        many = _IRREGULAR[word]
    elif word.endswith(("s", "x", "ch", "sh")):
        many = word + "es"
    elif word.endswith("y") and word[-2] not in "aeiou":
        many = word[:-1] + "ies"
    else:
        many = word + "s"
    return (*words[:at], many, *words[at + 1 :])


def _entries() -> Iterator[tuple[str, Noun]]:
    """Phrases and what they name; a later one of the same words counts."""
    for phrase in _TABLES["outside"]:
        yield phrase, Noun((), ())
    for table in ("english_group", "chinese_group"):
        for group, phrases in _TABLES[table].items():
            for phrase in phrases:
                yield phrase, Noun((), (group,))
    for table in ("english", "chinese"):
        for names, phrases in _TABLES[table].items():
            categories = tuple(names.split(", "))
            for phrase in phrases:
                yield phrase, Noun(categories, tuple(dict.fromkeys(CATEGORIES[c] for c in categories)))


def _build() -> dict[tuple[str, ...], Noun]:
    nouns: dict[tuple[str, ...], Noun] = {}
    for phrase, noun in _entries():
        words = key(phrase)
        nouns[words] = noun
        many = None if han(words[0]) else _plural(words)
        if many is not None:
            nouns[many] = Noun(noun.categories, noun.groups, plural=True)
    return nouns


NOUNS: Phrases[Noun] = Phrases(_build())

"""The attributes that a text gives an object: side, colour, state. The words, English and Chinese, stand in
`data/attributes.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from itertools import pairwise

from embodied.driving.grounded.text import Phrases, key

_TABLES = tomllib.loads(files("embodied.driving.grounded").joinpath("data/attributes.toml").read_text(encoding="utf-8"))
_NOTHING = "nothing"
"""Name of phrases that only look like a word of their table: `right of way`, 红绿灯."""


def _phrases(table: str) -> Phrases[str]:
    named = {key(name): name for name in _TABLES[table] if name != _NOTHING}
    return Phrases(named | {key(phrase): name for name, phrases in _TABLES[table].items() for phrase in phrases})


SIDES, COLOURS, STATES = _phrases("sides"), _phrases("colours"), _phrases("states")


def _named(phrases: Phrases[str], words: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for _, _, name in phrases.all(words) if name != _NOTHING))


def side_of(words: Sequence[str]) -> str:
    """left, right, both or ahead; empty when the text names none.

    The first part between commas that says a side counts; within it, and in `ahead, on the left`, left and right go
    before ahead.
    """
    found = ""
    for part in _parts(words):
        said = _named(SIDES, part)
        if said and (not found or part[0] in ("on", "to", "in", "at", "slightly")):
            found = next((s for s in said if s != "ahead"), said[0])
        if found not in ("", "ahead"):
            break
    return found


def _parts(words: Sequence[str]) -> list[Sequence[str]]:
    """Words cut at commas, without empty parts."""
    cuts = [-1, *(i for i, w in enumerate(words) if w == ","), len(words)]
    return [words[a + 1 : b] for a, b in pairwise(cuts) if b > a + 1]


def colours_of(words: Sequence[str]) -> tuple[str, ...]:
    """Basic colours named, in order of mention, without repeats."""
    return _named(COLOURS, words)


def states_of(words: Sequence[str]) -> tuple[str, ...]:
    """States named, in order of mention, without repeats."""
    return _named(STATES, words)

"""What each NetHack glyph is called in the language observation, and its plural.

The wording is that of nle-language-wrapper (Goodger et al., 2023), whose texts BALROG shows, oddities included
("alter", "leechs"): it is an observation format. Monsters and objects come from the installed simulator.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from nle import nethack

_MAP_SYMBOLS = (
    *(
        "dark area",
        "vertical wall",
        "horizontal wall",
        "northwest room corner",
        "northeast room corner",
        "southwest corner",
    ),
    *(
        "southeast corner",
        "cross wall",
        "t up wall",
        "t down wall",
        "t west wall",
        "t east wall",
        "doorway",
        "vertical open door",
    ),
    *(
        "horizontal open door",
        "vertical closed door",
        "horizontal closed door",
        "bars",
        "tree",
        "room floor",
        "dark room floor",
    ),
    *(
        "corridor floor",
        "lit corridor floor",
        "stairs up",
        "stairs down",
        "ladder up",
        "ladder down",
        "alter",
        "grave",
        "throne",
    ),
    *("sink", "fountain", "pool", "ice", "lava", "vertical lowered drawbridge", "horizontal lowered drawbridge"),
    *(
        "vertical raised drawbridge",
        "horizontal raised drawbridge",
        "air floor",
        "cloud floor",
        "water floor",
        "arrow trap",
    ),
    *(
        "dart trap",
        "falling rock trap",
        "squeaky board",
        "bear trap",
        "land mine",
        "rolling boulder trap",
        "sleeping gas trap",
    ),
    *(
        "rust trap",
        "fire trap",
        "pit",
        "spiked pit",
        "hole",
        "trap door",
        "teleportation trap",
        "level teleporter",
        "magic portal",
    ),
    *("web", "statue trap", "magic trap", "anti magic trap", "polymorph trap", "vibrating square", "vertical beam"),
    *(
        "horizontal beam",
        "left slant beam",
        "right slant beam",
        "dig beam",
        "flash beam",
        "boom left",
        "boom right",
        "shield 1",
    ),
    *("shield 2", "shield 3", "shield 4", "poison cloud", "valid position", "swallow top left", "swallow top center"),
    *(
        "swallow top right",
        "swallow middle left",
        "swallow middle right",
        "swallow bottom left",
        "swallow bottom center",
    ),
    "swallow bottom right",
)
"""In the order of NetHack's `defsyms` (src/drawing.c), from `GLYPH_CMAP_OFF` on."""

_FLOOR = {"room floor", "dark room floor", "corridor floor", "lit corridor floor"}
"""Never mentioned."""

_LANDMARKS = {
    *(
        "horizontal closed door",
        "vertical closed door",
        "bars",
        "tree",
        "stairs up",
        "stairs down",
        "ladder up",
        "ladder down",
    ),
    *(
        "alter",
        "grave",
        "throne",
        "sink",
        "fountain",
        "pool",
        "ice",
        "lava",
        "vertical raised drawbridge",
        "horizontal raised drawbridge",
    ),
}
"""Map symbols that are mentioned wherever they are; the others only where a ray from the hero meets them."""

_OPAQUE = {
    *(
        "dark area",
        "vertical wall",
        "horizontal wall",
        "northwest room corner",
        "northeast room corner",
        "southwest corner",
    ),
    *(
        "southeast corner",
        "cross wall",
        "t up wall",
        "t down wall",
        "t west wall",
        "t east wall",
        "horizontal closed door",
    ),
    *("vertical closed door", "horizontal raised drawbridge", "vertical raised drawbridge"),
}
"""Map symbols that end a ray."""

_EXPLOSIONS = tuple(
    f"explosion {part}"
    for part in ("top left", "top center", "top right", "middle left", "middle center", "middle right")
)
_EXPLOSIONS += tuple(f"explosion bottom {part}" for part in ("left", "center", "right"))
_BEAMS = ("horizontal zap beam", "vertical zap beam", "left slant zap beam", "right slant zap beam")
_SWALLOWED = _MAP_SYMBOLS[-8:]
_WARNINGS = tuple(
    f"unknown creature causing you {feeling}"
    for feeling in ("worry", "concern", "anxiety", "disquiet", "alarm", "dread")
)

_MASS_NOUNS = ("boots", "shoes", "scales", "lenses", "bars")
_IRREGULAR = {
    "can of grease": "cans of grease",
    "Master of Thieves": "Masters of Thieves",
    "ice": "area of ice",
    "lava": "area of lava",
}
_HEAD_FIRST = ("boom", "shield", "swallow", "scroll", "worthless piece", "unknown creature")


@dataclass(frozen=True)
class Names:
    """Lookup tables. A name is a number; 0 means that there is no name."""

    words: tuple[str, ...]
    """Name -> singular; `words[0]` is empty."""
    plurals: tuple[str, ...]
    anywhere: np.ndarray
    """Glyph -> name of what is mentioned wherever it is, (MAX_GLYPH + 1,) int16."""
    by_ray: np.ndarray
    """Glyph -> name of what is mentioned where a ray meets it, (MAX_GLYPH + 1,) int16."""
    opaque: np.ndarray
    """Name -> whether it ends a ray, (n,) bool."""


@functools.cache
def names() -> Names:
    """The tables for the installed simulator; made once, 20 ms."""
    anywhere, by_ray = _glyph_names()
    words = ("", *sorted({*anywhere, *by_ray} - {""}))
    number = {word: i for i, word in enumerate(words)}
    return Names(
        words=words,
        plurals=tuple(plural(word) if word else "" for word in words),
        anywhere=np.array([number[w] for w in anywhere], np.int16),
        by_ray=np.array([number[w] for w in by_ray], np.int16),
        opaque=np.array([w in _OPAQUE for w in words]),
    )


def plural(noun: str) -> str:
    """The plural of a glyph's name, by the wrapper's own rules."""
    if noun.endswith(_MASS_NOUNS):
        return noun
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    for head in _HEAD_FIRST:
        if noun.startswith(f"{head} "):
            return f"{head}s{noun[len(head) :]}"
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return noun[:-1] + "ies"
    if noun.endswith(("z", "x", "s", "sh")):
        return noun + "es"
    if noun.endswith("ff"):
        return noun[:-2] + "ves"
    if noun.endswith("f"):
        return noun[:-1] + "ves"
    return noun + "s"


def _glyph_names() -> tuple[list[str], list[str]]:
    """Names by glyph, for `Names.anywhere` and `Names.by_ray`; one more for NO_GLYPH, a place that was never drawn."""
    n = nethack
    monsters = [n.permonst(i).mname for i in range(n.NUMMONS)]
    symbols = _MAP_SYMBOLS[: n.GLYPH_EXPLODE_OFF - n.GLYPH_CMAP_OFF]
    anywhere = [
        *monsters,  # GLYPH_MON_OFF
        *(f"tame {m}" for m in monsters),  # GLYPH_PET_OFF
        "invisible creature",  # GLYPH_INVIS_OFF
        *(f"detected {m}" for m in monsters),  # GLYPH_DETECT_OFF
        *(f"{m} corpse" for m in monsters),  # GLYPH_BODY_OFF
        *(f"ridden {m}" for m in monsters),  # GLYPH_RIDDEN_OFF
        *(_object_name(i) for i in range(n.NUM_OBJECTS)),  # GLYPH_OBJ_OFF
        *(s if s in _LANDMARKS else "" for s in symbols),  # GLYPH_CMAP_OFF
        *(_EXPLOSIONS[i % 9] for i in range(n.GLYPH_ZAP_OFF - n.GLYPH_EXPLODE_OFF)),
        *(_BEAMS[i % 4] for i in range(n.GLYPH_SWALLOW_OFF - n.GLYPH_ZAP_OFF)),
        *(_SWALLOWED[i % 8] for i in range(n.GLYPH_WARNING_OFF - n.GLYPH_SWALLOW_OFF)),
        *_WARNINGS,  # GLYPH_WARNING_OFF
        *(f"{m} statue" for m in monsters),  # GLYPH_STATUE_OFF
        "",
    ]
    by_ray = [""] * len(anywhere)
    for i, symbol in enumerate(symbols):
        if symbol not in _LANDMARKS and symbol not in _FLOOR:
            by_ray[n.GLYPH_CMAP_OFF + i] = symbol
    return anywhere, by_ray


def _object_name(index: int) -> str:
    """What an object looks like to a hero who has not identified it."""
    description = nethack.objdescr.from_idx(index)
    name, look = description.oc_name or "", description.oc_descr or ""
    match ord(nethack.objclass(index).oc_class):
        case nethack.ARMOR_CLASS | nethack.TOOL_CLASS:
            return look or name
        case nethack.RING_CLASS:
            return f"{look} ring"
        case nethack.AMULET_CLASS:
            return look if "Amulet" in look else f"{look} amulet"
        case nethack.FOOD_CLASS:
            return name + look
        case nethack.POTION_CLASS:
            return f"{look} potion"
        case nethack.SCROLL_CLASS:
            return f"scroll labeled {look}"
        case nethack.SPBOOK_CLASS:
            return f"{look} spellbook"
        case nethack.WAND_CLASS:
            return f"{look} wand"
        case nethack.GEM_CLASS:
            return name if look in name else f"{look} {name}"
        case nethack.VENOM_CLASS:
            return f"splash of {name}"
        case _:
            return name

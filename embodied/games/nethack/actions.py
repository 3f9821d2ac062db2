"""NetHack's vocabulary: phrases, the keys they press, and what they are good for.

The names are nle-language-wrapper's, as BALROG's agents know them. `COMMANDS` is in BALROG's order; MiniHack takes its
subset from it.
"""

from __future__ import annotations

import string
from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """What a phrase does."""

    keys: bytes
    """Pressed one after the other."""
    gloss: str


def _meta(letter: str) -> bytes:
    return bytes([128 | ord(letter)])


def _control(letter: str) -> bytes:
    return bytes([31 & ord(letter)])


_COMPASS = {
    "north": "k",
    "east": "l",
    "south": "j",
    "west": "h",
    "northeast": "u",
    "southeast": "n",
    "southwest": "b",
    "northwest": "y",
}

COMMANDS: dict[str, Action] = {
    **{name: Action(key.encode(), f"go {name}, or attack what is there") for name, key in _COMPASS.items()},
    **{
        f"far {name}": Action(key.upper().encode(), f"keep going {name} until something turns up")
        for name, key in _COMPASS.items()
    },
    "up": Action(b"<", "climb the stairs you stand on"),
    "down": Action(b">", "descend the stairs you stand on"),
    "wait": Action(b".", "let a turn pass; confirms a position you were asked for"),
    "more": Action(b"\r", "next page, where a message ends with --More--"),
    "adjust": Action(_meta("a"), "give an item another letter"),
    "apply": Action(b"a", "use a tool"),
    "attributes": Action(_control("x"), "show your attributes"),
    "call": Action(b"C", "name a monster, an item or a kind of item"),
    "cast": Action(b"Z", "cast a spell"),
    "chat": Action(_meta("c"), "talk to someone"),
    "close": Action(b"c", "close a door next to you"),
    "dip": Action(_meta("d"), "dip an item into something"),
    "drop": Action(b"d", "drop an item"),
    "droptype": Action(b"D", "drop several items, by kind"),
    "eat": Action(b"e", "eat something"),
    "esc": Action(b"\x1b", "leave a menu or a question"),
    "engrave": Action(b"E", "write on the floor (Elbereth scares many monsters)"),
    "enhance": Action(_meta("e"), "see and advance your skills"),
    "fire": Action(b"f", "shoot what is in your quiver"),
    "fight": Action(b"F", "attack in a direction, even if nothing is seen there"),
    "force": Action(_meta("f"), "force a lock with your weapon"),
    "inventory": Action(b"i", "list what you carry"),
    "inventtype": Action(b"I", "list one kind of what you carry"),
    "invoke": Action(_meta("i"), "use an item's special power"),
    "jump": Action(_meta("j"), "jump to a position"),
    "kick": Action(_control("d"), "kick a door, a box or a monster"),
    "look": Action(b":", "look at what lies here"),
    "loot": Action(_meta("l"), "open a box that lies here"),
    "monster": Action(_meta("m"), "use the special ability of your present form"),
    "move": Action(b"m", "then a direction: move without fighting or picking up"),
    "movefar": Action(b"M", "then a direction: run without fighting or picking up"),
    "offer": Action(_meta("o"), "sacrifice on an altar"),
    "open": Action(b"o", "open a door next to you"),
    "pay": Action(b"p", "pay the shopkeeper"),
    "pickup": Action(b",", "pick up what lies here"),
    "pray": Action(_meta("p"), "pray to your god: helps when in great trouble, not too often"),
    "puton": Action(b"P", "put on a ring, an amulet or a blindfold"),
    "quaff": Action(b"q", "drink a potion, or from a fountain"),
    "quiver": Action(b"Q", "choose what to shoot"),
    "read": Action(b"r", "read a scroll or a spellbook"),
    "remove": Action(b"R", "take off a ring, an amulet or a blindfold"),
    "ride": Action(_meta("R"), "mount or leave a steed"),
    "rub": Action(_meta("r"), "rub a lamp or a stone"),
    "rush": Action(b"g", "then a direction: run until something interesting"),
    "rush2": Action(b"G", "then a direction: run, and pass branching corridors"),
    "search": Action(b"s", "search the places around you for hidden doors and traps"),
    "seeamulet": Action(b'"', "show the amulet you wear"),
    "seearmor": Action(b"[", "show the armor you wear"),
    "seegold": Action(b"$", "count your gold"),
    "seerings": Action(b"=", "show the rings you wear"),
    "seespells": Action(b"+", "list the spells you know"),
    "seetools": Action(b"(", "show the tools in use"),
    "seetrap": Action(b"^", "tell what the trap next to you is"),
    "seeweapon": Action(b")", "show the weapon you wield"),
    "shell": Action(b"!", "does nothing here"),
    "sit": Action(_meta("s"), "sit down"),
    "swap": Action(b"x", "exchange your two readied weapons"),
    "takeoff": Action(b"T", "take off a piece of armor"),
    "takeoffall": Action(b"A", "take off several things"),
    "throw": Action(b"t", "throw something"),
    "tip": Action(_meta("T"), "empty a container"),
    "turnundead": Action(_meta("t"), "turn undead away"),
    "twoweapon": Action(b"X", "fight with two weapons, or stop it"),
    "untrap": Action(_meta("u"), "disarm a trap"),
    "versionshort": Action(b"v", "show the game's version"),
    "wear": Action(b"W", "put on a piece of armor"),
    "wield": Action(b"w", "take a weapon in hand"),
    "wipe": Action(_meta("w"), "wipe your face"),
    "zap": Action(b"z", "use a wand"),
    "space": Action(b" ", "next page of a menu or a text"),
}
"""BALROG's named actions: phrase -> key and gloss."""

PROMISED: dict[str, Action] = {
    "annotate": Action(_meta("A"), "note something about this level"),
    "overview": Action(_control("o"), "list what you found in the dungeon"),
    "teleport": Action(_control("t"), "teleport, if you have the ability"),
    "travel": Action(b"_", "walk to a place: then up, down or a direction moves the cursor, wait confirms"),
    "minus": Action(b"-", "the key -: nothing, bare hands or fingers where an item is asked for"),
    "apos": Action(b"'", "the key '"),
}
"""What BALROG's prompt offers and its environment rejects; here they work."""

SYMBOLS: dict[str, Action] = {
    "-": Action(b"-", "the same as minus"),
    "?": Action(b"?", "where an item is asked for: list those that make sense"),
    "*": Action(b"*", "where an item is asked for: list everything you carry"),
}
"""Answers that NetHack's own questions offer, such as [- abc or ?*]."""

LETTERS: dict[str, Action] = {c: Action(c.encode(), f"the key {c}: an item or a choice") for c in string.ascii_letters}
DIGITS: dict[str, Action] = {c: Action(c.encode(), f"the key {c}: a count or a choice") for c in string.digits}

_PAIRS: dict[str, Action] = {
    f"{i:02d}": Action(f"{i:02d}".encode(), f"the keys {i:02d}, one after the other") for i in range(100)
}


def vocabulary(rules: str) -> dict[str, Action]:
    """The accepted phrases, exactly.

    Args:
        rules: `"embodied"`: everything that the vocabulary names works. `"balrog"`: BALROG's 248 strings, without those
            that its prompt offers and its environment rejects, and with its two-digit strings. On such a string BALROG
            crashes and loses the episode; here it presses two keys.
    """
    if rules == "balrog":
        return {**COMMANDS, **LETTERS, **DIGITS, **_PAIRS}
    return {**COMMANDS, **PROMISED, **SYMBOLS, **LETTERS, **DIGITS}

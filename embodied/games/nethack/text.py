"""NetHack's screen in words: the sections of BALROG's observation, out of the buffers of `raw.NetHack`.

Every function reads arrays and returns a string; `Describer` keeps what has not changed since the last look. The
wording is that of BALROG and of nle-language-wrapper below it, an observation format.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
from nle import nethack

from embodied.arrays import Bools, Ints
from embodied.games.nethack.names import names
from embodied.games.nethack.raw import NetHack

ROWS, COLUMNS = nethack.DUNGEON_SHAPE
"""Of the map: 21, 79."""

DISTANCES = ("very far", "far", "near", "very near", "adjacent")
"""In the order in which things are listed."""
DIRECTIONS = (
    *("north", "northnortheast", "northeast", "eastnortheast", "east", "eastsoutheast", "southeast", "southsoutheast"),
    *("south", "southsouthwest", "southwest", "westsouthwest", "west", "westnorthwest", "northwest", "northnorthwest"),
)
"""Clockwise: the order in which things at one distance are listed."""

MORE = "--More--"
# row and column steps: east, southeast, ...
_RAYS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
_REACH = 9
_BLANK = " \x1a"

_HUNGER = ("Satiated", "Not Hungry", "Hungry", "Weak", "Fainting", "Fainted", "Starved")
_LOAD = ("Unencumbered", "Burdened", "Stressed", "Strained", "Overtaxed", "Overloaded")
_ALIGNMENT = {-128: "None", -1: "Chaotic", 0: "Neutral", 1: "Lawful"}
_CONDITIONS = (
    *(
        ("FLY", "Flying"),
        ("LEV", "Levitating"),
        ("HALLU", "Hallucinating"),
        ("CONF", "Confused"),
        ("STUN", "Stunned"),
        ("DEAF", "Deaf"),
    ),
    *(
        ("BLIND", "Blind"),
        ("TERMILL", "Terminally Ill"),
        ("FOODPOIS", "Food Poisoning"),
        ("STRNGL", "Strangled"),
        ("SLIME", "Slimed"),
    ),
    *(("RIDE", "Riding"), ("STONE", "Stoned")),
)
"""In the order in which the original's hash table yields them (libstdc++)."""


class Describer:
    """The sections of one game's observation.

    Args:
        game: Its buffers are read at each call.
        original: Show texts that begin with a blank row (the top ten list) as the original does, see `message`.
    """

    def __init__(self, game: NetHack, *, original: bool = False):
        self._game = game
        self._original = original
        self._seen: tuple[bytes, int, int] = (b"", -1, -1)
        self._language = ""
        self._carried: tuple[bytes, bytes] = (b"", b"")
        self._inventory = ""
        self._map_rows = np.full((23, 81), ord("\n"), np.uint8)

    def message(self) -> str:
        """The message line, or the whole menu or text that covers the map."""
        return message(self._game.tty_chars, original=self._original)

    def language(self) -> str:
        """What is around the hero: `<what> <how far> <where>`, a line each, from far to near."""
        g = self._game
        seen = (g.glyphs.tobytes(), int(g.blstats[0]), int(g.blstats[1]))
        if seen != self._seen:
            self._seen, self._language = seen, surroundings(g.glyphs, seen[1], seen[2])
        return self._language

    def cursor(self) -> str:
        """What the cursor is on."""
        g = self._game
        return cursor(g.glyphs, int(g.blstats[0]), int(g.blstats[1]), int(g.tty_cursor[0]), int(g.tty_cursor[1]))

    def cursor_position(self) -> str:
        """Where the cursor is on the terminal."""
        return f"(x={self._game.tty_cursor[1]}, y={self._game.tty_cursor[0]})"

    def hero(self) -> str:
        """What the hero is, such as `samurai`."""
        g, n = self._game, names()
        word: str = n.words[n.anywhere[g.glyphs[g.blstats[1], g.blstats[0]]]]
        return word

    def map(self) -> str:
        """The terminal without its message line: 21 rows of map and two status lines, each ending in a newline."""
        self._map_rows[:, :80] = self._game.tty_chars[1:]
        return self._map_rows.tobytes().decode("latin-1")

    def inventory(self) -> str:
        """A line for each thing carried: `<letter>: <what>`."""
        g = self._game
        carried = (g.inv_letters.tobytes(), g.inv_strs.tobytes())
        if carried != self._carried:
            self._carried, self._inventory = carried, inventory(g.inv_letters, g.inv_strs)
        return self._inventory

    def statistics(self) -> str:
        """The hero's attributes, a line each."""
        return statistics(self._game.blstats)


def sections(*parts: tuple[str, str]) -> str:
    """Puts named sections below each other, an empty line between two."""
    return "\n".join(f"{name}:\n{text}\n" for name, text in parts)


# --------------------------------------------------------------------------- message


def message(tty_chars: npt.NDArray[np.uint8], *, original: bool = False) -> str:
    """The message on a terminal, (24, 80) uint8.

    That is the trimmed first row. Where a row ends a page (`--More--`, `(end)`, `(1 of 2)`), it is every row down to
    there, cut at the first row's indent; of the screens after death, everything down to two blank rows.

    Args:
        tty_chars: The terminal.
        original: The original takes the indent of a blank first row for -1: a zero byte comes first, and each row also
            has the last character of the row above.
    """
    screen = tty_chars.tobytes()
    columns = tty_chars.shape[1]
    first, second = _trim(screen[:columns].decode("latin-1")), screen[columns : 2 * columns]
    if not first and not _trim(second.decode("latin-1")):
        return ""
    dead = b"Points" in second or b"list!" in second
    if not dead and b"--More--" not in screen and b"(end)" not in screen and b" of " not in screen:
        return first
    indent, width = columns - len(screen[:columns].lstrip(b" ")), columns
    if indent == columns:  # a blank first row
        indent = 0
        if original:
            screen, width = b"\0" + screen, columns + 1
    lines: list[str] = []
    blanks = 0
    for start in range(indent, tty_chars.size, columns):
        row = _trim(screen[start : start + width - indent].decode("latin-1"))
        blanks = 0 if row else blanks + 1
        if row:
            lines.append(row)
        if MORE in row or "(end)" in row or _is_page_of_several(row):
            return "\n".join(lines)
        if dead and blanks > 1:
            return "".join(f"{line}\n" for line in lines)
    return first


def _is_page_of_several(row: str) -> bool:
    """Whether `row` ends a page such as (1 of 2). Like the original, this looks at the first " of " only and knows no
    two digits.
    """
    at = row.find(" of ")
    return at >= 2 and row[at - 2] == "(" and row[at + 5 : at + 6] == ")"


def _trim(row: str) -> str:
    """Cuts blanks at both ends. A row with only its last character counts as blank (as in the original)."""
    start = len(row) - len(row.lstrip(_BLANK))
    return "" if start == len(row) - 1 else row.strip(_BLANK)


# --------------------------------------------------------------------------- language observation


def surroundings(glyphs: npt.NDArray[np.int16], x: int, y: int) -> str:
    """The language observation of a map, (21, 79) int16, with the hero at column x and row y."""
    n = names()
    flat = glyphs.reshape(-1)
    ranks, ray_cells, outside = _view(x, y)

    named = n.anywhere.take(flat)
    named[y * COLUMNS + x] = 0  # the hero
    cells = named.nonzero()[0]

    met = n.by_ray.take(flat.take(ray_cells))
    met[outside] = 0
    stops = n.opaque.take(met)
    seen = (met > 0) & (stops.cumsum(axis=1) == stops)  # up to the first stop; what lies behind has passed one already

    what = np.concatenate((named[cells], met[seen]))
    where = ranks.take(np.concatenate((cells, ray_cells[seen])))
    order = where.argsort(kind="stable")
    return _list_things(what[order].tolist(), where[order].tolist())


def cursor(glyphs: npt.NDArray[np.int16], x: int, y: int, row: int, column: int) -> str:
    """What the cursor, at `row` and `column` of the terminal, is on, seen from the hero at (x, y);
    empty off the map.
    """
    row -= 1  # the message line
    cell = row * COLUMNS + column
    if not 0 < cell < glyphs.size:
        return ""
    n = names()
    thing = n.words[n.anywhere[glyphs.reshape(-1)[cell]]]
    if row == y and column == x:
        return f"Yourself a {thing}"
    rank = _rank(row - y, column - x)
    return f"{DISTANCES[rank // 16]} {DIRECTIONS[rank % 16]} {thing}"


def _list_things(what: list[int], where: list[int]) -> str:
    """Merges things of one name at one distance into a line; directions in which there are several go on a line of
    their own.
    """
    n = names()
    groups: dict[tuple[int, int], list[int]] = {}
    for name, rank in zip(what, where, strict=True):
        groups.setdefault((name, rank >> 4), []).append(rank & 15)
    order: list[tuple[str, int]] = []
    # A plural can be the same word as a singular ("bars"): then the later line's directions show in both, as in the
    # original.
    directions: dict[tuple[str, int], str] = {}
    for (name, distance), found in groups.items():
        once, often = _once_and_often(tuple(found))
        for word, listed in ((n.words[name], once), (n.plurals[name], often)):
            if listed:
                order.append((word, distance))
                directions[word, distance] = listed
    return "\n".join(f"{key[0]} {DISTANCES[key[1]]} {directions[key]}" for key in order)


@functools.lru_cache(maxsize=65536)
def _once_and_often(found: tuple[int, ...]) -> tuple[str, str]:
    """The directions found once and those found several times, as words."""
    once = [DIRECTIONS[d] for d in dict.fromkeys(found) if found.count(d) == 1]
    often = [DIRECTIONS[d] for d in dict.fromkeys(found) if found.count(d) > 1]
    return _join(once), _join(often)


def _join(words: list[str]) -> str:
    if len(words) <= 2:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"


def _rank(down: int, right: int) -> int:
    """Distance and direction of a cell from the hero as one number: 16 * index in DISTANCES + index in DIRECTIONS."""
    far = max(abs(down), abs(right))
    distance = 4 if far == 1 else 3 if far == 2 else 2 if 3 <= far < 6 else 1 if 6 <= far < 20 else 0
    diagonal = min(abs(down), abs(right))
    vertical = "south" if down > 0 else "north"
    horizontal = "east" if right > 0 else "west"
    rest = (vertical if abs(down) > diagonal else "") + (horizontal if abs(right) > diagonal else "")
    direction = rest + (vertical + horizontal if diagonal else "")
    return 16 * distance + (DIRECTIONS.index(direction) if direction else 0)


@functools.cache
def _ranks() -> npt.NDArray[np.uint8]:
    """`_rank` for all offsets, (42, 158) uint8: row `21 + down`, column `79 + right`."""
    return np.array(
        [[_rank(down, right) for right in range(-COLUMNS, COLUMNS)] for down in range(-ROWS, ROWS)], np.uint8
    )


@functools.lru_cache(maxsize=int(ROWS * COLUMNS))
def _view(x: int, y: int) -> tuple[npt.NDArray[np.uint8], Ints, Bools]:
    """The map seen from (x, y): `_rank` of each cell, (1659,) uint8; the cells on the eight rays, (8, 9) int64; which
    of these lie outside, (8, 9) bool.
    """
    ranks = _ranks()[ROWS - y : 2 * ROWS - y, COLUMNS - x : 2 * COLUMNS - x].reshape(-1)
    steps = np.arange(1, _REACH + 1)
    rows = np.array([y + down * steps for down, _ in _RAYS])
    columns = np.array([x + right * steps for _, right in _RAYS])
    outside = (rows < 0) | (rows >= ROWS) | (columns < 0) | (columns >= COLUMNS)
    return ranks, np.where(outside, 0, rows * COLUMNS + columns), outside


# --------------------------------------------------------------------------- inventory and statistics


def inventory(inv_letters: npt.NDArray[np.uint8], inv_strs: npt.NDArray[np.uint8]) -> str:
    """`<letter>: <description>`, a line each. `inv_letters` (55,) uint8 ends with the first zero; `inv_strs` (55, 80)
    uint8.
    """
    letters = inv_letters.tobytes().split(b"\0", 1)[0].decode("latin-1")
    return "\n".join(
        f"{letter}: {inv_strs[i].tobytes().split(bytes(1), 1)[0].decode('latin-1')}" for i, letter in enumerate(letters)
    )


def statistics(blstats: npt.NDArray[np.int64]) -> str:
    """The status numbers, (27,) int64, in words, a line each."""
    s = blstats.tolist()
    conditions = [word for name, word in _CONDITIONS if s[25] & getattr(nethack, f"BL_MASK_{name}")]
    hunger = _HUNGER[s[21]] if 0 <= s[21] < len(_HUNGER) else ""
    load = _LOAD[s[22]] if 0 <= s[22] < len(_LOAD) else ""
    return (
        f"Strength: {s[3]}/{s[2]}\nDexterity: {s[4]}\nConstitution: {s[5]}\nIntelligence: {s[6]}\nWisdom:"
        f" {s[7]}\nCharisma: {s[8]}\nDepth: {s[12]}\nGold: {s[13]}\nHP: {s[10]}/{s[11]}\nEnergy: {s[14]}/{s[15]}\nAC:"
        f" {s[16]}\nXP: {s[18]}/{s[19]}\nTime: {s[20]}\nPosition: {s[0]}|{s[1]}\nHunger: {hunger}\nMonster Level:"
        f" {s[17]}\nEncumbrance: {load}\nDungeon Number: {s[23]}\nLevel Number: {s[24]}\nScore: {s[9]}\nAlignment:"
        f" {_ALIGNMENT.get(s[26], '')}\nCondition: {' '.join(conditions) or 'None'}"
    )

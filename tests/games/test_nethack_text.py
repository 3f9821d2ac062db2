"""NetHack's screen in words: hand-made screens, and what a name and its plural are."""

from __future__ import annotations

import numpy as np
import pytest
from nle import nethack

from embodied.games.nethack import text
from embodied.games.nethack.names import names, plural

FLOOR = nethack.GLYPH_CMAP_OFF + 19
STONE = nethack.GLYPH_CMAP_OFF
HORIZONTAL_WALL = nethack.GLYPH_CMAP_OFF + 2
BARS = nethack.GLYPH_CMAP_OFF + 17
STAIRS_DOWN = nethack.GLYPH_CMAP_OFF + 24
TABLE = names()


def monster(name: str) -> int:
    return next(i for i in range(nethack.NUMMONS) if nethack.permonst(i).mname == name)


def thing(name: str) -> int:
    """The glyph of an object by its real name."""
    return nethack.GLYPH_OBJ_OFF + next(
        i for i in range(nethack.NUM_OBJECTS) if nethack.objdescr.from_idx(i).oc_name == name
    )


def screen(*rows: str) -> np.ndarray:
    """A terminal, (24, 80) uint8, with `rows` at its top."""
    lines = [row.ljust(80) for row in rows] + [" " * 80] * (24 - len(rows))
    return np.frombuffer("".join(lines).encode("latin-1"), np.uint8).reshape(24, 80).copy()


def level(**at: int) -> np.ndarray:
    """A map of floor, (21, 79) int16, with glyphs at places written as `x40y10=glyph`."""
    glyphs = np.full((21, 79), FLOOR, np.int16)
    for place, glyph in at.items():
        x, y = place[1:].split("y")
        glyphs[int(y), int(x)] = glyph
    return glyphs


# --------------------------------------------------------------------------- message


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), ""),
        (("  You see here a dagger.  ",), "You see here a dagger."),
        (("Hello.", " |..@..|"), "Hello."),
        (("The newt bites!--More--", " |..@..|"), "The newt bites!--More--"),
        (
            ("You die...  The end of a long line goes on", "and on.--More--"),
            "You die...  The end of a long line goes on\nand on.--More--",
        ),
        (
            (" " * 40 + "Weapons", "----" + " " * 36 + "a - a dagger", "|..@" + " " * 36 + "(end)"),
            "Weapons\na - a dagger\n(end)",
        ),
        (
            (" " * 20 + "Coins", "", " " * 20 + "$ - 5 gold pieces", " " * 20 + "(1 of 2)"),
            "Coins\n$ - 5 gold pieces\n(1 of 2)",
        ),
        (("Coins", "one of five", "a loaf of bread"), "Coins"),  # " of " alone ends no page
        (
            ("Name", "No  Points     Name", "1   20  Agent", "", "", "not seen"),
            "Name\nNo  Points     Name\n1   20  Agent\n",
        ),
    ],
)
def test_message(rows: tuple[str, ...], expected: str):
    assert text.message(screen(*rows)) == expected


def test_a_text_below_a_blank_row():
    top_ten = screen("", "You made the top ten list!", "", " No  Points     Name" + " " * 59 + "H", "p [max]")
    assert text.message(top_ten).splitlines() == [
        "You made the top ten list!",
        "No  Points     Name" + " " * 59 + "H",
        "p [max]",
    ]
    original = text.message(top_ten, original=True).split("\n")
    assert original[0] == "\0", "the original begins with the byte before the screen"
    assert original[3] == "Hp [max]", "and repeats the last character of the row above"


# --------------------------------------------------------------------------- language observation


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        *(
            ("newt", "newts"),
            ("jelly", "jellies"),
            ("donkey", "donkeys"),
            ("fox", "foxes"),
            ("wish", "wishes"),
            ("leech", "leechs"),
        ),
        *(
            ("staff", "staves"),
            ("dwarf", "dwarves"),
            ("levitation boots", "levitation boots"),
            ("iron shoes", "iron shoes"),
        ),
        *(
            ("gray dragon scales", "gray dragon scales"),
            ("lenses", "lenses"),
            ("bars", "bars"),
            ("lava", "area of lava"),
        ),
        *(
            ("scroll labeled FOO", "scrolls labeled FOO"),
            ("worthless piece of red glass", "worthless pieces of red glass"),
        ),
        *(("can of grease", "cans of grease"), ("Master of Thieves", "Masters of Thieves"), ("fungus", "funguses")),
    ],
)
def test_plural(noun: str, expected: str):
    assert plural(noun) == expected


@pytest.mark.parametrize(
    ("glyph", "expected"),
    [
        (monster("newt"), "newt"),
        (nethack.GLYPH_PET_OFF + monster("kitten"), "tame kitten"),
        (nethack.GLYPH_INVIS_OFF, "invisible creature"),
        (nethack.GLYPH_DETECT_OFF + monster("newt"), "detected newt"),
        (nethack.GLYPH_BODY_OFF + monster("jackal"), "jackal corpse"),
        (nethack.GLYPH_RIDDEN_OFF + monster("pony"), "ridden pony"),
        (nethack.GLYPH_STATUE_OFF + monster("newt"), "newt statue"),
        (nethack.GLYPH_WARNING_OFF + 4, "unknown creature causing you alarm"),
        (thing("orcish dagger"), "orcish dagger"),
        (thing("magic marker"), "magic marker"),
        (thing("dilithium crystal"), "white dilithium crystal"),
        (thing("amulet of life saving"), "spherical amulet"),
        (STAIRS_DOWN, "stairs down"),
        (FLOOR, ""),
        (nethack.MAX_GLYPH, ""),
    ],
)
def test_names_of_glyphs(glyph: int, expected: str):
    assert TABLE.words[TABLE.anywhere[glyph]] == expected


def test_things_from_far_to_near_and_clockwise():
    glyphs = level(
        x40y10=monster("samurai"),
        x41y9=monster("newt"),
        x40y8=STAIRS_DOWN,
        x37y13=monster("jackal"),
        x70y10=monster("gnome"),
        x40y3=monster("sewer rat"),
    )
    assert text.surroundings(glyphs, 40, 10).split("\n") == [
        "gnome very far east",
        "sewer rat far north",
        "jackal near southwest",
        "stairs down very near north",
        "newt adjacent northeast",
    ]


def test_things_of_one_name_are_merged_and_several_in_one_direction_get_a_line():
    newt = monster("newt")
    glyphs = level(x43y10=newt, x44y10=newt, x40y6=newt, x40y13=newt, x36y10=newt, x39y9=newt, x41y11=newt)
    assert text.surroundings(glyphs, 40, 10).split("\n") == [
        "newt near north, south, and west",
        "newts near east",
        "newt adjacent southeast and northwest",
    ]


def test_a_plural_that_is_its_singular_takes_the_place_of_both():
    glyphs = level(x43y10=BARS, x44y10=BARS, x40y6=BARS)
    assert text.surroundings(glyphs, 40, 10).split("\n") == ["bars near east", "bars near east"]


def test_a_ray_ends_at_a_wall_and_at_nine_cells():
    glyphs = level(
        x43y10=HORIZONTAL_WALL,
        x44y10=HORIZONTAL_WALL,
        x49y1=HORIZONTAL_WALL,
        x50y0=HORIZONTAL_WALL,
        x40y0=HORIZONTAL_WALL,
    )
    assert text.surroundings(glyphs, 40, 10).split("\n") == [
        "horizontal wall far northeast",
        "horizontal wall near east",
    ]


def test_the_corners_of_the_map():
    glyphs = np.full((21, 79), STONE, np.int16)
    assert text.surroundings(glyphs, 0, 0) == "dark area adjacent east, southeast, and south"
    assert text.surroundings(glyphs, 78, 20) == "dark area adjacent north, west, and northwest"


@pytest.mark.parametrize(
    ("row", "column", "expected"),
    [
        (11, 40, "Yourself a samurai"),
        (11, 42, "very near east newt"),
        (9, 39, "very near northnorthwest "),
        (0, 5, ""),  # the message line
        (22, 3, ""),  # the status lines
        (1, 0, ""),
    ],
)
def test_cursor(row: int, column: int, expected: str):
    glyphs = level(x40y10=monster("samurai"), x42y10=monster("newt"))
    assert text.cursor(glyphs, 40, 10, row, column) == expected


# --------------------------------------------------------------------------- inventory and statistics


def test_inventory_ends_with_the_first_empty_letter():
    letters, strings = np.zeros(55, np.uint8), np.zeros((55, 80), np.uint8)
    for i, (letter, what) in enumerate((("a", "a +0 katana (weapon in hand)"), ("$", "5 gold pieces"))):
        letters[i] = ord(letter)
        strings[i, : len(what)] = list(what.encode())
    strings[2, 0] = ord("x")  # left over from a longer inventory
    assert text.inventory(letters, strings) == "a: a +0 katana (weapon in hand)\n$: 5 gold pieces"


def test_statistics():
    blstats = np.arange(27)
    blstats[21], blstats[22], blstats[25], blstats[26] = 2, 1, nethack.BL_MASK_CONF | nethack.BL_MASK_STONE, -1
    lines = text.statistics(blstats).split("\n")
    assert lines[0] == "Strength: 3/2"
    assert lines[8:14] == ["HP: 10/11", "Energy: 14/15", "AC: 16", "XP: 18/19", "Time: 20", "Position: 0|1"]
    assert lines[14:] == [
        *(
            "Hunger: Hungry",
            "Monster Level: 17",
            "Encumbrance: Burdened",
            "Dungeon Number: 23",
            "Level Number: 24",
            "Score: 9",
        ),
        *("Alignment: Chaotic", "Condition: Confused Stoned"),
    ]
    blstats[25] = 0
    assert text.statistics(blstats).endswith("Condition: None")

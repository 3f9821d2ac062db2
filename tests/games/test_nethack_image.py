"""NetHack's picture: against nle's own renderer and its own characters, cell by cell, and with
text that can be read.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from nle import nethack

from embodied.envs import make
from embodied.errors import UsageError
from embodied.games.nethack.image import CELL, Screen, _glyph_characters

KEYS = [ord(c) for c in "hjklyubnHJKLYUBN.s,i:;>"] + [13, 27]


@pytest.fixture(scope="module")
def screens():
    """200 screens of a game played at random, menus and prompts among them, each with its characters and nle's own
    picture.
    """
    names = ("glyphs", "tty_chars", "tty_colors", "tty_cursor", "chars")
    game = nethack.Nethack(observation_keys=names, playername="Agent-val-hum-neu-fem", ttyrec=None)
    game.setup_tiles()
    game.set_initial_seeds(5, 5, False)
    game.reset()
    rng = np.random.default_rng(0)
    theirs = np.zeros((336, 1264, 3), np.uint8)
    found = []
    for key in rng.choice(KEYS, size=200):
        buffers, over = game.step(int(key))
        assert not over
        game.draw_frame(theirs)
        found.append((*(b.copy() for b in buffers), theirs.copy()))
    game.close()
    return found


def test_tiles_are_nles(screens):
    screen = Screen("tiles")
    assert screen.shape == (336, 1264)
    for *buffers, _, theirs in screens:
        assert np.array_equal(screen.draw(*buffers), theirs)


def test_every_glyph_has_the_character_nethack_shows(screens):
    characters = _glyph_characters()
    assert len(characters) == nethack.MAX_GLYPH
    for glyphs, _, _, _, chars, _ in screens:
        np.testing.assert_array_equal(characters[glyphs], chars)


def test_redrawing_what_changed_is_drawing_anew(screens):
    kept = Screen()
    pictures = []
    for *buffers, _, _ in screens:
        picture = kept.draw(*buffers)
        assert picture.shape == (*kept.shape, 3) == (384, 1280, 3) and picture.dtype == np.uint8
        pictures.append(picture)
    for (*buffers, _, _), picture in list(zip(screens, pictures, strict=True))[::40]:
        assert np.array_equal(Screen().draw(*buffers), picture)
    assert len({p.tobytes() for p in pictures}) > 50


def cell(picture: np.ndarray, row: int, column: int) -> np.ndarray:
    return picture[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]


def letter(char: str, color: int = 7) -> np.ndarray:
    """What `char` looks like, by itself in the corner of an empty screen."""
    tty_chars, tty_colors = np.full((24, 80), ord(" "), np.uint8), np.zeros((24, 80), np.int8)
    tty_chars[0, 0], tty_colors[0, 0] = ord(char), color
    return cell(
        Screen().draw(
            np.full((21, 79), nethack.GLYPH_CMAP_OFF, np.int16), tty_chars, tty_colors, np.array([23, 79], np.uint8)
        ),
        0,
        0,
    )


def test_the_font_tells_all_characters_apart():
    letters = {letter(chr(c)).tobytes() for c in range(33, 127)}
    assert len(letters) == 94
    assert letter(" ").max() == 0 and letter("A").max() > 150
    assert letter("A", 7 + 16).mean() > letter("A", 7).mean(), "reverse video"


def show(*actions: str) -> tuple[np.ndarray, object]:
    env = make("nethack", image=True, character="val-hum-neu-fem")
    observation, _ = env.reset(seed=7)
    for action in actions:
        observation, *_ = env.step(action)
    env.close()
    return observation["image"], env.game


def assert_reads(picture: np.ndarray, row: int, column: int, text: str, color: int = 7) -> None:
    for i, char in enumerate(text):
        np.testing.assert_array_equal(
            cell(picture, row, column + i), letter(char, color), err_msg=f"{char} of {text} at {row}, {column + i}"
        )


def test_message_status_map_and_cursor_are_there():
    picture, game = show("far west", "search")
    assert_reads(picture, 22, 0, "Agent the Stripling")
    assert_reads(picture, 23, 0, "Dlvl:1 ")
    row, column = map(int, game.tty_cursor)
    hero = cell(picture, row, column)
    assert (hero[0] == 255).all() and (hero[:, -1] == 255).all(), "the cursor frames the hero"
    picture, game = show("kick")
    assert_reads(picture, 0, 0, "In what direction?")


def test_a_menu_covers_the_map():
    picture, game = show("inventory")
    row = bytes(game.tty_chars[1]).decode()
    assert "a - a +1 long sword" in row
    assert_reads(picture, 1, row.index("a - a"), "a - a +1 long sword (weapon in hand)")
    heading = bytes(game.tty_chars[0]).decode()
    assert_reads(picture, 0, heading.index("Weapons"), "Weapons", color=7 + 16)


def test_the_same_screen_gives_the_same_pixels():
    """All glyphs, all characters in all colors: the digest changes with the tiles, the font or the palette. Look at the
    pictures then.
    """
    screen = Screen()
    digest = hashlib.sha256()
    characters = np.append(_glyph_characters(), ord(" "))
    for first in range(0, nethack.MAX_GLYPH, 21 * 79):
        glyphs = np.minimum(np.arange(first, first + 21 * 79), nethack.MAX_GLYPH).astype(np.int16).reshape(21, 79)
        tty_chars = (np.arange(24 * 80) % 95 + 32).astype(np.uint8).reshape(24, 80)
        tty_chars[1:22, :79] = characters[glyphs]
        tty_colors = (np.arange(24 * 80) // 95 % 32).astype(np.int8).reshape(24, 80)
        digest.update(screen.draw(glyphs, tty_chars, tty_colors, np.array([0, first % 80], np.uint8)).tobytes())
    assert digest.hexdigest() == "2ff40a1f0ec646f9230fb3fdfff3b2e808ebf8f5af7ca58a89d6067a43fd3133"


def test_no_picture_is_drawn_unless_asked_for():
    env = make("nethack")
    observation, _ = env.reset(seed=1)
    assert "image" not in observation and env._screen is None
    env.close()


def test_unknown_styles_are_refused():
    with pytest.raises(UsageError, match="'full' or 'tiles'"):
        Screen("pretty")

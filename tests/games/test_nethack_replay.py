"""On balrog-nle 0.9 (`make test-balrog`): the public NetHack records replay exactly, and every section agrees with the
original's C++ module.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

original = pytest.importorskip(
    "nle.nle_language_obsv", reason="needs balrog-nle: make test-balrog", exc_type=ImportError
)

from nle import nethack  # noqa: E402
from nle.language_wrapper.wrappers.nle_language_wrapper import NLELanguageWrapper  # noqa: E402

from embodied.games.nethack import text  # noqa: E402
from embodied.games.nethack.actions import COMMANDS  # noqa: E402
from embodied.games.nethack.raw import NetHack  # noqa: E402
from tests import balrog_replay  # noqa: E402

THEIRS = original.NLELanguageObsv()


def test_every_record_replays_exactly(balrog_data: Path):
    results = [
        balrog_replay.replay(balrog_replay.load(balrog_data, entry))
        for entry in balrog_replay.manifest(balrog_data, "nethack")
    ]
    assert len(results) == 6
    assert [f"{r}\n{r.difference}" for r in results if not r.exact] == []


def test_the_commands_are_the_originals():
    theirs = {
        names[0]: int(key)
        for key, names in NLELanguageWrapper.all_nle_action_map.items()
        if key in nethack.USEFUL_ACTIONS
    }
    assert {name: action.keys[0] for name, action in COMMANDS.items()} == theirs
    assert list(COMMANDS) == list(theirs)


def test_maps_and_cursors():
    """3,000 maps, from empty to full, of few kinds of things or of all."""
    rng = np.random.default_rng(0)
    for _ in range(3000):
        x, y = int(rng.integers(79)), int(rng.integers(21))
        blstats = np.zeros(27, np.int64)
        blstats[:2] = x, y
        glyphs = np.full((21, 79), nethack.GLYPH_CMAP_OFF + int(rng.choice([0, 19])), np.int16)
        low, high = [(0, nethack.MAX_GLYPH), (nethack.GLYPH_CMAP_OFF, nethack.GLYPH_EXPLODE_OFF)][int(rng.integers(2))]
        kinds = rng.integers(low, high, size=int(rng.choice([3, 30, 6000])))
        covered = rng.random((21, 79)) < rng.choice([0.0, 0.02, 0.1, 0.5, 1.0])
        glyphs[covered] = rng.choice(kinds, size=int(covered.sum()))
        assert text.surroundings(glyphs, x, y) == THEIRS.text_glyphs(glyphs, blstats).decode("latin-1")
        cursor = np.array([rng.integers(24), rng.integers(80)], np.uint8)
        assert text.cursor(glyphs, x, y, *map(int, cursor)) == THEIRS.text_cursor(glyphs, blstats, cursor).decode(
            "latin-1"
        )


def test_statistics():
    rng = np.random.default_rng(0)
    for _ in range(1000):
        blstats = rng.integers(-5, 30, 27)
        blstats[[21, 22, 25, 26]] = rng.integers(7), rng.integers(6), rng.integers(8192), rng.choice([-128, -1, 0, 1])
        assert text.statistics(blstats) == THEIRS.text_blstats(blstats).decode()


def test_messages():
    """4,000 screens with texts, page marks and nonsense strewn over them."""
    rng = np.random.default_rng(0)
    words = [
        "foo",
        "Points",
        "list!",
        "--More--",
        "(end)",
        "(1 of 2)",
        "(2 of 12)",
        "a of b",
        "x",
        "Hello there",
        "  two  ",
        "\x1a",
        "(10 of 12)",
    ]
    for _ in range(4000):
        screen = np.full((24, 80), ord(" "), np.uint8)
        for _ in range(int(rng.integers(12))):
            row, column, word = (
                int(rng.integers(24 if rng.random() < 0.6 else 3)),
                int(rng.choice([0, 0, 1, 20, 40, 75, 79])),
                str(rng.choice(words)),
            )
            screen[row, column : column + len(word)] = list(word.encode())[: 80 - column]
        assert text.message(screen, original=True) == THEIRS.text_message(screen).decode("latin-1")


def test_games():
    """What is said of real games: messages, menus, deaths, inventories."""
    rng = np.random.default_rng(0)
    keys = b"hjklyubnHJKLYUBN>s,i:\r\x1b" + bytes(range(97, 123))
    with NetHack() as game:
        describer = text.Describer(game, original=True)
        for seed in range(10):
            game.start(seed)
            for key in rng.choice(list(keys), size=300):
                if game.press(int(key)):
                    break
                theirs = [
                    THEIRS.text_message(game.tty_chars),
                    THEIRS.text_glyphs(game.glyphs, game.blstats),
                    THEIRS.text_cursor(game.glyphs, game.blstats, game.tty_cursor),
                    THEIRS.text_inventory(game.inv_strs, game.inv_letters),
                    THEIRS.text_blstats(game.blstats),
                ]
                ours = [
                    describer.message(),
                    describer.language(),
                    describer.cursor(),
                    describer.inventory(),
                    describer.statistics(),
                ]
                assert ours == [their.decode("latin-1") for their in theirs]

"""NetHack: the raw game, its stopped clock, the vocabulary, progress, endings, and that an episode
is its seed's alone.
"""

from __future__ import annotations

import calendar
import ctypes
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from embodied.envs import make
from embodied.envs.check import EnvContract
from embodied.errors import EnvironmentFailure, UnknownName, UsageError
from embodied.games.nethack import clock, raw
from embodied.games.nethack.actions import COMMANDS, PROMISED, vocabulary
from embodied.games.nethack.progress import Progress, win_rates
from tests import transcripts

on_nle = pytest.mark.skipif(not raw.wheel().startswith("nle 1.3"), reason="needs nle 1.3")
MOVES = (
    "north",
    "south",
    "east",
    "west",
    "far east",
    "far west",
    "far north",
    "far south",
    "search",
    "down",
    "northeast",
    "southwest",
    "kick",
)


def wander(env, seed: int, steps: int, choice: tuple[str, ...] = MOVES):
    """Resets and plays random phrases; yields what each step returned, and stops at the end of the episode."""
    rng = random.Random(seed)
    env.reset(seed=seed)
    for _ in range(steps):
        result = env.step(rng.choice(choice))
        yield result
        if result[2] or result[3]:
            return


@pytest.fixture
def env():
    made = make("nethack")
    yield made
    made.close()


# --------------------------------------------------------------------------- contract


class TestContract(EnvContract):
    def make(self, **options):
        return make("nethack", **options)


@pytest.mark.parametrize("kwargs", [{}, {"rules": "balrog", "text": "language"}])
def test_gymnasiums_checker(kwargs: dict):
    env = make("nethack", **kwargs)
    check_env(env, skip_render_check=True)
    env.close()


@on_nle
def test_golden_transcripts():
    for episode in transcripts.golden("nethack"):
        assert transcripts.again("nethack", episode) == episode


def test_random_play(env):
    steps = 0
    for seed in range(3):
        for observation, _, _, _, info in wander(env, seed, 300, tuple(env.action_space)):
            assert env.observation_space.contains(observation)
            assert 0 <= info["progress"] <= 1
            steps += 1
    assert steps > 300


# --------------------------------------------------------------------------- the seed and nothing else

_EPISODE = """
import hashlib
from tests.games.test_nethack import MOVES, make, wander
env = make("nethack")
shown = [env.reset(seed=3)[0]["text"], *(f"{r[0]} {r[1:]}" for r in wander(env, 3, 200))]
print(hashlib.sha256("".join(shown).encode()).hexdigest())
"""


def test_two_processes_play_the_same_episode():
    root = Path(__file__).parents[2]
    variables = [{"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"}, {"PYTHONHASHSEED": "2", "TZ": "America/New_York"}]
    runs = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _EPISODE],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={**os.environ, **v},
        )
        for v in variables
    ]
    assert len(runs[0].stdout) > 60
    assert runs[0].stdout == runs[1].stdout


def test_seeds_differ(env):
    first = {env.reset(seed=seed)[0]["text"] for seed in range(8)}
    assert len(first) == 8


@on_nle
def test_levels_have_a_seed_of_their_own():
    maps = []
    for level, prelude in ((1, b""), (1, b"s" * 20), (2, b"")):
        with raw.NetHack(wizard=True, spawn_monsters=False) as game:
            game.start(5, level=level)
            for key in (*prelude, 22, *b"4\r", 6):  # level teleport to 4, map it
                game.press(key)
            maps.append(game.chars[np.isin(game.chars, list(b"|-#"))].tobytes() + bytes(game.chars == ord("-")))
    assert maps[0] == maps[1], "what the hero did before changes the level"
    assert maps[0] != maps[2]


def test_games_live_side_by_side():
    games = [raw.NetHack() for _ in range(3)]
    for game, seed in zip(games, (7, 8, 7), strict=True):
        game.start(seed)
    rng = random.Random(0)
    for _ in range(200):
        key = rng.choice(b"hjklyubns")
        for game in games:
            if not game.done:
                game.press(key)
    assert (games[0].tty_chars == games[2].tty_chars).all()
    assert (games[0].tty_chars != games[1].tty_chars).any()
    for game in games:
        game.close()


def _birthday(game: raw.NetHack) -> int:
    """NetHack's `ubirthday` in one game. Other games of this process have copies of their own."""
    library = ctypes.CDLL(game.library)
    try:
        return ctypes.c_long.in_dll(library, "ubirthday").value
    finally:
        ctypes.CDLL(None).dlclose(ctypes.c_void_p(library._handle))  # else the next game could not load its copy


@pytest.mark.parametrize(
    ("date", "omen"),
    [((2020, 11, 1), "Full moon"), ((2020, 11, 13), "Friday the 13th"), ((2020, 11, 15), "New moon"), (None, "")],
)
def test_the_clock_stands_still(date: tuple[int, int, int] | None, omen: str, monkeypatch: pytest.MonkeyPatch):
    if clock.stopped(raw._LIBRARY) is None:
        pytest.skip("the clock of this library cannot be stopped")
    if date:  # shows that the moment is what the game sees
        monkeypatch.setattr(clock, "NOON", calendar.timegm((*date, 12, 0, 0)))
    clock.stopped.cache_clear()
    with raw.NetHack() as game:
        game.start(1)
        assert omen in game.tty_chars[:2].tobytes().decode()
        assert omen or "welcome to NetHack" in game.tty_chars[0].tobytes().decode()
        assert _birthday(game) == clock.NOON, "shopkeepers are named after this moment"
    clock.stopped.cache_clear()


def test_closing_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    env = make("nethack")
    env.reset(seed=0)
    env.step("search")
    assert len(list(tmp_path.iterdir())) == 1
    env.close()
    env.close()
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_episode_leaves_no_trace(env):
    first = list(wander(env, 2, 400))
    env.reset(seed=1)
    top_tens = []
    for _ in range(2):
        env.reset(seed=1)
        env.step("up")
        top_tens.append(env.step("y")[0]["text"])
    assert top_tens[0] == top_tens[1]
    assert top_tens[0].count("Agent-") == 2, "one line, in the message and on the screen"
    again = list(wander(env, 2, 400))
    assert [r[0] for r in first] == [r[0] for r in again]


def test_a_closed_game_says_so():
    game = raw.NetHack()
    game.close()
    with pytest.raises(EnvironmentFailure, match="closed"):
        game.start(0)


# --------------------------------------------------------------------------- vocabulary


@pytest.mark.parametrize("rules", ["embodied", "balrog"])
def test_every_phrase_can_be_played(rules: str):
    env = make("nethack", rules=rules)
    assert list(env.mission.actions) == list(env.action_space)
    assert all(env.mission.actions.values())
    for phrase in env.action_space:
        env.reset(seed=4)
        assert env.step(phrase)[4]["valid"]
    env.close()


def test_the_vocabulary_is_what_is_accepted(env):
    ours, balrogs = vocabulary("embodied"), vocabulary("balrog")
    assert len(COMMANDS) == 86
    assert len(balrogs) == 248
    assert not PROMISED.keys() & balrogs.keys()
    assert PROMISED.keys() <= ours.keys()
    assert not any(phrase in ours for phrase in ("00", "42", "99"))
    for phrase in ("-", "z", "Z", "7", "minus", "apos", "space"):
        assert env.action_space.contains(phrase)


def test_what_the_prompt_of_balrog_promises_works(env):
    env.reset(seed=4)
    observation, *_ = env.step("travel")
    assert "Where do you want to travel to?" in observation["text"]
    env.step("esc")
    observation, *_ = env.step("overview")
    assert "Dungeons of Doom" in observation["text"]


def test_a_question_is_answered_with_a_letter(env):
    env.reset(seed=4)
    observation, *_ = env.step("drop")
    assert "What do you want to drop?" in observation["text"]
    letter = observation["status"].split("\n")[1][0]
    observation, *_ = env.step(letter)
    assert "What do you want to drop?" not in observation["text"]


def test_an_unknown_phrase_is_esc(env):
    env.reset(seed=4)
    env.step("drop")
    observation, _, _, _, info = env.step("drop the dagger")
    assert (info["valid"], info["executed"]) == (False, "esc")
    assert "What do you want to drop?" not in observation["text"]


# --------------------------------------------------------------------------- observation


def test_sections():
    hybrid, language = make("nethack"), make("nethack", text="language")
    one, other = hybrid.reset(seed=3)[0], language.reset(seed=3)[0]
    assert [line for line in one["text"].split("\n") if line.endswith(":")] == [
        "message:",
        "language observation:",
        "cursor:",
        "map:",
    ]
    assert [line for line in other["text"].split("\n") if line.endswith(":")] == [
        "message:",
        "language observation:",
        "cursor:",
    ]
    assert one["status"].startswith("inventory:\na: ")
    assert other["status"].startswith("statistics:\nStrength: ")
    assert "\n\ninventory:\na: " in other["status"]
    rows = one["text"].split("map:\n")[1].split("\n")
    assert len(rows) == 23 + 2
    assert all(len(row) == 80 for row in rows[:23])
    assert rows[21].startswith("Agent the ")
    hybrid.close()
    language.close()


def test_pages_are_turned():
    messages = {}
    for skip in (True, False):
        env = make("nethack", skip_more=skip)
        messages[skip] = "".join(
            r[0]["text"].split("\n\nlanguage")[0] for seed in range(3) for r in wander(env, seed, 300)
        )
        env.close()
    assert "--More--" in messages[False]
    assert "--More--" not in messages[True]


@on_nle
def test_pictures():
    full, tiles = make("nethack", image=True), make("nethack", image=True, picture="tiles")
    assert full.reset(seed=3)[0]["image"].shape == full.observation_space["image"].shape == (384, 1280, 3)
    assert tiles.reset(seed=3)[0]["image"].shape == (336, 1264, 3)
    assert "map:" not in full.reset(seed=3)[0]["text"]
    full.close()
    tiles.close()


# --------------------------------------------------------------------------- progress and ends


def test_progress_is_the_best_of_depth_and_level():
    depths, levels = win_rates()
    assert (len(depths), len(levels), depths[0], levels[0]) == (50, 30, 0, 0)
    progress, stats = Progress(), np.zeros(27, np.int64)
    for depth, level, highest in (
        (1, 1, ""),
        (3, 1, "Dlvl:3"),
        (2, 1, "Dlvl:3"),
        (2, 4, "Xp:4"),
        (10, 4, "Dlvl:10"),
        (52, 4, "Dlvl:10"),
    ):
        stats[12], stats[18] = depth, level
        progress.update(stats)
        assert progress.highest == highest
    assert progress.progression == depths[9] == pytest.approx(0.12558597)
    assert progress.metrics()["max_depth"] == 52
    progress.ascend()
    assert progress.progression == 1


def test_leaving_the_dungeon_ends_the_game_with_live_numbers(env):
    env.reset(seed=6)
    env.step("up")
    _, _, terminated, truncated, info = env.step("y")
    assert (terminated, truncated, info["success"], info["end_reason"]) == (True, False, False, "escaped")
    assert (info["metrics"]["depth"], info["metrics"]["experience_level"], info["metrics"]["time"]) == (1, 1, 1)


def test_death_has_a_cause(env):
    for seed in range(30):
        *_, (_, reward, terminated, _, info) = wander(env, seed, 2000)
        if terminated and info["end_reason"].startswith("died"):
            assert ": " in info["end_reason"]
            assert info["metrics"]["time"] > 1
            assert reward == 0
            return
    pytest.fail("thirty wanderers and none died")


@pytest.mark.parametrize(("rules", "end"), [("embodied", (False, True)), ("balrog", (True, False))])
def test_an_episode_without_game_turns_ends(rules: str, end: tuple[bool, bool]):
    env = make("nethack", rules=rules)
    env.reset(seed=6)
    env.step("search")
    steps, terminated, truncated = 0, False, False
    while not (terminated or truncated):
        _, _, terminated, truncated, info = env.step("esc")
        steps += 1
    assert steps == 150
    assert (terminated, truncated) == end
    assert info["end_reason"].startswith("no progress")
    assert info["metrics"]["time"] == 2
    env.close()


@pytest.mark.parametrize(
    ("kwargs", "error", "hint"),
    [
        ({"rules": "balrok"}, UsageError, "balrog"),
        ({"text": "hybird"}, UnknownName, "hybrid"),
        ({"picture": "tile"}, UnknownName, "tiles"),
        ({"more_joiner": "newlin"}, UnknownName, "newline"),
        ({"task": "NetHackChalenge-v0"}, UnknownName, "NetHackChallenge-v0"),
    ],
)
def test_bad_options(kwargs: dict, error: type[Exception], hint: str):
    with pytest.raises(error, match=hint):
        make("nethack", **kwargs)


@on_nle
def test_gymnasium_makes_and_renders_it():
    env = gymnasium.make("embodied/NetHack-v0", task="NetHackChallenge-v0", render_mode="rgb_array")
    env.reset(seed=3)
    assert env.render().shape == (384, 1280, 3)
    env.close()

"""MiniHack beside the minihack package's own environment: after every key the game is in the same state."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nle import nethack

from embodied.envs import make
from embodied.games.minihack import level as minihack
from embodied.games.minihack.level import DESCRIPTIONS, gym_of_minihack
from embodied.games.nethack import clock
from embodied.games.nethack.raw import _LIBRARY, BUFFERS, NetHack, wheel

pytestmark = pytest.mark.skipif(
    wheel().startswith("balrog-nle"),
    reason="on balrog-nle the public records say the same (tests/games/test_minihack_replay.py)",
)

BATTLE = "MiniHack-CorridorBattle-Dark-v0"
TASKS = (
    BATTLE,
    "MiniHack-Room-Monster-15x15-v0",
    "MiniHack-Corridor-R3-v0",
    "MiniHack-Room-Trap-15x15-v0",
    "MiniHack-MazeWalk-9x9-v0",
)
"""Levels in which the original asks the player nothing, so that both are sent the same keys."""
STEPS = 2000
"""Of each task."""
COMPARED = ("glyphs", "blstats", "message", "inv_strs", "inv_letters", "tty_chars", "tty_colors", DESCRIPTIONS)

_COMPASS = {
    **{"north": (-1, 0), "northeast": (-1, 1), "east": (0, 1), "southeast": (1, 1)},
    **{"south": (1, 0), "southwest": (1, -1), "west": (0, -1), "northwest": (-1, -1)},
}


def fight_or_wander(game: NetHack, phrases: tuple[str, ...], rng: np.random.Generator) -> str:
    """A phrase: the direction of a neighbouring monster where there is one (corpses pile up then), else any."""
    rows, columns = game.glyphs.shape
    x, y = game.blstats[:2]
    for direction, (down, right) in _COMPASS.items():
        if (
            direction in phrases
            and 0 <= y + down < rows
            and 0 <= x + right < columns
            and game.glyphs[y + down, x + right] < nethack.NUMMONS
        ):
            return direction
    return str(rng.choice([p for p in phrases if p != "esc"]))


@pytest.fixture
def stopped_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NLE's own environments on the library whose clock stands still, as ours does: the moon plays no part."""
    image = clock.stopped(_LIBRARY)
    if image is None:
        pytest.skip("the clock of this NetHack cannot be stopped")
    (tmp_path / "libnethack.so").write_bytes(image)
    monkeypatch.setattr(import_module("nle.nethack.nethack"), "DLPATH", str(tmp_path / "libnethack.so"))


@pytest.mark.parametrize("task", TASKS)
def test_the_state_is_the_originals(task: str, stopped_clock: None):
    """10,000 random steps."""
    ours = make("minihack", task)
    theirs = gym_of_minihack.make(
        task, observation_keys=COMPARED, character="@", autopickup=False, max_episode_steps=10**6
    ).unwrapped
    keys = [int(action) for action in theirs.actions]
    phrases = tuple(p for p, action in ours._actions_by_phrase.items() if action.keys[0] in keys)
    rng = np.random.default_rng(0)
    steps = seed = 0
    while steps < STEPS:
        _, info = ours.reset(seed=seed)
        seeds = info["seeds"]
        theirs.seed(seeds["core"], seeds["display"], False, seeds["level"])
        observation, _ = theirs.reset()
        over = False
        while not over and steps < STEPS:
            for name in COMPARED:
                assert np.array_equal(observation[name], getattr(ours.game, name)), (
                    f"{name} after {steps} steps, seed {seed}"
                )
            phrase = fight_or_wander(ours.game, phrases, rng)
            _, _, terminated, truncated, _ = ours.step(phrase)
            observation, _, done, _, _ = theirs.step(keys.index(ours._actions_by_phrase[phrase].keys[0]))
            assert terminated == done
            over, steps = terminated or truncated, steps + 1
        seed += 1
    ours.close()
    theirs.close()


def test_without_the_descriptions_it_would_not_be(monkeypatch: pytest.MonkeyPatch):
    """What the test above is for: some fights go another way when nobody asks for the words of what is drawn."""

    def load_without(*args: Any, **kwargs: Any) -> Any:
        referee = minihack.load(*args, **kwargs)
        referee.buffers = BUFFERS
        return referee

    asked = make("minihack", BATTLE)
    with monkeypatch.context() as patch:
        patch.setattr("embodied.games.minihack.env.load", load_without)
        unasked = make("minihack", BATTLE)
    parted = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        over = asked.reset(seed=seed) != unasked.reset(seed=seed)
        while not over and seed not in parted:
            phrase = fight_or_wander(asked.game, asked.action_space.phrases, rng)
            seen, other = asked.step(phrase), unasked.step(phrase)
            over = seen[2] or seen[3]
            if seen != other:
                parted.append(seed)
    asked.close()
    unasked.close()
    assert len(parted) > 1

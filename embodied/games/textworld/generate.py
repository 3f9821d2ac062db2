"""New games from a seed, by TextWorld's own generators.

    python -m embodied.games.textworld.generate coin_collector 7 > coin_collector-7.json

The generators go through sets of strings, so their games depend on Python's hash seed: `generate` runs this module in a
process of its own, with that seed fixed. The same seed then gives the same JSON everywhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from embodied.errors import EnvironmentFailure
from embodied.seeding import derive

if TYPE_CHECKING:
    from textworld.generator import Game, GameOptions

RECIPE = 1
"""Raise it when the same seed must give another game."""

CHALLENGES: dict[str, tuple[str, dict[str, Any]]] = {
    "treasure_hunter": ("tw-treasure_hunter", {"level": 30}),
    "the_cooking_game": (
        "tw-cooking",
        {
            "recipe": 5,
            "take": 5,
            "go": 12,
            "open": True,
            "cook": True,
            "cut": True,
            "drop": False,
            "split": "test",
            "recipe_seed": 0,
        },
    ),
    "coin_collector": ("tw-coin_collector", {"level": 220}),
}
"""Task -> TextWorld's challenge and its settings: those of BALROG's games, read from their metadata."""

_LENGTHS = {"treasure_hunter": (20, 20), "the_cooking_game": (1, 80), "coin_collector": (20, 20)}
"""Task -> least and most commands of the walkthrough. Treasure games have exactly 20 (as BALROG's), none is longer than
an episode.
"""

_SEARCH = 2500
"""How many actions the search for a treasure game's quest may consider, at some 5 ms of CPU time each. One search in
four succeeds within this limit (a direct one needs about 2,000). An unlucky search would take hours."""
_ATTEMPTS = 200
_TIMEOUT = 3600.0
"""Seconds of wall time for a game."""


def generate(task: str, seed: int) -> bytes:
    """Makes the game of a seed: TextWorld's JSON. Takes some 5 s of CPU time, for a treasure a minute, if unlucky
    several.

    Raises:
        EnvironmentFailure: TextWorld fails.
    """
    command = [sys.executable, "-m", __name__, task, str(seed)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFailure(f"The game {seed} of {task} could not be made ({error}).") from error
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise EnvironmentFailure(f"The game {seed} of {task} could not be made ({' '.join(last) or 'no error text'}).")
    return done.stdout


def make(task: str, seed: int) -> Game:
    """Makes the game of a seed in this process. Attempts are seeded one after the other until one meets `_LENGTHS`.

    Raises:
        EnvironmentFailure: No attempt did.
    """
    from textworld.challenges import CHALLENGES as MAKERS
    from textworld.generator import GameOptions
    from textworld.generator.chaining import QuestGenerationError

    challenge, settings = CHALLENGES[task]
    _, maker, _ = MAKERS[challenge]
    least, most = _LENGTHS[task]
    for attempt in range(_ATTEMPTS):
        options = _limited(GameOptions())
        options.seeds = derive(seed, "textworld", task, attempt, bits=31)
        options.grammar.only_last_action = task != "the_cooking_game"  # else the objective is the whole walkthrough
        try:
            game = maker(dict(settings), options)
        except (QuestGenerationError, _SearchedEnoughError):
            continue
        if least <= len(game.metadata["walkthrough"]) <= most:
            return game
    raise EnvironmentFailure(
        f"None of {_ATTEMPTS} attempts at the game {seed} of {task} had a walkthrough of {least} to {most} commands."
    )


class _SearchedEnoughError(Exception):
    """The search for a quest has considered `_SEARCH` actions."""


def _limited(options: GameOptions) -> GameOptions:
    """`options` whose search for a quest gives up after `_SEARCH` actions, counted and not timed: every machine gives
    up at the same one.
    """
    from textworld.generator.chaining import ChainingOptions

    class Limited(ChainingOptions):  # type: ignore[misc]  # textworld has no types
        considered = 0

        def check_action(self, state: Any, action: Any) -> bool:
            self.considered += 1
            if self.considered > _SEARCH:
                raise _SearchedEnoughError
            return bool(super().check_action(state, action))

    options.chaining = Limited()
    return options


if __name__ == "__main__":
    made = make(sys.argv[1], int(sys.argv[2]))
    sys.stdout.write(json.dumps(made.serialize(), separators=(",", ":")))

"""The games: ours, shipped as TextWorld's JSON and compiled on first use, new ones by seed, and those in a folder of
the user's.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import json
import lzma
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embodied.errors import UsageError
from embodied.games.textworld import cache, generate
from embodied.registry import unknown

SHIPPED = 10
"""Games of ours a task: those of the seeds 0 to 9 (scripts/make_textworld_games.py)."""


@dataclass(frozen=True)
class Facts:
    """What the environment needs to know of a game, out of TextWorld's JSON."""

    objective: str
    """What the game itself says the objective is. BALROG cuts it out of every text."""
    max_score: int
    walkthrough: tuple[str, ...]
    """Commands that win the game, not always the shortest."""

    @property
    def target(self) -> str:
        """The thing to take or eat in the end (`coin`); empty if there is no walkthrough."""
        last = re.match(r"\w+ (.+?)(?: from .+)?$", self.walkthrough[-1]) if self.walkthrough else None
        return last[1] if last else ""


@dataclass(frozen=True)
class Game:
    """A game that is ready to play."""

    name: str
    story: Path
    """The compiled game: .z8 or .ulx."""
    digest: str
    """SHA-256 of the story's bytes, hexadecimal."""
    facts: Facts
    description: Callable[[], bytes] = field(compare=False)
    """TextWorld's JSON."""


def names(task: str) -> list[str]:
    """The names of the shipped games of a task, in order."""
    return [f"{task}-{seed}" for seed in range(SHIPPED)]


def shipped(task: str, name: str) -> Game:
    """A shipped game, compiled if it is not in the cache. Raises `UnknownName`."""
    if name not in names(task):
        raise unknown(f"game of {task}", name, names(task), "embodied show textworld")
    facts, key = _shipped_facts(name)

    def description() -> bytes:
        return _shipped_json(name)

    return _ready(name, cache.story(name, key, description), facts, description)


def generated(task: str, seed: int) -> Game:
    """The game of a seed, made and compiled if it is not in the cache."""
    name = f"{task}-{seed}"
    data = cache.description(name, generate.RECIPE, lambda: generate.generate(task, seed))
    return _ready(name, cache.story(name, cache.key(data), lambda: data), _facts(data), lambda: data)


def folder(path: str | Path, task: str) -> list[Path]:
    """The story files of a task in a folder of published games: `<path>/<task>/*.ulx` and `*.z8`, in BALROG's order.

    Raises:
        UsageError: There is no such folder, or no story in it.
    """
    where = Path(path) / task
    stories = [story for suffix in (".ulx", ".z8") for story in sorted(where.glob(f"*{suffix}"))]
    if not stories:
        raise UsageError(
            f"There are no games in {where}: data is a folder with <task>/*.ulx or *.z8, and a .json beside each."
        )
    return stories


def from_file(story: str | Path) -> Game:
    """The game of a story file, with TextWorld's .json beside it. Raises `UsageError`."""
    story = Path(story).absolute()
    description = story.with_suffix(".json")
    if story.suffix not in (".ulx", ".z8") or not story.is_file():
        raise UsageError(f"{story} is not a game: give the path of a .ulx or .z8 file.")
    try:
        data = description.read_bytes()
        facts = _facts(data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{description} is not the description that TextWorld writes beside a game ({error})."
        ) from error
    return _ready(story.stem, story, facts, lambda: data)


def _ready(name: str, story: Path, facts: Facts, description: Callable[[], bytes]) -> Game:
    return Game(name, story, hashlib.sha256(story.read_bytes()).hexdigest(), facts, description)


def _facts(data: bytes) -> Facts:
    game: dict[str, Any] = json.loads(data)
    scores = [quest["reward"] for quest in game["quests"] if not quest["optional"] or quest["reward"] > 0]
    return Facts(game["objective"], sum(scores), tuple(game["metadata"].get("walkthrough") or ()))


@functools.cache
def _shipped_facts(name: str) -> tuple[Facts, str]:
    data = _shipped_json(name)
    return _facts(data), cache.key(data)


def _shipped_json(name: str) -> bytes:
    return lzma.decompress(importlib.resources.files(__package__).joinpath("data", f"{name}.json.xz").read_bytes())

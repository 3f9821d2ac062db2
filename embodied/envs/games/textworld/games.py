"""The games: ours, shipped as TextWorld's JSON and compiled on first use, and those in a folder of the user's."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import lzma
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodied.envs.games.textworld.build import story_of
from embodied.errors import UsageError
from embodied.registry import unknown

SHIPPED = 10
"""Games of ours a task: made from the seeds 0 to 9 (scripts/make_textworld_games.py)."""


@dataclass(frozen=True)
class Game:
    """A game that is ready to be played."""

    name: str
    story: Path
    """The compiled game: .z8 or .ulx."""
    digest: str
    """SHA-256 of the story's bytes, hexadecimal."""
    objective: str
    """What the game itself says the objective is. BALROG cuts it out of every text."""
    max_score: int
    walkthrough: tuple[str, ...]
    """Commands that win the game, not always the shortest."""

    @property
    def target(self) -> str:
        """What has to be taken or eaten in the end (`coin`)."""
        last = re.match(r"\w+ (.+?)(?: from .+)?$", self.walkthrough[-1]) if self.walkthrough else None
        return last[1] if last else ""


def names(task: str) -> list[str]:
    """The names of the shipped games of a task, in order."""
    return [f"{task}-{index}" for index in range(SHIPPED)]


def shipped(task: str, name: str) -> Game:
    """A shipped game, compiled if it is not in the cache. Raises `UnknownName`."""
    if name not in names(task):
        raise unknown(f"game of {task}", name, names(task), "embodied show textworld")
    packed = importlib.resources.files(__package__).joinpath("data", f"{name}.json.xz").read_bytes()
    return from_json(name, lzma.decompress(packed))


def from_json(name: str, data: bytes) -> Game:
    """The game that TextWorld's JSON describes, compiled if it is not in the cache."""
    return _game(name, story_of(name, data), json.loads(data))


def folder(path: str | Path, task: str) -> list[Path]:
    """The story files of a task in a folder of published games: `<path>/<task>/*.ulx` and `*.z8`, in BALROG's order.

    Raises:
        UsageError: There is no such folder, or no story in it.
    """
    where = Path(path) / task
    stories = [story for suffix in (".ulx", ".z8") for story in sorted(where.glob(f"*{suffix}"))]
    if not stories:
        raise UsageError(f"There are no games in {where}: data is a folder with <task>/*.ulx or *.z8, and a .json beside each.")
    return stories


def from_file(story: str | Path) -> Game:
    """The game of a story file, with TextWorld's .json beside it. Raises `UsageError`."""
    story = Path(story).absolute()
    facts = story.with_suffix(".json")
    if story.suffix not in (".ulx", ".z8") or not story.is_file():
        raise UsageError(f"{story} is not a game: give the path of a .ulx or .z8 file.")
    try:
        return _game(story.stem, story, json.loads(facts.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{facts} is not the description TextWorld writes beside a game ({error}).") from error


def _game(name: str, story: Path, data: dict[str, Any]) -> Game:
    scores = [quest["reward"] for quest in data["quests"] if not quest["optional"] or quest["reward"] > 0]
    walkthrough = data["metadata"].get("walkthrough") or ()
    return Game(name, story, hashlib.sha256(story.read_bytes()).hexdigest(), data["objective"], sum(scores), tuple(walkthrough))

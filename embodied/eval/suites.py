"""Suites: named, versioned lists of tasks with a number of episodes each."""

from __future__ import annotations

from dataclasses import dataclass

from embodied.envs.catalog import ENTRIES
from embodied.registry import unknown


@dataclass(frozen=True)
class Suite:
    """`tasks` lists (environment, task, episodes)."""

    name: str
    version: str
    tasks: tuple[tuple[str, str, int], ...]


_ORDER = ("babyai", "babaisai", "textworld", "crafter", "nethack", "minihack")


def _balrog() -> Suite:
    return Suite("balrog", "1", tuple((name, task, ENTRIES[name].episodes) for name in _ORDER for task in ENTRIES[name].tasks))


def _demo() -> Suite:
    return Suite("demo", "1", tuple((name, ENTRIES[name].tasks[0], 1) for name in _ORDER))


SUITES = {"balrog": _balrog, "demo": _demo}


def suite(name: str) -> Suite:
    """The suite named `name`. Raises `UnknownName`.

    `balrog`: BALROG's 58 tasks and 255 episodes (Paglieri et al. 2024; its config.yaml). `demo`: one episode of the first task of each game.
    """
    if name not in SUITES:
        raise unknown("suite", name, list(SUITES), "embodied list suites")
    return SUITES[name]()

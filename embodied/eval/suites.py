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


def _balrog() -> Suite:
    order = ("babyai", "babaisai", "textworld", "crafter", "nethack", "minihack")
    return Suite("balrog", "1", tuple((name, task, ENTRIES[name].episodes) for name in order for task in ENTRIES[name].tasks))


def suite(name: str) -> Suite:
    """The suite named `name`; `balrog` is BALROG's 58 tasks and 255 episodes (Paglieri et al. 2024, config.yaml). Raises `UnknownName`."""
    if name != "balrog":
        raise unknown("suite", name, ["balrog"], "embodied list suites")
    return _balrog()

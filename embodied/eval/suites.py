"""Suites: named, versioned lists of tasks with a number of episodes each."""

from __future__ import annotations

from dataclasses import dataclass

from embodied.catalog import ENTRIES
from embodied.registry import unknown


@dataclass(frozen=True)
class Suite:
    """`tasks` lists (environment, task, episodes)."""

    name: str
    version: str
    tasks: tuple[tuple[str, str, int], ...]


_ORDER = ("babyai", "babaisai", "textworld", "crafter", "nethack", "minihack")


def _balrog() -> Suite:
    return Suite(
        "balrog", "1", tuple((name, task, ENTRIES[name].episodes) for name in _ORDER for task in ENTRIES[name].tasks)
    )


def _demo() -> Suite:
    return Suite("demo", "1", tuple((name, ENTRIES[name].tasks[0], 1) for name in _ORDER))


def _patheval() -> Suite:
    return Suite(
        "patheval",
        "1",
        (
            ("patheval", "decide", 1050),
            ("patheval", "perceive", 350),
            ("patheval", "abstract", 15),
            ("patheval", "integrate", 350),
        ),
    )


def _driving() -> Suite:
    codalm = (
        ("codalm", "general_perception", 48),
        ("codalm", "region_perception", 143),
        ("codalm", "driving_suggestion", 48),
    )
    return Suite("driving", "2", (*codalm, ("corner_case_drive", "drive", 24)))


SUITES = {"balrog": _balrog, "demo": _demo, "patheval": _patheval, "driving": _driving}


def suite(name: str) -> Suite:
    """The suite named `name`. Raises `UnknownName`.

    `balrog`: BALROG's 58 tasks and 255 episodes (Paglieri et al. 2024; its config.yaml). `demo`: one episode of the
    first task of each game. `patheval`: all 1,050 test items judged, and a third of them for each of the questions why.
    `driving`: the embedded scenes, asked about and driven.
    """
    if name not in SUITES:
        raise unknown("suite", name, list(SUITES), "embodied list suites")
    return SUITES[name]()

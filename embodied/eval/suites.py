"""Suites: named, versioned lists of tasks with a number of episodes each.

Other distributions add theirs through the entry-point group `embodied.suites`: a `Suite`, or a function that returns
one.
"""

from __future__ import annotations

from dataclasses import dataclass

from embodied.catalog import ENTRIES, check_task, entry
from embodied.errors import UnknownName
from embodied.registry import Plugin, Registry


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


SUITES = Registry(
    "suite", {name: f"embodied.eval.suites:_{name}" for name in ("balrog", "demo", "patheval", "driving")}
)


def suite(name: str) -> Suite:
    """The suite named `name`.

    `balrog`: BALROG's 58 tasks and 255 episodes (Paglieri et al. 2024; its config.yaml). `demo`: one episode of the
    first task of each game. `patheval`: all 1,050 test items judged, and a third of them for each of the questions why.
    `driving`: the embedded scenes, asked about and driven.

    Raises:
        UnknownName: There is no such suite.
        UsageError: It is a plugin's and cannot be imported.
    """
    found, plugin = SUITES.get(name), SUITES.plugin(name)
    if plugin is None:
        made: Suite = found()
        return made
    return _checked(plugin, found)


def _checked(plugin: Plugin, found: object) -> Suite:
    """A plugin's suite, if it is one. Raises `UsageError`."""
    try:
        made = found() if callable(found) else found
    except (Exception, SystemExit) as error:  # a stranger's function may raise anything
        raise plugin.bad(f"cannot be made ({type(error).__name__}: {error})") from error
    if not isinstance(made, Suite):
        raise plugin.bad(f"is not an embodied.eval.suites.Suite but a {type(made).__name__}")
    if made.name != plugin.name:
        raise plugin.bad(f"calls itself {made.name!r}")
    try:
        for env, task, episodes in made.tasks:
            check_task(entry(env), task)
            if episodes < 1:
                raise ValueError(f"{env} {task} has {episodes} episodes")
    except (UnknownName, TypeError, ValueError) as error:
        raise plugin.bad(f"has bad tasks: {error}") from error
    return made

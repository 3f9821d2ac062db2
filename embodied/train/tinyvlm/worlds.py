"""The worlds that tinyvlm can be trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from embodied import envs
from embodied.catalog import ENTRIES
from embodied.envs.spaces import Choice
from embodied.registry import unknown
from embodied.train.tinyvlm.architecture import Shape
from embodied.train.tinyvlm.learning import Course
from embodied.train.tinyvlm.making import Plan
from embodied.train.tinyvlm.playing import World


def plan(env: str) -> Plan:
    """How a tinyvlm for a world is made. Raises `UnknownName`: none is known for it."""
    if env not in _PLANS:
        raise unknown("world of tinyvlm", env, list(_PLANS), "embodied train tinyvlm --help")
    return _PLANS[env]()


def _babyai() -> Plan:
    sentences = (
        "go to a the red green blue purple yellow grey ball box key door",
        "pick up, open the door, put the ball next to the box, then go to, after you pick up",
    )
    variants = tuple({"distractors": count} for count in (0, 0, 3, 3, 3, 5))
    world = World("babyai", ENTRIES["babyai"].tasks, variants)
    turns = (0.35, 0.5, 0.65)
    return Plan("tinyvlm", (world,), sentences, _phrases("babyai"), own=120, turns=turns)


def _babaisai() -> Plan:
    sentences = ("object block baba wall ball key door border is you win stop push lose",)
    world = World("babaisai", tuple(t for t in ENTRIES["babaisai"].tasks if "two_room" not in t), gives_up="idle")
    shape, course = Shape(picture=128, past=10, reads_goals=False), Course(updates=3200)
    counts: dict[str, Any] = {"episodes": 6_000, "own": 60, "dev": 24}
    return Plan("tinyvlm-babaisai", (world,), sentences, _phrases("babaisai"), shape=shape, course=course, **counts)


def _minihack() -> Plan:
    sentences = ("you stairs upstairs doors boulders fountains lava monsters things",)
    tasks = tuple(f"MiniHack-{name}-v0" for name in ("MazeWalk-9x9", "MazeWalk-15x15", "Corridor-R3"))
    world = World("minihack", tasks, view={"crop": 9}, expert="explorer", gives_up="esc")
    shape, course = Shape(picture=144, reads_goals=False), Course(updates=3600)
    phrases = tuple(dict.fromkeys(phrase for task in tasks for phrase in _phrases("minihack", task)))
    counts: dict[str, Any] = {"episodes": 4_500, "own": 150, "dev": 60}
    return Plan("tinyvlm-minihack", (world,), sentences, phrases, shape=shape, course=course, **counts)


def _crafter() -> Plan:
    sentences = (
        "tree stone water cow zombie skeleton arrow sapling plant table furnace coal iron diamond lava tunnel path",
    )
    view, limits = {"cell": 8}, {"max_steps": 300}
    world = World("crafter", ("default",), view=view, limits=limits, expert="settler", gives_up="Noop", tiles=False)
    shape = Shape(width=48, inner=96, picture=72, patch=8, past=10, reads_goals=False)
    course = Course(updates=3600)
    counts: dict[str, Any] = {"episodes": 200, "own": 40, "dev": 40, "teach": 300, "noise": (0.0, 0.05, 0.15)}
    return Plan("tinyvlm-crafter", (world,), sentences, _phrases("crafter"), shape=shape, course=course, **counts)


def _several() -> Plan:
    """One model for three worlds, to compare with a model for each (docs/agents.md)."""
    one = [_babyai(), _babaisai(), _minihack()]
    worlds = (one[0].worlds[0], one[1].worlds[0], replace(one[2].worlds[0], shows=False))
    sentences = tuple(s for plan in one for s in (*plan.sentences, *(_goal(w.env, w.tasks[0]) for w in plan.worlds)))
    phrases = tuple(dict.fromkeys(phrase for plan in one for phrase in plan.actions))
    counts: dict[str, Any] = {"episodes": 12_000, "own": 30, "dev": 8}
    return Plan("tinyvlm-several", worlds, sentences, phrases, shape=Shape(picture=144), **counts)


def _goal(env: str, task: str) -> str:
    made = envs.make(env, task)
    made.reset(seed=0)
    return made.mission.goal


def _phrases(env: str, task: str | None = None) -> tuple[str, ...]:
    space = envs.make(env, task).action_space if task else envs.make(env).action_space
    assert isinstance(space, Choice)
    return space.phrases


_PLANS = {"babyai": _babyai, "babaisai": _babaisai, "minihack": _minihack, "crafter": _crafter, "several": _several}

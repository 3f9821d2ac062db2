"""The worlds that tinyvlm can be trained on."""

from __future__ import annotations

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
    return Plan("tinyvlm", world, sentences, _phrases("babyai"), own=120, turns=turns)


def _babaisai() -> Plan:
    sentences = ("object block baba wall ball key door border is you win stop push lose",)
    world = World("babaisai", tuple(t for t in ENTRIES["babaisai"].tasks if "two_room" not in t), gives_up="idle")
    shape, course = Shape(picture=128, past=10, reads_goals=False), Course(updates=3200)
    counts: dict[str, Any] = {"episodes": 6_000, "own": 60, "dev": 24}
    return Plan("tinyvlm-babaisai", world, sentences, _phrases("babaisai"), shape=shape, course=course, **counts)


def _phrases(env: str) -> tuple[str, ...]:
    space = envs.make(env).action_space
    assert isinstance(space, Choice)
    return space.phrases


_PLANS = {"babyai": _babyai, "babaisai": _babaisai}

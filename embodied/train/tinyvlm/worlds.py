"""The worlds that tinyvlm can be trained on."""

from __future__ import annotations

from embodied import envs
from embodied.catalog import ENTRIES
from embodied.envs.spaces import Choice
from embodied.registry import unknown
from embodied.train.tinyvlm.making import Plan
from embodied.train.tinyvlm.playing import World


def plan(env: str) -> Plan:
    """How a tinyvlm for a world is made. Raises `UnknownName`: none is known for it."""
    if env not in _PLANS:
        raise unknown("world of tinyvlm", env, list(_PLANS), "embodied train tinyvlm --help")
    return _PLANS[env]()


def _babyai() -> Plan:
    space = envs.make("babyai").action_space
    assert isinstance(space, Choice)
    goals = (
        "go to a the red green blue purple yellow grey ball box key door",
        "pick up, open the door, put the ball next to the box, then go to, after you pick up",
    )
    variants = tuple({"distractors": count} for count in (0, 0, 3, 3, 3, 5))
    return Plan(World("babyai", ENTRIES["babyai"].tasks, variants), goals, space.phrases)


_PLANS = {"babyai": _babyai}

"""Controls: what can be taken from an agent to see how much of its score it owes to it.

A control changes what the environment shows. It does not change the episode: the same seed, the same world, the same
score. `embodied.rollout.worlds.controlled` does it, in the process in which the environment lives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embodied.errors import UsageError

NONE = "none"
BLACK, TWIN, OTHER_GOAL = "black_picture", "shuffled_picture", "shuffled_instruction"
CONTROLS = {
    BLACK: "every picture is black; text stays as it is",
    TWIN: "every picture is of another episode of the same task, in which the same actions are executed; text stays",
    OTHER_GOAL: "the instruction is that of another episode of the same task; world, pictures and score stay",
}
"""Control -> what the agent gets with it."""
OF_PICTURES = (BLACK, TWIN)
"""Controls that take the pictures. They need an agent that sees."""


def check_control(name: str) -> None:
    """Raises `UsageError` where there is no control of that name."""
    if name != NONE and name not in CONTROLS:
        raise UsageError(f"There is no control named {name!r}. run.control is one of {', '.join([NONE, *CONTROLS])}.")


def control_of(config: Mapping[str, Any]) -> str:
    """The control that a recorded configuration names; empty where it names none, as before there were controls."""
    run = config.get("run")
    name = str((run.get("control") if isinstance(run, dict) else None) or NONE)
    return "" if name == NONE else name


def in_words(name: str) -> str:
    """`black picture`, for tables and sentences."""
    return name.replace("_", " ")

"""The roads of highway-env that one car drives on: what the agent must do, how often it decides, what counts as
progress.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from embodied.errors import UsageError
from embodied.registry import unknown

META = {
    "LANE_LEFT": ("lane left", "change to the lane on your left"),
    "IDLE": ("keep", "keep lane and speed"),
    "LANE_RIGHT": ("lane right", "change to the lane on your right"),
    "FASTER": ("faster", "the next higher cruising speed"),
    "SLOWER": ("slower", "the next lower cruising speed"),
}
"""highway-env's meta-actions -> phrase and gloss."""
STEER = {
    "hard left": (-1.0, "turn the wheel all the way to the left"),
    "left": (-0.3, "turn the wheel somewhat to the left"),
    "straight": (0.0, "hold the wheel straight"),
    "right": (0.3, "turn the wheel somewhat to the right"),
    "hard right": (1.0, "turn the wheel all the way to the right"),
}
"""Phrase -> share of the steering range and gloss, where the wheel is all there is."""
MOVE = {
    "brake": (0.0, 0.0, "come to a standstill"),
    "forward": (1.0, 0.0, "drive forward, wheel straight"),
    "forward left": (1.0, -1.0, "drive forward, wheel all the way to the left"),
    "forward right": (1.0, 1.0, "drive forward, wheel all the way to the right"),
    "reverse": (-1.0, 0.0, "drive backwards, wheel straight"),
    "reverse left": (-1.0, -1.0, "drive backwards, wheel all the way to the left"),
    "reverse right": (-1.0, 1.0, "drive backwards, wheel all the way to the right"),
}
"""Phrase -> share of the speed, share of the steering range, gloss, where there are pedals too."""


@dataclass(frozen=True)
class Setup:
    """How a road is driven."""

    goal: str
    kind: str
    """What counts: `last` is to drive until the road's time is over; `follow` to get `metres` along the lane; `along`
    to pass x = `metres`; arrive, through, exit, turn and park are to reach what the docs of the environment say."""
    metres: float = 0.0
    seconds: float | None = None
    """The road's own time; None: the one that highway-env gives it."""
    hz: int = 1
    """Decisions a second."""
    pace: float = 0.0
    """The speed that `forward` drives at, m/s."""
    config: dict[str, Any] = field(default_factory=dict)
    """What is set otherwise than in highway-env."""


FAMILIES: dict[str, Setup] = {
    "highway": Setup("Drive fast on a busy motorway without hitting anyone; the right lanes are preferred.", "last"),
    "merge": Setup(
        "Drive past the place where an access road joins, fast, without hitting anyone; make room for who joins.",
        "along",
        370.0,
        30.0,
    ),
    "roundabout": Setup(
        "Drive through the roundabout and out of it at its second exit, fast, without hitting anyone.",
        "through",
        seconds=25.0,
        config={"duration": 25},
    ),
    "intersection": Setup(
        "Cross the intersection and turn left there, fast, without hitting anyone.",
        "arrive",
        seconds=25.0,
        config={"duration": 25, "other_vehicles_type": "embodied.driving.highway.env.CrossingVehicle"},
    ),
    "parking": Setup(
        "Park the car on the free spot that is the goal, pointing as the spot does.",
        "park",
        seconds=20.0,
        hz=3,
        pace=3.0,
    ),
    "exit": Setup(
        "Leave the motorway at the exit on its right side, 400 m ahead, fast, without hitting anyone.", "exit"
    ),
    "two-way": Setup(
        "Drive fast on a road with oncoming traffic in the left lane; overtake when there is room.",
        "along",
        700.0,
        50.0,
    ),
    "u-turn": Setup(
        "Drive through the U-turn, fast, without hitting anyone.", "turn", 40.0, seconds=35.0, config={"duration": 35}
    ),
    "lane-keeping": Setup("Keep the car in its lane, which winds.", "follow", 200.0, 30.0, hz=2),
    "racetrack": Setup("Follow the lane of the race track and hit nobody.", "follow", 180.0, 20.0, hz=3),
}
"""Family -> how it is driven."""
NEWEST = {
    "highway": 0,
    "merge": 1,
    "roundabout": 1,
    "intersection": 2,
    "parking": 0,
    "exit": 1,
    "two-way": 0,
    "u-turn": 1,
    "lane-keeping": 0,
    "racetrack": 1,
}
"""Task -> the version it stands for: the newest of highway-env 1.12.1 (-v1 and -v2 see neighbours across the ends of
lanes).
"""


def registered() -> list[str]:
    """The ids that highway-env registers and one car drives on."""
    import gymnasium
    import highway_env  # noqa: F401  (registers)

    ids = (name for name, spec in gymnasium.registry.items() if str(spec.entry_point).startswith("highway_env."))
    return sorted(name for name in ids if "multi-agent" not in name)


def setup_of(task: str) -> tuple[str, Setup]:
    """The registered id and the set-up of a task: a family's name, or an id of highway-env.

    Raises:
        UnknownName: highway-env registers no such id, or several cars drive there.
    """
    name = f"{task}-v{NEWEST[task]}" if task in NEWEST else task
    known = registered()
    if name not in known:
        raise unknown("task of highway", task, [*NEWEST, *known], "embodied list tasks --env highway")
    return name, FAMILIES[family_of(name)]


def family_of(id: str) -> str:
    """The family that an id of highway-env belongs to."""
    return max((f for f in FAMILIES if id.startswith(f)), key=len)


def check_pygame() -> None:
    """Raises `UsageError` where pygame is installed beside pygame-ce: both unpack into one folder, and the later one
    has overwritten the other.
    """
    try:
        version = metadata.version("pygame")
    except metadata.PackageNotFoundError:
        return
    raise UsageError(
        f"highway-env needs pygame-ce, and pygame {version} is installed beside it: both unpack into the folder"
        " `pygame`, so one of them is damaged. Keep one: pip uninstall -y pygame pygame-ce && pip install pygame-ce."
        " Nothing in this package needs pygame itself."
    )

"""Specifications of street scenes: plain JSON that decides every pixel, every fact and, in the closed loop, every
motion.

The ego frame at the start: the origin on the road below the camera, x to the right, y forward, metres; yaw in degrees,
counter-clockwise from above, 0 for what faces forward. The road is straight along y, traffic keeps to the right.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from embodied.driving.categories import CATEGORIES
from embodied.driving.facts import LightState
from embodied.errors import UsageError
from embodied.registry import unknown

Weather = Literal["clear", "rain", "fog", "snow"]
Time = Literal["day", "dusk", "night"]
Surroundings = Literal["city", "suburb", "rural", "motorway"]
Motion = Literal["still", "constant", "waypoints", "idm"]


@dataclass(frozen=True)
class Road:
    """A straight road."""

    lanes: int = 2
    """Lanes of the ego car's direction, at least 1."""
    ego_lane: int = 0
    """The ego car's, counted from the left from 0. Its middle is x = 0."""
    opposite: int = 1
    """Lanes of oncoming traffic, to the left of ours."""
    lane_width: float = 3.5
    """Metres."""
    surroundings: Surroundings = "city"
    crossing: float | None = None
    """Where a zebra crossing begins, y in metres; it is 4 m long."""


@dataclass(frozen=True)
class Ego:
    """The car that sees."""

    speed: float = 10.0
    """Metres a second at the start."""
    limit: float = 13.9
    """Speed limit, metres a second."""


@dataclass(frozen=True)
class Actor:
    """Something in the scene."""

    id: int
    """Instance id, at least 1, unique in the scene."""
    category: str
    """One of the 43 of `embodied.driving.categories`."""
    x: float
    y: float
    yaw: float = 0.0
    """Degrees."""
    colour: str = ""
    """A word of `objects.PAINT`; empty for the category's usual one."""
    state: str = ""
    """moving, parked, braking, oncoming, overturned, broken down, crossing, standing, directing, lying, red, green,
    ...: shown and told.
    """
    corner_case: bool = False
    """Whether it is a reason why this scene is a corner case."""
    motion: Motion = "still"
    speed: float = 0.0
    """Metres a second along its yaw, for `constant` and `idm`."""
    path: tuple[tuple[float, float, float], ...] = ()
    """For `waypoints`: (seconds, x, y), times increasing from 0; it stays at the last."""
    trigger: float | None = None
    """Its motion begins when the ego car is within so many metres of it, measured along the road; None: at once."""


@dataclass(frozen=True)
class SceneSpec:
    """A scene."""

    name: str
    template: str
    """What it was made by (`templates.TEMPLATES`)."""
    seed: int
    road: Road = field(default_factory=Road)
    ego: Ego = field(default_factory=Ego)
    weather: Weather = "clear"
    time: Time = "day"
    light: LightState = ""
    """What the traffic light that counts for the ego lane shows; empty without one."""
    actors: tuple[Actor, ...] = ()
    twin: str = ""
    """Name of the same scene with the hazard taken away, or with it; empty where there is none."""

    @property
    def digest(self) -> str:
        """SHA-256 of the scene as JSON, hexadecimal: what its picture is cached by."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


def encode(specs: tuple[SceneSpec, ...]) -> bytes:
    """Specifications as a JSON list, a line each."""
    return b"[\n" + b",\n".join(map(msgspec.json.encode, specs)) + b"\n]\n"


def decode(data: bytes, where: str = "the specification") -> tuple[SceneSpec, ...]:
    """Specifications from a JSON list.

    Raises:
        UsageError: It is not such a list, or a scene in it makes no sense; names `where` and the scene.
        UnknownName: A category is not one of the 43.
    """
    try:
        specs = msgspec.json.decode(data, type=tuple[SceneSpec, ...])
    except msgspec.MsgspecError as error:
        raise UsageError(f"{where} is not a list of scenes: {error}.") from error
    for spec in specs:
        check(spec)
    return specs


def check(spec: SceneSpec) -> None:
    """Raises `UsageError` or `UnknownName` for a scene that cannot be."""
    ids = [a.id for a in spec.actors]
    if len(set(ids)) != len(ids) or min(ids, default=1) < 1:
        raise UsageError(f"The scene {spec.name}: ids of actors are at least 1 and unique, not {ids}.")
    road = spec.road
    if road.lanes < 1 or not 0 <= road.ego_lane < road.lanes or road.opposite < 0 or road.lane_width <= 2:
        raise UsageError(
            f"The scene {spec.name}: a road has lanes wider than 2 m, and the ego lane is one of them; got {road}."
        )
    for actor in spec.actors:
        if actor.category not in CATEGORIES:
            raise unknown("category", actor.category, sorted(CATEGORIES), "embodied codalm categories")
        times = [t for t, _, _ in actor.path]
        if (actor.motion == "waypoints") != bool(times) or times != sorted(set(times)):
            raise UsageError(
                f"The scene {spec.name}: actor {actor.id} needs a path of increasing times for the motion `waypoints`,"
                " and for that alone."
            )

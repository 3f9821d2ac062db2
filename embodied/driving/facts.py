"""The facts of a picture of a street, on which answers are scored. Plain records without logic: the annotator of
procedural scenes writes them from the scene itself, `grounded-v1` reads them. Codec: msgspec.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["left", "ahead", "right", ""]
"""Where an object stands as seen from the ego car: beyond its lane to the left, in its lane, beyond it to the right;
empty where it is not known.
"""
Distance = Literal["near", "middle", "far", ""]
"""Empty where it is not known (real annotations)."""
LightState = Literal["", "red", "yellow", "green"]
"""State of the traffic light that counts for the ego lane; empty without one."""


@dataclass(frozen=True)
class ObjectFact:
    """One visible object."""

    id: int
    """Instance id, at least 1, unique within the picture."""
    category: str
    """One of the 43 of `embodied.driving.categories`; empty where only the group is known (real annotations)."""
    group: str
    """Its group, one of seven."""
    box: tuple[float, float, float, float]
    """x, y of the upper left corner, width, height; pixels."""
    side: Side
    distance: Distance = ""
    metres: float | None = None
    """Distance from the ego car's front, metres; None where it is not known."""
    colour: str = ""
    """A basic colour word (red, orange, yellow, green, blue, white, black, grey, silver, brown, ...); empty where there
    is none.
    """
    state: str = ""
    """What it does or is, in one word or few: moving, parked, crossing, overturned, oncoming, red, ...; empty where
    there is nothing to say.
    """
    corner_case: bool = False
    """True for an object that makes this scene a corner case. An answer must not miss it."""


@dataclass(frozen=True)
class SceneFacts:
    """The facts of one picture, and what they ask of the driver."""

    image: str
    """Name of the picture (a file name or a key), what answers are matched by."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    objects: tuple[ObjectFact, ...]
    required: tuple[str, ...] = ()
    """Actions (`embodied.driving.actions`) that good advice contains, the most important first."""
    forbidden: tuple[str, ...] = ()
    """Actions that are wrong here; never one of `required`."""
    weather: str = ""
    """clear, rain, fog, snow; empty where it is not known."""
    time: str = ""
    """day, dusk, night; empty where it is not known."""
    light: LightState = ""

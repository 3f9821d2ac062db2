"""The 15 scenarios: a vehicle, its task, and the descriptors of the path that matter to it.

Which descriptors matter, and in which direction, is PathEval's table (`Scenarios.xlsx` of its repository); the texts
are ours. Scenarios 1, 7 and 10 ask for the same, as do 11 and 13.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from embodied.planning.descriptors import DESCRIPTORS
from embodied.registry import unknown


@dataclass(frozen=True)
class Scenario:
    """A vehicle with a task."""

    number: int
    """1 to 15, as in PathEval."""
    name: str
    text: str
    """What an agent is told: two or three sentences."""
    weights: tuple[int, ...]
    """(7,) in the order of `descriptors.NAMES`: 1 more is better, -1 less is better, 0 does not matter."""
    word: str
    """What a text about this scenario says and none about another does, in lower case; so that records with texts of
    others are recognised.
    """

    @property
    def wanted(self) -> dict[str, str]:
        """The descriptors that matter, each `higher` or `lower`."""
        return {d.key: "higher" if w > 0 else "lower" for d, w in zip(DESCRIPTORS, self.weights, strict=True) if w}


_TURNS = (0, 0, 0, 0, -1, -1, -1)
_ROOMY_TURNS = (1, 0, 1, 0, -1, -1, -1)

SCENARIOS = (
    Scenario(
        1,
        "truck",
        "The vehicle is a large truck in dense traffic. Sharp turns, of 90 degrees and more, are hard for it; between"
        " the turns it must take, it should hold a straight line.",
        _TURNS,
        "truck",
    ),
    Scenario(
        2,
        "firefighting",
        "A firefighting robot searches a burning building for people who are trapped in it. It should come through as"
        " much of the building as it can on its way, and stay well clear of the walls so that it is not damaged.",
        (1, 0, 1, 1, 0, 0, 0),
        "firefighting",
    ),
    Scenario(
        3,
        "warzone",
        "A vehicle crosses a warzone unseen. It should use walls as cover and avoid open ground wherever it can, and it"
        " should be at its goal soon.",
        (0, -1, -1, -1, 0, 0, 0),
        "warzone",
    ),
    Scenario(
        4,
        "drone",
        "A delivery drone with little fuel left brings a parcel to the goal. It needs a short way, enough room to the"
        " buildings around it, and a course as straight as possible so that it flies steadily.",
        (1, 0, 1, -1, -1, -1, -1),
        "drone",
    ),
    Scenario(
        5,
        "earthquake",
        "A robot brings medicine through streets hit by an earthquake. It should arrive as fast as it can, and at no"
        " point come close to a wall, since walls may collapse.",
        (1, 0, 0, -1, 0, 0, 0),
        "earthquake",
    ),
    Scenario(
        6,
        "museum",
        "A robot drives through a museum whose walls carry fragile works of art. At no point may it come close to a"
        " wall. It should not turn abruptly either, which would startle visitors.",
        (1, 0, 0, 0, -1, -1, 0),
        "museum",
    ),
    Scenario(
        7,
        "articulated_bus",
        "The vehicle is a long articulated bus on a building site. It can hardly make sharp turns, of 90 degrees and"
        " more.",
        _TURNS,
        "articulated",
    ),
    Scenario(
        8,
        "harvester",
        "The vehicle is a broad combine harvester on a farm track. Its driver sees obstacles badly, and hits them when"
        " they are too near.",
        (1, 0, 1, 0, 0, 0, 0),
        "harvester",
    ),
    Scenario(
        9,
        "forklift",
        "The vehicle is a long forklift in a busy warehouse. Sharp and abrupt turns are hard for it, and it must keep a"
        " safe distance from obstacles at every moment.",
        (1, 0, 0, 0, -1, -1, -1),
        "forklift",
    ),
    Scenario(
        10,
        "crane",
        "The vehicle is a mobile crane with a long boom on a crowded site. Sharp turns and tight corners are very hard"
        " for it.",
        _TURNS,
        "crane",
    ),
    Scenario(
        11,
        "taxi",
        "A driverless taxi takes a passenger through a city. It should make few sharp turns, turn as gently as it can"
        " for the passenger's comfort, and keep a safe distance from what is around it.",
        _ROOMY_TURNS,
        "taxi",
    ),
    Scenario(
        12,
        "mars_rover",
        "A rover on Mars drives to a rock it is to examine. It should save energy: take a short way and turn little,"
        " and above all avoid sharp turns, of more than 90 degrees, which cost most.",
        (0, 0, 0, -1, -1, -1, 0),
        "rover",
    ),
    Scenario(
        13,
        "blind_guide",
        "A small vehicle guides a visually impaired person through a shopping mall. It should drive straight, without"
        " sudden or sharp turns, and keep a safe distance from the walls.",
        _ROOMY_TURNS,
        "visually impaired",
    ),
    Scenario(
        14,
        "soil_monitor",
        "A robot monitors the soil of a field; the sensors it reads are mounted on the walls. It should cover as much"
        " ground as it can, and drive as close to the walls as it can.",
        (0, -1, -1, 1, 0, 0, 0),
        "soil",
    ),
    Scenario(
        15,
        "nuclear_inspection",
        "A robot inspects a nuclear power plant for leaks. In one run it should pass as many parts of the plant as it"
        " can, and close to the walls, where small cracks can be seen. To avoid accidents it should drive straight,"
        " without sudden or sharp turns.",
        (0, -1, -1, 1, -1, -1, -1),
        "nuclear",
    ),
)
NAMES = tuple(s.name for s in SCENARIOS)
WEIGHTS = np.array([s.weights for s in SCENARIOS], dtype=np.int8)
"""(15, 7)."""


def scenario(which: str | int) -> Scenario:
    """The scenario of a name or number (`truck`, 1, "1"). Raises `UnknownName` with the nearest name."""
    text = str(which)
    if text.isdecimal() and 1 <= int(text) <= len(SCENARIOS):
        return SCENARIOS[int(text) - 1]
    if text not in NAMES:
        raise unknown("scenario of patheval", text, list(NAMES), "embodied show patheval")
    return SCENARIOS[NAMES.index(text)]


def recognise(text: str) -> Scenario | None:
    """The scenario that `text` describes, also in other words; None when no scenario or several fit."""
    found = [s for s in SCENARIOS if re.search(rf"\b{s.word}\b", text.lower().replace("war zone", "warzone"))]
    return found[0] if len(found) == 1 else None

"""Twelve streets written by hand: six hazards, and the same streets without them."""

from __future__ import annotations

from embodied.driving.categories import CATEGORIES
from embodied.driving.codalm.twins import Twins
from embodied.driving.controls import Item
from embodied.driving.facts import ObjectFact, SceneFacts

_BACKGROUND = {
    "overturned": ["car left white oncoming", "pedestrian right blue standing", "traffic_sign right blue"],
    "dog": ["bus ahead red stopped", "bicycle right black parked", "barrier left white"],
    "works": ["truck ahead white moving", "bollard right yellow", "cyclist right green moving"],
    "tyre": ["car ahead black moving", "traffic_light ahead - green", "dustbin right green"],
    "stroller": ["car right grey parked", "tram left yellow oncoming", "warning_sign right yellow"],
    "carton": ["motorcycle ahead red moving", "car left blue oncoming", "stone right grey"],
}
_HAZARD = {
    "overturned": ("truck ahead white overturned", ("stop", "keep_distance"), ("proceed",)),
    "dog": ("dog right brown crossing", ("slow_down", "yield"), ("proceed", "change_lane_right")),
    "works": ("traffic_cone ahead orange", ("change_lane_left", "slow_down"), ("change_lane_right", "proceed")),
    "tyre": ("tire ahead black lying", ("avoid", "slow_down"), ("proceed",)),
    "stroller": ("stroller right red crossing", ("stop", "yield"), ("proceed",)),
    "carton": ("carton ahead brown lying", ("slow_down", "change_lane_right"), ("proceed", "change_lane_left")),
}


def _object(number: int, line: str, corner_case: bool = False) -> ObjectFact:
    category, side, colour, *state = line.split()
    box = (100.0 * number, 300.0, 60.0, 80.0)
    colour = "" if colour == "-" else colour
    return ObjectFact(
        number, category, CATEGORIES[category], box, side, "near", 10.0 * number, colour, " ".join(state), corner_case
    )  # type: ignore[arg-type]


def pairs() -> list[Twins]:
    """Each hazard with its street, and the street alone."""
    found = []
    for name, lines in _BACKGROUND.items():
        line, required, forbidden = _HAZARD[name]
        street = tuple(_object(n, text) for n, text in enumerate(lines, 1))
        present = SceneFacts(
            f"{name}_1", 1280, 720, (*street, _object(9, line, True)), required, forbidden, "clear", "day"
        )
        found.append(
            Twins(
                present, SceneFacts(f"{name}_0", 1280, 720, street, ("proceed", "keep_lane"), ("stop",), "clear", "day")
            )
        )
    return found


def scenes() -> list[SceneFacts]:
    return [f for p in pairs() for f in (p.present, p.absent)]


def items(task: str) -> list[Item]:
    """All questions of a task; regions are all objects of the scenes with a hazard."""
    if task == "region_perception":
        return [Item(task, p.present, o) for p in pairs() for o in p.present.objects]
    return [Item(task, f) for f in scenes()]  # type: ignore[arg-type]

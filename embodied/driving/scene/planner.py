"""What a careful driver does in a scene: the required and forbidden actions, from rules on where things are. Ours; they
follow common traffic law.

The planner knows what the scene holds, so its advice is about the scene and not about the picture. It does not ask for
anything that the picture does not show.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from embodied.driving.categories import CATEGORIES, label
from embodied.driving.scene.objects import SIZES
from embodied.driving.scene.road import lane_centre
from embodied.driving.scene.spec import Actor, SceneSpec

HALF = 1.3
"""Half the width that the ego car needs: 0.9 m of its own and 0.4 m to spare."""
AHEAD = 60.0
"""How far ahead things matter, metres."""
LIVING = frozenset(
    {"pedestrian", "cyclist", "stroller", "wheelchair", "cart", "dog", "cat", "moped", "motorcycle", "tricycle"}
)
HARMLESS = frozenset({"plastic_bag"})
"""What a car may run over without harm."""


@dataclass(frozen=True)
class Recommendation:
    """What to do and what not, and why."""

    required: tuple[str, ...]
    """Actions of `embodied.driving.actions`, the most important first."""
    forbidden: tuple[str, ...]
    reason: str
    """One clause."""


def advise(spec: SceneSpec, seen: Collection[int]) -> Recommendation:
    """The advice for a scene of which the actors `seen` (ids) can be seen."""
    actors = [a for a in spec.actors if a.id in seen and 0 < a.y < AHEAD]
    if spec.light == "red":
        return Recommendation(("stop", "obey_light"), ("proceed",), "the traffic light is red")
    hazards = sorted((a for a in actors if a.corner_case), key=lambda a: a.y)
    for rule in (_officer, _living, _wrong_way, _slow, _blocking):
        advice = rule(spec, hazards, actors)
        if advice is not None:
            return advice
    return _free_road(spec, actors, hazards)


def in_path(actor: Actor) -> bool:
    """Whether the ego car, keeping its lane, meets it: where it stands now, or where its way leads."""
    half = _half_width(actor)
    return abs(actor.x) < HALF + half or any(abs(x) < HALF + half for _, x, _ in actor.path)


def _half_width(actor: Actor) -> float:
    width, length, height = SIZES[actor.category]
    if actor.state == "overturned":
        width = height
    return (length if 45 < abs(actor.yaw) % 180 < 135 else width) / 2


def _officer(spec: SceneSpec, hazards: list[Actor], actors: list[Actor]) -> Recommendation | None:
    if any(a.state == "directing" and in_path(a) for a in hazards):
        return Recommendation(
            ("stop", "watch"),
            ("proceed", "change_lane_left", "change_lane_right"),
            "an officer stops the traffic, which counts more than the light",
        )
    return None


def _living(spec: SceneSpec, hazards: list[Actor], actors: list[Actor]) -> Recommendation | None:
    for a in hazards:
        if a.category not in LIVING or not in_path(a) or a.state in ("standing", "working"):
            continue
        name = _named(a)
        if a.state == "moving":
            return Recommendation(("slow_down", "yield", "keep_distance"), ("proceed",), f"{name} cuts into the lane")
        if a.state == "playing":
            return Recommendation(
                ("slow_down", "yield", "watch"), ("proceed",), f"{name} steps out from behind a parked vehicle"
            )
        return Recommendation(("stop", "yield"), ("proceed",), f"{name} crosses the lane")
    return None


def _wrong_way(spec: SceneSpec, hazards: list[Actor], actors: list[Actor]) -> Recommendation | None:
    for a in hazards:
        if a.state == "oncoming" and in_path(a):
            if _open(spec, actors, spec.road.ego_lane + 1, a.y):
                return Recommendation(
                    ("slow_down", "change_lane_right"),
                    ("proceed", "change_lane_left", "keep_lane"),
                    f"{_named(a)} comes towards us in our lane",
                )
            return Recommendation(
                ("stop",),
                ("proceed", "change_lane_left"),
                f"{_named(a)} comes towards us in our lane and there is no room beside it",
            )
    return None


def _slow(spec: SceneSpec, hazards: list[Actor], actors: list[Actor]) -> Recommendation | None:
    for a in hazards:
        if a.state == "moving" and CATEGORIES[a.category] in ("vehicle", "miscellaneous") and in_path(a):
            return Recommendation(("slow_down", "keep_distance"), ("proceed",), f"{_named(a)} crawls along ahead")
    return None


def _blocking(spec: SceneSpec, hazards: list[Actor], actors: list[Actor]) -> Recommendation | None:
    blocking = [a for a in hazards if in_path(a) and a.category not in HARMLESS]
    if not blocking:
        return None
    first, last = blocking[0], blocking[-1]
    main = max(blocking, key=lambda a: SIZES[a.category][0] * SIZES[a.category][2])
    reason = (
        f"{_named(main)}"
        f" {'lies' if main.state in ('overturned', 'lying') or SIZES[main.category][2] < 0.6 else 'stands'} in the lane"
    )
    sides = {"change_lane_left": spec.road.ego_lane - 1, "change_lane_right": spec.road.ego_lane + 1}
    possible = [side for side, lane in sides.items() if _open(spec, actors, lane, last.y)]
    if not possible:
        return Recommendation(("stop",), ("proceed", *sides), f"{reason} and there is no way around")
    closed = tuple(side for side in sides if side not in possible)
    return Recommendation(("slow_down", possible[0]), ("proceed", *closed), f"{reason}, {round(first.y)} m ahead")


def _free_road(spec: SceneSpec, actors: list[Actor], hazards: list[Actor]) -> Recommendation:
    lead = [a for a in actors if not a.corner_case and abs(a.x) < 1.2 and CATEGORIES[a.category] == "vehicle"]
    more = ("keep_distance",) if lead else ()
    if hazards:
        return Recommendation(
            ("proceed", "keep_lane", *more), ("stop", "change_lane_left"), f"{_named(hazards[0])} does no harm"
        )
    return Recommendation(
        ("proceed", "keep_lane", *more),
        ("stop",),
        "the lane is free" if not lead else f"{_named(lead[0])} ahead moves on",
    )


def _open(spec: SceneSpec, actors: list[Actor], lane: int, until: float) -> bool:
    """Whether a lane of ours exists and is free to go around something that ends `until` metres ahead."""
    if not 0 <= lane < spec.road.lanes:
        return False
    centre = lane_centre(spec.road, lane)
    for a in actors:
        if (
            a.y < until + 7
            and abs(a.x - centre) < HALF + _half_width(a)
            and not (a.state == "moving" and a.speed > spec.ego.speed and a.y > until)
        ):
            return False
    return True


def _named(actor: Actor) -> str:
    name = (
        "a child" if actor.state == "playing" else "an officer" if actor.state == "directing" else label(actor.category)
    )
    if name[:2] in ("a ", "an"):
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"

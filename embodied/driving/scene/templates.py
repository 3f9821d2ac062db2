"""Corner-case templates: what goes wrong on a road, drawn from a seed with its surroundings, and the same street
without it.

The list follows CODA's reasons for corner cases (Li et al. 2022: objects of unusual category, place or behaviour) and
the hazards that closed-loop benchmarks use. All placements are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from embodied.driving.scene.objects import SIZES
from embodied.driving.scene.road import CROSSING, edges, lane_centre
from embodied.driving.scene.spec import Actor, Ego, LightState, Road, SceneSpec, Surroundings, Time, Weather
from embodied.seeding import generator

PAVED = (
    "dustbin",
    "phone_booth",
    "sentry_box",
    "traffic_box",
    "chair",
    "basket",
    "garbage",
    "garbage_bag",
    "bicycle",
    "bollard",
    "cart",
    "suitcase",
    "carton",
)
"""Things that may stand on a pavement without mattering."""
COLOURS = ("red", "blue", "white", "black", "silver", "green", "grey")


@dataclass
class Street:
    """A scene while it is being made."""

    rng: np.random.Generator
    road: Road
    actors: list[Actor] = field(default_factory=list)
    light: LightState = ""
    ego: Ego = field(default_factory=Ego)

    def put(self, category: str, x: float, y: float, **more: object) -> None:
        """Adds an actor; positions are kept to the centimetre."""
        place = round(float(x), 2), round(float(y), 2)
        # fields of Actor
        self.actors.append(Actor(len(self.actors) + 1, category, *place, **more))  # type: ignore[arg-type]

    def hazard(self, category: str, x: float, y: float, **more: object) -> None:
        """Adds what makes the scene a corner case."""
        self.put(category, x, y, corner_case=True, **more)

    def uniform(self, low: float, high: float) -> float:
        return round(float(self.rng.uniform(low, high)), 2)

    def pick(self, options: Sequence[str]) -> str:
        return options[int(self.rng.integers(len(options)))]

    def free(self, x: float, y: float, category: str, gap: float = 0.8) -> bool:
        """Whether there is room for an upright one at a place."""
        wide, long, _ = SIZES[category]
        for other in self.actors:
            ow, ol, _ = SIZES[other.category]
            turned = abs(other.yaw) % 180 > 45
            ow, ol = (ol, ow) if turned else (ow, ol)
            if abs(other.x - x) < (wide + ow) / 2 + gap and abs(other.y - y) < (long + ol) / 2 + gap:
                return False
        return True


Template = Callable[[Street, str], None]
"""Puts a hazard on a street: with the category it is about."""


def fallen_cargo(s: Street, what: str) -> None:
    """Load that a truck ahead has lost lies in the ego lane."""
    y = s.uniform(15, 19)
    for k, (dx, dy, yaw) in enumerate(((-0.6, 0.0, 20), (0.7, 1.6, -35), (-0.2, 3.4, 70))):
        s.hazard(
            what if k != 1 else "suitcase",
            dx,
            y + dy,
            yaw=yaw,
            state="lying" if what == "suitcase" else "",
            colour="" if k != 1 else "red",
        )
    s.put(
        "truck", 0.0, y + 20, colour=s.pick(("white", "green", "blue")), state="moving", motion="constant", speed=11.0
    )


def overturned_vehicle(s: Street, what: str) -> None:
    """A vehicle lies on its side across our lanes."""
    middle = (lane_centre(s.road, 0) + lane_centre(s.road, s.road.lanes - 1)) / 2
    y = s.uniform(24, 29)
    s.hazard(what, middle, y, yaw=s.uniform(76, 100), state="overturned", colour=s.pick(("white", "red", "silver")))
    s.hazard("debris", s.uniform(-1, 1), y - 6, yaw=30)


def animal_crossing(s: Street, what: str) -> None:
    """An animal runs across from the right."""
    y = s.uniform(13, 16) if what == "dog" else s.uniform(10, 12)
    right = edges(s.road)[1]
    path = ((0.0, 0.9, y), (2.0, -2.5, y), (6.0, edges(s.road)[0] - 2, y))
    s.hazard(
        what,
        s.uniform(0.3, 0.9),
        y,
        yaw=90,
        state="crossing",
        motion="waypoints",
        path=path,
        trigger=round(y + 14, 1),
        speed=1.5,
    )
    s.put("pedestrian", right + 1.2, y + 2, colour=s.pick(("blue", "green", "purple")), state="standing", yaw=90)


def wrong_way(s: Street, what: str) -> None:
    """A vehicle comes towards us in our lane."""
    s.hazard(
        what,
        s.uniform(-0.3, 0.3),
        s.uniform(30, 36),
        yaw=180,
        state="oncoming",
        colour=s.pick(COLOURS),
        motion="constant",
        speed=6.0,
    )


def broken_down(s: Street, what: str) -> None:
    """A vehicle stands in our lane with its hazard lights on; somebody is at its side."""
    y = s.uniform(17, 22)
    s.hazard(what, s.uniform(-0.2, 0.2), y, state="broken down", colour=s.pick(COLOURS))
    side = 1 if s.road.ego_lane == s.road.lanes - 1 else -1
    s.hazard("pedestrian", side * 1.5, y - 2.5, yaw=180, colour="yellow", state="standing")


def work_zone(s: Street, what: str) -> None:
    """Cones close our lane before a building site in it."""
    y = s.uniform(12, 14)
    out = 1 if s.road.ego_lane == s.road.lanes - 1 else -1  # the side that the closed lane's edge is on
    for k in range(5):
        s.hazard("traffic_cone", out * (1.3 - 0.7 * k), y + 1.9 * k)
    s.hazard("barrier", out * 0.2, y + 10.5)
    s.hazard(what, 0.0, y + 15, yaw=20)
    s.hazard("pedestrian", -out * 0.9, y + 12, colour="orange", state="working", yaw=120)
    s.put("warning_sign", edges(s.road)[1] + 0.7, y + 3)


def obstacle(s: Street, what: str) -> None:
    """Something lies in our lane that a car must not run over."""
    near = {"tire": (12, 15), "stone": (11, 14), "chair": (11, 14), "basket": (9, 11), "garbage_bag": (9, 12)}.get(
        what, (13, 17)
    )
    s.hazard(what, s.uniform(-0.4, 0.4), s.uniform(*near), yaw=s.uniform(-30, 30))


def slow_crossing(s: Street, what: str) -> None:
    """Somebody with wheels crosses, slowly."""
    y = (s.road.crossing or s.uniform(13, 16)) + (CROSSING / 2 if s.road.crossing else 0)
    path = ((0.0, 1.2, y), (2.0, -0.3, y), (9.0, edges(s.road)[0] - 2, y))
    colour = {"stroller": "red", "wheelchair": "blue", "cart": "brown", "bicycle": "green"}.get(what, "")
    s.hazard(
        what,
        s.uniform(0.2, 1.2),
        y,
        yaw=90,
        state="crossing",
        colour=colour,
        motion="waypoints",
        path=path,
        trigger=round(y + 14, 1),
        speed=0.9,
    )


def oversize_load(s: Street, what: str) -> None:
    """A wide load crawls ahead and takes parts of two lanes."""
    other = lane_centre(s.road, s.road.ego_lane + (1 if s.road.ego_lane == 0 and s.road.lanes > 1 else -1))
    s.hazard(
        what,
        other * 0.38,
        s.uniform(20, 25),
        state="moving",
        colour=s.pick(("orange", "yellow", "red")),
        motion="constant",
        speed=3.0,
    )


def officer_overrides(s: Street, what: str) -> None:
    """The light is green, and an officer stands in the lane and holds the traffic up."""
    y = s.uniform(13, 16)
    s.light = "green"
    s.put("traffic_light", edges(s.road)[1] + 0.6, y + 6, state="green")
    s.hazard(what, s.uniform(-0.4, 0.4), y, yaw=180, state="directing", colour="yellow")


def stepping_out(s: Street, what: str) -> None:
    """Someone comes out from behind a vehicle that stands at the right."""
    right = edges(s.road)[1]
    y = s.uniform(13, 16)
    beside = lane_centre(s.road, s.road.ego_lane + 1) if s.road.ego_lane < s.road.lanes - 1 else right + 0.6
    s.put(
        "bus" if s.rng.integers(2) else "truck",
        beside,
        y - 0.2 + 5.0 - 8.0 + 3.0,
        state="parked",
        colour=s.pick(("yellow", "red", "white")),
    )
    front = y + 7.5
    x = beside - 1.9
    path = ((0.0, x, front), (1.5, x - 1.6, front), (6.0, edges(s.road)[0] - 1, front))
    s.hazard(
        what,
        x,
        front,
        yaw=90,
        state="playing",
        colour=s.pick(("red", "orange", "pink")),
        motion="waypoints",
        path=path,
        trigger=22.0,
        speed=1.1,
    )


def slow_machine(s: Street, what: str) -> None:
    """A machine crawls along our lane."""
    s.hazard(what, s.uniform(-0.3, 0.3), s.uniform(19, 24), state="moving", motion="constant", speed=1.5)


def closed_road(s: Street, what: str) -> None:
    """Barriers stand across all our lanes."""
    y = s.uniform(16, 20)
    left, right = (-s.road.ego_lane - 0.5) * s.road.lane_width, edges(s.road)[1]
    for x in np.arange(left + 1.2, right - 0.5, 2.3):
        s.hazard(what, float(x), y)
    s.hazard("bollard", left + 0.1, y - 0.6)
    s.hazard("traffic_sign", right - 0.2, y - 1.2, colour="red")


def rider_cuts_in(s: Street, what: str) -> None:
    """A rider swerves into our lane from the right."""
    y = s.uniform(10, 13)
    path = ((0.0, 1.1, y), (1.5, 0.4, y + 8), (20.0, 0.3, y + 82))
    s.hazard(
        what,
        1.0,
        y,
        yaw=14,
        state="moving",
        colour=s.pick(("red", "blue", "green")),
        motion="waypoints",
        path=path,
        trigger=40.0,
        speed=4.5,
    )


def harmless(s: Street, what: str) -> None:
    """Something light blows across: nothing to brake for."""
    y = s.uniform(9, 11)
    path = ((0.0, 0.4, y), (5.0, -4.5, y + 2))
    s.hazard(what, s.uniform(-0.2, 0.5), y, yaw=15, motion="waypoints", path=path, speed=1.0)


TEMPLATES: dict[str, tuple[Template, tuple[str, ...]]] = {
    "fallen_cargo": (fallen_cargo, ("carton", "suitcase")),
    "overturned_vehicle": (overturned_vehicle, ("truck", "car", "recreational_vehicle")),
    "animal_crossing": (animal_crossing, ("dog", "cat")),
    "wrong_way": (wrong_way, ("car", "truck")),
    "broken_down": (broken_down, ("car", "recreational_vehicle")),
    "work_zone": (work_zone, ("construction_vehicle", "machinery")),
    "obstacle": (obstacle, ("tire", "stone", "concrete_block", "debris", "misc", "chair", "garbage_bag", "basket")),
    "slow_crossing": (slow_crossing, ("stroller", "wheelchair", "cart")),
    "oversize_load": (oversize_load, ("trailer",)),
    "officer_overrides": (officer_overrides, ("pedestrian",)),
    "stepping_out": (stepping_out, ("pedestrian",)),
    "slow_machine": (slow_machine, ("construction_vehicle", "machinery")),
    "closed_road": (closed_road, ("barrier",)),
    "rider_cuts_in": (rider_cuts_in, ("moped", "tricycle", "cyclist", "motorcycle")),
    "harmless": (harmless, ("plastic_bag",)),
}
"""Name -> what makes it, and the categories it may be about."""


def make(
    name: str,
    template: str,
    what: str,
    seed: int,
    *,
    weather: Weather,
    time: Time,
    surroundings: Surroundings,
    extras: Sequence[str] = (),
) -> tuple[SceneSpec, SceneSpec]:
    """A corner case and its twin without the hazard.

    Args:
        name: Of the scene; the pictures are `name_1` (with) and `name_0` (without).
        template: One of `TEMPLATES`.
        what: The category it is about.
        seed: Decides all that is not named here.
        weather: Of both.
        time: Of both.
        surroundings: Of both.
        extras: Categories that stand about besides.
    """
    rng = generator(seed, "scene", template, what)
    lanes = 3 if surroundings == "motorway" else 2
    opposite = 0 if surroundings == "motorway" else 1
    crossing = (
        float(rng.integers(11, 15)) if template == "slow_crossing" and surroundings in ("city", "suburb") else None
    )
    road = Road(
        lanes=lanes, ego_lane=int(rng.integers(lanes)), opposite=opposite, surroundings=surroundings, crossing=crossing
    )
    if template == "stepping_out":
        road = replace(road, ego_lane=lanes - 1)
    elif template == "wrong_way":
        road = replace(road, ego_lane=0)
    limit = {"city": 13.9, "suburb": 13.9, "rural": 19.4, "motorway": 25.0}[surroundings]
    street = Street(rng, road, ego=Ego(speed=10.0, limit=limit))
    TEMPLATES[template][0](street, what)
    _surround(street, extras)
    present = SceneSpec(
        f"{name}_1", template, seed, road, street.ego, weather, time, street.light, tuple(street.actors), f"{name}_0"
    )
    absent = replace(
        present, name=f"{name}_0", actors=tuple(a for a in street.actors if not a.corner_case), twin=f"{name}_1"
    )
    return present, absent


def _surround(s: Street, extras: Sequence[str]) -> None:
    """What else is on the street: traffic in other lanes, people on the pavement, and `extras`. None of it is in the
    ego lane.
    """
    left, right = edges(s.road)
    for lane in range(-s.road.opposite, s.road.lanes):
        if lane == s.road.ego_lane:
            continue
        oncoming = lane < 0
        y = s.uniform(26, 40) if oncoming else s.uniform(30, 44)
        kind = s.pick(("car", "car", "bus")) if oncoming else "car"
        x = lane_centre(s.road, lane)
        if s.free(x, y, kind, 2.0):
            s.put(
                kind,
                x,
                y,
                yaw=180 if oncoming else 0,
                state="oncoming" if oncoming else "moving",
                colour=s.pick(COLOURS),
                motion="idm",
                speed=8.0 if oncoming else 11.0,
            )
    paved = s.road.surroundings in ("city", "suburb")
    if paved:
        for _ in range(2):
            side = 1 if s.rng.integers(2) else -1
            x, y = (right + s.uniform(1.0, 2.4)) if side > 0 else (left - s.uniform(1.0, 2.4)), s.uniform(9, 26)
            if s.free(x, y, "pedestrian"):
                s.put(
                    "pedestrian",
                    x,
                    y,
                    yaw=180 * int(s.rng.integers(2)),
                    state="walking",
                    colour=s.pick((*COLOURS, "purple")),
                    motion="constant",
                    speed=1.2,
                )
    for extra in extras:
        _extra(s, extra, left, right, paved)


def _extra(s: Street, category: str, left: float, right: float, paved: bool) -> None:
    """Puts something where it belongs, if there is room."""
    colour = {
        "bicycle": "green",
        "recreational_vehicle": "white",
        "tram": "red",
        "motorcycle": "blue",
        "truck": "blue",
        "cyclist": "blue",
    }.get(category, "")
    for _ in range(12):
        y = s.uniform(10, 24)
        if category in ("tram", "bus", "truck") and s.road.opposite:
            x, y, more = (
                lane_centre(s.road, -1),
                s.uniform(24, 50),
                {"yaw": 180, "state": "oncoming", "motion": "idm", "speed": 7.0},
            )
        elif category in ("car", "recreational_vehicle", "truck", "bus", "tram", "trailer"):
            x, y, more = right + 1.6, s.uniform(15, 30), {"state": "parked"}
        elif category in ("motorcycle", "moped", "cyclist", "tricycle"):
            x, more = right - 0.55, {"state": "moving", "motion": "constant", "speed": 4.0}
            if s.road.ego_lane == s.road.lanes - 1:
                x, more = right + 0.7, {"state": "parked"}
            y = s.uniform(13, 24)
        elif category == "traffic_island":
            x, y, more = right + 1.4, s.uniform(14, 22), {}
        elif category in (
            "warning_sign",
            "traffic_sign",
            "traffic_light",
            "bollard",
            "traffic_box",
            "barrier",
            "traffic_cone",
        ):
            x, more = right + 0.6, ({"state": "green"} if category == "traffic_light" else {})
        else:
            x, more = right + s.uniform(0.7, 2.2 if paved else 1.4), {}
        if s.free(x, y, category, 0.4):
            if category == "traffic_light":
                s.light = "green"
            s.put(category, x, y, **{**({"colour": colour} if colour else {}), **more})
            return

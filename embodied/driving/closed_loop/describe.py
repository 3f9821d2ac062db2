"""A scene in motion in words: what instruments know and, for agents without pictures, what can be seen ahead. The
description says what things are, where they are and how they move. It does not say which of them matters. It names what
a picture would show: within sight, within the camera's field, not hidden behind something nearer.
"""

from __future__ import annotations

import math

import numpy as np

from embodied.driving.categories import label
from embodied.driving.closed_loop.actors import Mover
from embodied.driving.closed_loop.bicycle import HALF_LENGTH
from embodied.driving.closed_loop.boxes import corners
from embodied.driving.closed_loop.world import World
from embodied.driving.scene.objects import colour_of, extent
from embodied.driving.scene.render import EYE, VISIBILITY
from embodied.driving.scene.road import edges, lane_of
from embodied.quantities import counted

FARTHEST, NIGHT, CONTRAST = 80.0, 60.0, 0.6
"""Metres up to which things are named by day and by night (headlamps), and the share of the meteorological range at
which something can still be recognised.
"""
FIELD = 34.0
"""Degrees to each side: half of the camera's field across."""
HIDDEN = 0.75
"""Share of its breadth from which on something nearer, at least as tall to the eye, hides a thing."""

_NAMES = {"playing": "child with a ball", "directing": "officer directing traffic", "working": "worker"}
_MOTION = frozenset({"", "moving", "oncoming", "walking", "crossing", "running", "wrong way", "stopped", *_NAMES})
"""States that the motion says, or the name."""


def instruments(world: World, full: bool) -> str:
    """What the car knows of itself: speed and lane; with `full` also limit, road, light and weather, way and what it
    was told.
    """
    spec, s = world.plan.spec, world.state
    road = spec.road
    lane = lane_of(road, s.x)
    number = (
        "off the road"
        if lane is None
        else (
            f"in the oncoming lane ({-lane} to the left of yours)"
            if lane < 0
            else f"in lane {lane + 1} of {road.lanes}"
        )
    )
    if not full:
        return (
            f"Speed {s.speed:.1f} m/s,"
            f" {number}{' from the left' if lane is not None and lane >= 0 and road.lanes > 1 else ''}."
        )
    lanes = f"{counted(road.lanes, 'lane')} in your direction"
    oncoming = (
        f", {counted(road.opposite, 'oncoming lane')} to the left of {'them' if road.lanes > 1 else 'it'}"
        if road.opposite
        else ""
    )
    weather = {"clear": "Clear weather", "rain": "Rain", "fog": "Fog", "snow": "Snow"}[spec.weather]
    hour = {"day": "by day", "dusk": "at dusk", "night": "at night"}[spec.time]
    aim = (
        ""
        if world.pilot.lane == lane
        else f" You are changing to the {'left' if world.pilot.target < s.x else 'right'}."
    )
    return (
        f"{world.time:.1f} s: speed {s.speed:.1f} m/s; cruising speed {world.plan.speed:.1f} m/s, limit"
        f" {spec.ego.limit:.1f} m/s.\nRoad: {lanes}{oncoming}. You are"
        f" {number}{' (1 is the leftmost)' if road.lanes > 1 else ''}.{aim}\n{weather}, {hour}."
        f" {max(0.0, world.plan.goal - s.y):.0f} m to go."
    )


def ahead(world: World) -> str:
    """What can be seen ahead, a line each, the nearest first."""
    seen = sorted(visible(world), key=lambda m: _gap(world, m))
    if not seen:
        return "Ahead: nothing but the road."
    return "\n".join(["Ahead:", *(f"- {_sentence(world, m)}" for m in seen)])


def visible(world: World) -> list[Mover]:
    """The actors that a look ahead would show."""
    spec, s = world.plan.spec, world.state
    reach = min(FARTHEST, NIGHT if spec.time == "night" else FARTHEST, CONTRAST * VISIBILITY[spec.weather])
    views = []
    for mover in world.movers:
        points = corners(np.array(mover.box())) - np.array([s.x, s.y])
        along = -points[:, 0] * math.sin(s.heading) + points[:, 1] * math.cos(s.heading)
        across = points[:, 0] * math.cos(s.heading) + points[:, 1] * math.sin(s.heading)
        if along.min() < 1.0 or along.min() > reach:
            continue
        angles = np.degrees(np.arctan2(across, along))
        if angles.max() < -FIELD or angles.min() > FIELD:
            continue
        views.append(
            (
                float(along.min()),
                float(angles.min()),
                float(angles.max()),
                (extent(mover.actor)[2] - EYE) / float(along.min()),
                mover,
            )
        )
    return [view[-1] for view in views if not any(_hides(other, view) for other in views)]


_Seen = tuple[float, float, float, float, Mover]
"""How far another is, between which angles, how high, and which it is."""


def _hides(near: _Seen, far: _Seen) -> bool:
    if near[0] >= far[0] or near[3] < far[3]:
        return False
    shared = min(near[2], far[2]) - max(near[1], far[1])
    return bool(shared > HIDDEN * (far[2] - far[1]))


def _sentence(world: World, mover: Mover) -> str:
    actor = mover.actor
    name = _NAMES.get(actor.state, label(actor.category))
    words = " ".join(w for w in (colour_of(actor), name) if w)
    state = "" if actor.state in _MOTION else f", {actor.state},"
    return (
        f"{'an' if words[0] in 'aeiou' else 'a'} {words}{state} {_place(world, mover)}, {_gap(world, mover):.0f} m"
        f" ahead, {_motion(mover)}"
    )


def _gap(world: World, mover: Mover) -> float:
    """Metres along the road from the front of the car."""
    return max(0.0, float(corners(np.array(mover.box()))[:, 1].min()) - world.state.y - HALF_LENGTH)


def _place(world: World, mover: Mover) -> str:
    road, s = world.plan.spec.road, world.state
    left, _ = edges(road)
    xs = corners(np.array(mover.box()))[:, 0]
    own, its = lane_of(road, s.x), lane_of(road, float(xs.mean()))
    if own is not None and its == own:
        return "in your lane"
    if its is None:
        where = "left of the road" if xs.mean() < left else "right of the road"
    elif its < 0:
        where = "in the oncoming lane" if its == -1 else "in an oncoming lane"
    else:
        where = f"in the lane to your {'left' if xs.mean() < s.x else 'right'}"
    if own is not None:
        middle = (own - road.ego_lane) * road.lane_width
        inside = min(xs.max(), middle + road.lane_width / 2) - max(xs.min(), middle - road.lane_width / 2)
        where += ", reaching into your lane" if inside > 0.3 else ""
    return where


def _motion(mover: Mover) -> str:
    vx, vy = mover.velocity
    if math.hypot(vx, vy) < 0.1:
        return "not moving"
    if abs(vx) > abs(vy):
        return f"moving to the {'left' if vx < 0 else 'right'} at {abs(vx):.1f} m/s"
    return f"moving {'your way' if vy > 0 else 'towards you'} at {abs(vy):.1f} m/s"

"""A moment of highway-env in words: the ego car, and its neighbours by lane, gap and speed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from embodied.arrays import Floats
from embodied.envs.words import side
from embodied.quantities import counted

SIGHT = 100.0
"""Metres."""
MOST = 8
"""Neighbours named, the nearest first."""


def describe(env: Any, family: str) -> str:
    """The text of the present state: metres, metres a second, degrees."""
    car = env.vehicle
    lines = [f"Speed {car.speed:.1f} m/s{_cruising(car)}."]
    if family == "parking":
        lines.append(_goal(env))
    elif family in ("lane-keeping", "racetrack"):
        lines += [_lane(env), _bend(env)]
    else:
        lines.append(_lane(env))
    others = _neighbours(env, family)
    lines += ["Around you:", *(f"- {o}" for o in others)] if others else ["Nobody is near."]
    return "\n".join(line for line in lines if line)


def _cruising(car: Any) -> str:
    speeds = getattr(car, "target_speeds", None)
    if speeds is None:
        return ""
    return f", cruising speed set to {car.target_speed:.1f} of {', '.join(f'{s:g}' for s in speeds)} m/s"


def _lane(env: Any) -> str:
    car = env.vehicle
    lanes = env.road.network.all_side_lanes(car.lane_index)
    along, aside = car.lane.local_coordinates(car.position)
    number = car.lane_index[2]
    words = f"You are in lane {number + 1} of {len(lanes)}" + (" (1 is the leftmost)" if len(lanes) > 1 else "")
    if not car.on_road:
        words = "You are off the road, beside lane " + str(number + 1)
    off = f", {abs(aside):.1f} m {side(aside)} of its middle" if abs(aside) > 0.3 else ""
    aim = getattr(car, "target_lane_index", car.lane_index)
    changing = f"; changing to lane {aim[2] + 1}" if aim[:2] == car.lane_index[:2] and aim[2] != number else ""
    left = car.lane.length - along
    end = f" This stretch of road ends in {left:.0f} m." if 0 < left < SIGHT else ""
    return f"{words}{off}{changing}.{end}"


def _bend(env: Any) -> str:
    """Where the lane leads, seen from the car."""
    words = []
    for ahead in (5.0, 10.0, 20.0):
        point = lane_point(env, ahead)
        along, aside = _seen_from(env.vehicle, point)
        words.append(f"{abs(aside):.1f} m {side(aside)} {along:.0f} m ahead")
    turned = math.degrees(
        _wrap(
            env.vehicle.lane.heading_at(env.vehicle.lane.local_coordinates(env.vehicle.position)[0])
            - env.vehicle.heading
        )
    )
    way = (
        "along the lane"
        if abs(turned) < 2
        else f"{abs(turned):.0f} degrees too far to the {'left' if turned > 0 else 'right'}"
    )
    return f"You point {way}. The middle of the lane is {', '.join(words)}."


def lane_point(env: Any, ahead: float) -> Floats:
    """The middle of the car's lane so many metres on, on the next stretch where this one ends; (2,) metres."""
    car, network = env.vehicle, env.road.network
    winding = env.__class__.__name__ == "LaneKeepingEnv"  # its lanes are not a road network
    lane, index = env.lane if winding else car.lane, car.lane_index
    along = lane.local_coordinates(car.position)[0] + ahead
    if along > lane.length and not winding:
        following = network.next_lane(index, position=car.position, np_random=np.random.RandomState(0))
        if following != index:
            along, lane = along - lane.length, network.get_lane(following)
    return np.asarray(lane.position(along, 0.0))


def _goal(env: Any) -> str:
    car, goal = env.vehicle, env.vehicle.goal
    along, aside = _seen_from(car, goal.position)
    turn = math.degrees(_wrap(goal.heading - car.heading))
    way = "as it does" if abs(turn) < 3 else f"{abs(turn):.0f} degrees to the {side(turn)} of you"
    aside_words = f"{abs(aside):.1f} m to the {side(aside)}"
    where = f"{abs(along):.1f} m {'ahead' if along >= 0 else 'behind'} and {aside_words}"
    x, y = car.position
    return (
        f"The middle of the goal is {where}; it points {way}. The walls are {35 - abs(x):.0f} m and {21 - abs(y):.0f} m"
        " away."
    )


def _neighbours(env: Any, family: str) -> list[str]:
    car = env.vehicle
    others = [
        (float(np.linalg.norm(o.position - car.position)), o)
        for o in (*env.road.vehicles, *env.road.objects)
        if o is not car
    ]
    near = sorted(
        (d, k, o)
        for k, (d, o) in enumerate(others)
        if d < (25.0 if family == "parking" else SIGHT) and getattr(o, "solid", True)
    )
    near = [(d, k, o) for d, k, o in near if o.__class__.__name__ != "Landmark" and getattr(o, "LENGTH", 5) < 20]
    return [_neighbour(env, o) for _, _, o in near[:MOST]]


def _neighbour(env: Any, other: Any) -> str:
    car = env.vehicle
    thing = "an obstacle" if other.__class__.__name__ == "Obstacle" else "a car"
    turn = _wrap(other.heading - car.heading)
    along, aside = _seen_from(car, other.position)
    straight: float | None = None
    other_lane = 0
    if car.lane.__class__.__name__ == "StraightLane" and (abs(turn) < 0.5 or abs(turn) > 2.6):
        here, there = car.lane.local_coordinates(car.position)[0], car.lane.local_coordinates(other.position)
        straight, other_lane = float(there[0] - here), round(float(there[1]) / car.lane.width_at(0))
    if straight is not None and abs(other_lane) <= 4:
        gap = max(0.0, abs(straight) - (car.LENGTH + other.LENGTH) / 2)
        lane = "in your lane" if other_lane == 0 else f"{counted(abs(other_lane), 'lane')} to the {side(other_lane)}"
        beside = gap == 0 and other_lane
        where = f"beside you, {lane}" if beside else f"{'ahead' if straight >= 0 else 'behind'} {lane}, gap {gap:.0f} m"
    else:
        where = f"{abs(along):.0f} m {'ahead' if along >= 0 else 'behind'} and {abs(aside):.0f} m to the {side(aside)}"
    return f"{thing} {where}{_pace(car, other, turn)}"


def _pace(car: Any, other: Any, turn: float) -> str:
    if abs(other.speed) < 0.1:
        return ", standing"
    if abs(turn) > 2.6:
        return f", coming towards you at {other.speed:.1f} m/s"
    if abs(turn) > 0.5:
        return f", driving to the {side(turn)} at {other.speed:.1f} m/s"
    faster = other.speed - car.speed
    how = (
        "as fast as you" if abs(faster) < 0.25 else f"{abs(faster):.1f} {'faster' if faster > 0 else 'slower'} than you"
    )
    return f", {other.speed:.1f} m/s ({how})"


def _seen_from(car: Any, point: Floats) -> tuple[float, float]:
    """Metres ahead and to the right of the car (highway-env's y points right of x)."""
    dx, dy = np.asarray(point) - car.position
    c, s = math.cos(car.heading), math.sin(car.heading)
    return float(dx * c + dy * s), float(-dx * s + dy * c)


def _wrap(angle: float) -> float:
    return float((angle + math.pi) % (2 * math.pi) - math.pi)

"""The rule-based driver: forecasts all cars for a few seconds, at constant speed along their lanes, and takes the best
phrase.

It knows the simulator's state, as highway-env's own planners do, but not what the others will decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from embodied.arrays import Floats
from embodied.driving.closed_loop.boxes import meet
from embodied.driving.highway import parking
from embodied.driving.highway.tasks import META, MOVE, STEER, Setup
from embodied.driving.highway.words import lane_point

SECONDS = np.arange(0.5, 5.01, 0.5)
"""When it looks, seconds from now."""
MARGIN = 1.0
"""Metres kept ahead and behind, plus 0.4 s of way (0.15 s if the car must reach an exit); to the side, half of it."""
CROSSING = 5
"""How many of those moments it trusts where ways cross: cars that cross change their speed."""
ONCOMING = 250.0
"""Metres."""
LaneIndex = tuple[str, str, int]
"""highway-env's name of a lane: the nodes it joins, and its number between them."""
REACH = 120.0
"""Metres within which others matter."""


class Driver:
    """A driver of one episode."""

    def __init__(self, env: Any, family: str, setup: Setup):
        self._env, self._family, self._setup = env, family, setup
        self._way: list[str] | None = None

    def decide(self) -> str:
        """The phrase it would say now."""
        if self._family == "parking":
            return self._park()
        if self._family in ("lane-keeping", "racetrack") or not hasattr(self._env.vehicle, "target_speeds"):
            return self._steer()
        actions = self._env.action_type.actions
        possible = {actions[k] for k in self._env.get_available_actions()}
        fares = {META[name][0]: self._fare(name) for name in actions.values() if name in possible}
        return max(fares, key=lambda phrase: round(fares[phrase], 6))

    # ----------------------------------------------------------------- phrases of speed and lane

    def _fare(self, name: str) -> float:
        env, car = self._env, self._env.vehicle
        speeds = [float(speed) for speed in car.target_speeds]
        index = car.speed_index + {"FASTER": 1, "SLOWER": -1}.get(name, 0)
        speed = speeds[min(max(index, 0), len(speeds) - 1)]
        lane = car.target_lane_index
        if name in ("LANE_LEFT", "LANE_RIGHT"):
            lane = (*lane[:2], lane[2] + (1 if name == "LANE_RIGHT" else -1))
            lanes = len(env.road.network.all_side_lanes(car.target_lane_index))
            if not 0 <= lane[2] < lanes:
                return -1e6
        danger = self._danger(speed, lane)
        gain: float = (
            4.0 * speed / max(speeds) - (0.5 if name.startswith("LANE") else 0.0) - (0.1 if name != "IDLE" else 0.0)
        )
        lanes = len(env.road.network.all_side_lanes(lane))
        if self._family == "exit":
            gain += 5.0 * lane[2] - 4.0 * speed / max(speeds) * (lane[2] < lanes - 1)
        elif self._family == "two-way":
            gain += 1.5 * (lane[2] == 1) - 8.0 * (lane[2] == 0 and self._somebody_comes())
        elif self._family == "highway":
            gain += 0.8 * lane[2] / max(1, lanes - 1)
        return gain - danger

    def _somebody_comes(self) -> bool:
        """Whether there is oncoming traffic in the way of overtaking, which takes some 5 s at 50
        m/s between the two.
        """
        car = self._env.vehicle
        ahead = np.array([math.cos(car.heading), math.sin(car.heading)])
        others = [o for o in self._env.road.vehicles if math.cos(o.heading - car.heading) < 0]
        return any(-5 < (o.position - car.position) @ ahead < ONCOMING for o in others)

    def _danger(self, speed: float, lane: LaneIndex) -> float:
        car, env = self._env.vehicle, self._env
        own = self._way_along(speed, lane)
        others = [
            o
            for o in (*env.road.vehicles, *env.road.objects)
            if o is not car and np.linalg.norm(o.position - car.position) < REACH
        ]
        if not others:
            return 0.0
        rows = np.array([_forecast(env, o) for o in others])  # (n, T, 5)
        cost = 0.0
        for aside, ahead, price in (
            (
                MARGIN / 2,
                MARGIN + (0.15 if self._family == "exit" else 0.4) * speed,
                5.0 if self._family == "exit" else 15.0,
            ),
            (0.1, 0.3, 60.0),
        ):
            boxes = own.copy()
            boxes[:, 2] += aside
            boxes[:, 3] += ahead
            until = CROSSING if self._family in ("intersection", "roundabout") else None
            hit = np.flatnonzero(np.asarray(meet(boxes[None], rows).any(axis=0))[:until])
            if not len(hit):
                return cost
            cost += (
                price * (1.2 - SECONDS[hit[0]] / SECONDS[-1] * 0.8) * (0.4 + speed / max(car.target_speeds[-1], 1.0))
            )
        return cost

    def _way_along(self, speed: float, lane: LaneIndex) -> Floats:
        """Rectangles (T, 5) of the ego car: its speed goes to `speed` within a second and a half, its place to `lane`
        within two.
        """
        car, network = self._env.vehicle, self._env.road.network
        here, route = car.lane.local_coordinates(car.position), getattr(car, "route", None)
        rows = []
        for t in SECONDS.tolist():
            rising = min(t, 1.5)
            along = car.speed * rising + (speed - car.speed) * rising**2 / 3.0 + speed * (t - rising)
            place, heading = _on_road(network, route or [lane], lane, along + here[0])
            old, _ = _on_road(network, route or [car.lane_index], car.lane_index, along + here[0])
            share = min(1.0, t / 2.0)
            x, y = np.asarray(place) * share + np.asarray(old) * (1 - share)
            rows.append((x, y, car.WIDTH / 2, car.LENGTH / 2, heading - math.pi / 2))
        return np.array(rows)

    # ----------------------------------------------------------------- phrases of wheel and pedals

    def _steer(self) -> str:
        """Pure pursuit of the lane's middle, to the nearest phrase. If it is behind the car, the car turns around."""
        car = self._env.vehicle
        reach = max(5.0, 0.7 * abs(car.speed))
        dx, dy = lane_point(self._env, reach) - car.position
        aside = -dx * math.sin(car.heading) + dy * math.cos(car.heading)
        limit = self._env.action_type.steering_range[1]
        wanted = math.atan(2 * aside * car.LENGTH / 2 / (dx * dx + dy * dy)) / limit
        if dx * math.cos(car.heading) + dy * math.sin(car.heading) <= 0:
            wanted = math.copysign(1.0, aside)  # pursuit would go straight away from a point right behind the car
        if self._env.action_type.size == 2:  # pedals, too
            return min((p for p in MOVE if MOVE[p][0] > 0), key=lambda phrase: abs(MOVE[phrase][1] - wanted))
        return min(STEER, key=lambda phrase: abs(STEER[phrase][0] - wanted))

    def _park(self) -> str:
        env, car = self._env, self._env.vehicle
        if self._way is None:
            parked = [o.position for o in env.road.vehicles if o is not car]
            goal = (float(car.goal.position[0]), float(car.goal.position[1]), float(car.goal.heading))
            start = (float(car.position[0]), float(car.position[1]), float(car.heading), float(car.speed))
            self._way = parking.plan(
                start, goal, self._setup.pace, lambda x, y: any(math.hypot(x - p[0], y - p[1]) < 3.4 for p in parked)
            )
        return self._way[0] if self._way else "brake"

    def follow(self, phrase: str) -> None:
        """Takes note of what was done."""
        if self._way:
            self._way = self._way[1:] if phrase == self._way[0] else None


def _forecast(env: Any, other: Any) -> list[tuple[float, float, float, float, float]]:
    """Rectangles of another for each of `SECONDS`: at constant speed along its lane and route."""
    half = (getattr(other, "WIDTH", 2.0) / 2, getattr(other, "LENGTH", 2.0) / 2)
    if abs(other.speed) < 0.1 or other.__class__.__name__ == "Obstacle":
        return [(*other.position, *half, other.heading - math.pi / 2)] * len(SECONDS)
    along, aside = other.lane.local_coordinates(other.position)
    rows = []
    for t in SECONDS:
        (x, y), heading = _on_road(
            env.road.network,
            getattr(other, "route", None) or [other.lane_index],
            other.lane_index,
            along + other.speed * t,
            aside,
        )
        rows.append((x, y, *half, heading - math.pi / 2))
    return rows


def _on_road(
    network: Any, route: Sequence[LaneIndex], lane: LaneIndex, along: float, aside: float = 0.0
) -> tuple[Any, float]:
    """Position and heading so many metres along a lane, and along the route where the lane ends."""
    rest = list(route[1:]) if route[0][:2] == lane[:2] else []
    found, number = network.get_lane(lane), lane[2]
    for start, end, wanted in rest:
        if along <= found.length:
            break
        lanes = network.graph[start][end]
        number = min(number if wanted is None else wanted, len(lanes) - 1)
        along, found = along - found.length, lanes[number]
    return found.position(along, aside), found.heading_at(along)

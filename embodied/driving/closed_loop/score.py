"""NAVSIM's score of a drive: NC * DAC * (5 TTC + 5 EP + 2 C) / 12, and the outcome of the road.

Source: Dauner et al. 2024, NAVSIM (NeurIPS), section 3.2 and its scorer (`PDMScorerConfig`, v1: no driving direction,
no lane keeping); comfort bounds are nuPlan's (Karnchanachari et al. 2024, `ego_is_comfortable`). Here the others react,
and a drive lasts until it is over, not 4 seconds. The docs of `embodied/CornerCaseDrive-v1` list all differences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from embodied.arrays import Bools, Floats
from embodied.driving.closed_loop.actors import Mover, hinders
from embodied.driving.closed_loop.bicycle import HALF_LENGTH, HALF_WIDTH, TICK
from embodied.driving.closed_loop.boxes import corners, meet
from embodied.driving.closed_loop.world import World, ego_box
from embodied.driving.scene.road import edges, lane_of

WEIGHTS = {"ttc": 5.0, "ep": 5.0, "c": 2.0}
"""NAVSIM, `PDMScorerConfig`: ttc_weight, progress_weight, comfort_weight."""
HORIZONS = (0.0, 0.3, 0.6, 0.9)
"""Seconds at which time to collision looks ahead: below 1 s (`future_collision_horizon_window`) in steps of 0.3 s."""
STOPPED = 5e-3
"""m/s: below it time to collision is not asked for (`stopped_speed_threshold`)."""
STANDING = 5e-2
"""m/s: below it a car counts as standing in a collision (nuPlan, `no_ego_at_fault_collisions`)."""
LEAST_PROGRESS = 5.0
"""Metres: if even the reference gets no farther, progress counts as full (`progress_distance_threshold`)."""
AHEAD, BEHIND = math.radians(30), math.radians(150)
"""Bearings within which another is ahead, and beyond which it is behind (nuPlan, `is_agent_ahead`, `is_agent_behind`).
"""
WAY, ROOM, NEAR = 20.0, 0.8, 25.0
"""Metres: how far ahead, and how far beside the car, something is a reason to stand; how far ahead a corner case is.
Ours: from cruising speed a gentle stop takes some 17 m."""
ELSEWHERE = 1.0
"""A car that is out of its lane for so many seconds has left it. Ours."""
LON_ACCELERATION = (-4.05, 2.40)
LAT_ACCELERATION, LON_JERK, JERK, YAW_RATE, YAW_ACCELERATION = 4.89, 4.13, 8.37, 0.95, 1.93
"""nuPlan's bounds of comfort: m/s^2, m/s^2, m/s^3, m/s^3 (magnitude), rad/s, rad/s^2."""


def pdm_score(nc: float, dac: float, ttc: float, ep: float, c: float) -> float:
    """The score in [0, 1] from its five parts, each in [0, 1]."""
    return nc * dac * (WEIGHTS["ttc"] * ttc + WEIGHTS["ep"] * ep + WEIGHTS["c"] * c) / sum(WEIGHTS.values())


def progress_ratio(own: float, reference: float) -> float:
    """EP: metres driven, divided by the reference's; 1 if neither gets five metres far."""
    most = max(own, reference)
    return 1.0 if most < LEAST_PROGRESS else min(max(own / most, 0.0), 1.0)


@dataclass
class Scorer:
    """Watches a world tick by tick."""

    nc: float = 1.0
    dac: float = 1.0
    ttc: float = 1.0
    c: float = 1.0
    hit: tuple[int, ...] = ()
    """Ids of actors the car has met."""
    stood: float = 0.0
    """Seconds the car stood still."""
    stood_for_nothing: float = 0.0
    """Seconds of them without a reason."""
    elsewhere: float = 0.0
    """Seconds the middle of the car was not in the lane it began in."""
    hardest: dict[str, float] = field(default_factory=lambda: {"acceleration": 0.0, "jerk": 0.0})
    """Largest acceleration (m/s^2) and jerk (m/s^3) along the car."""
    _motion: tuple[float, float, float] | None = None
    """Longitudinal, lateral acceleration and yaw rate at the last tick."""
    _speed: float | None = None
    _heading: float = 0.0

    def watch(self, world: World) -> None:
        """Takes in the state after a tick."""
        boxes, velocities = world.boxes()
        boxes, velocities = boxes[world.hinders], velocities[world.hinders]
        movers = [m for m, counts in zip(world.movers, world.hinders, strict=True) if counts]
        ego = np.array(ego_box(world.state))
        left, right = edges(world.plan.spec.road)
        xs = corners(ego)[:, 0]
        if xs.min() < left or xs.max() > right:
            self.dac = 0.0
        lanes = {lane_of(world.plan.spec.road, float(x)) for x in xs}
        astray = len(lanes) > 1 or None in lanes
        if lane_of(world.plan.spec.road, world.state.x) != world.plan.spec.road.ego_lane:
            self.elsewhere = round(self.elsewhere + TICK, 3)
        if len(boxes):
            touching = meet(ego, boxes)
            self._collide(world, movers, boxes, velocities, touching, astray)
            self._look_ahead(world, boxes, velocities, ~touching, astray)
        self._comfort(world)
        if world.state.speed < STANDING:
            self.stood = round(self.stood + TICK, 3)
            if not _reason(world, boxes):
                self.stood_for_nothing = round(self.stood_for_nothing + TICK, 3)

    def _collide(
        self, world: World, movers: list[Mover], boxes: Floats, velocities: Floats, touching: Bools, astray: bool
    ) -> None:
        for k in np.flatnonzero(touching):
            if movers[k].actor.id in self.hit:
                continue
            self.hit = (*self.hit, movers[k].actor.id)
            if at_fault(world, boxes[k], velocities[k], astray):
                self.nc = min(self.nc, 0.0 if movers[k].lives else 0.5)

    def _look_ahead(self, world: World, boxes: Floats, velocities: Floats, apart: Bools, astray: bool) -> None:
        """Time to collision: ego car and others keep their motion. What is not ahead counts only for a car in several
        lanes.
        """
        s = world.state
        if s.speed < STOPPED:
            return
        bearing = _bearing(world, boxes)
        counts = apart & ((bearing < AHEAD) | ((bearing < BEHIND) if astray else False))
        if not counts.any():
            return
        own = np.array([-s.speed * math.sin(s.heading), s.speed * math.cos(s.heading)])
        for seconds in HORIZONS:
            ego, others = np.array(ego_box(s)), boxes[counts].copy()
            ego[:2] += own * seconds
            others[:, :2] += velocities[counts] * seconds
            if meet(ego, others).any():
                self.ttc = 0.0
                return

    def _comfort(self, world: World) -> None:
        s = world.state
        if self._speed is None:
            self._speed, self._heading, self._motion = s.speed, s.heading, None
            return
        rate = (s.heading - self._heading) / TICK
        along, across = (s.speed - self._speed) / TICK, rate * s.speed
        # On coming to a standstill the speed ends within a tick: no jerk that anyone feels, and nuPlan's smoothing
        # takes it away.
        before = self._motion or (along, across, rate)
        ends = s.speed == 0
        jerk, slew = (0.0 if ends else (along - before[0]) / TICK), (across - before[1]) / TICK
        turning = (rate - before[2]) / TICK
        self.hardest = {
            "acceleration": max(self.hardest["acceleration"], abs(round(along, 6))),
            "jerk": max(self.hardest["jerk"], abs(round(jerk, 6))),
        }
        fine = (
            LON_ACCELERATION[0] <= round(along, 6) <= LON_ACCELERATION[1]
            and abs(across) <= LAT_ACCELERATION
            and round(abs(jerk), 6) <= LON_JERK
            and math.hypot(jerk, 0.0 if ends else slew) <= JERK
            and abs(rate) <= YAW_RATE
            and abs(turning) <= YAW_ACCELERATION
        )
        self.c = self.c if fine else 0.0
        self._speed, self._heading, self._motion = s.speed, s.heading, (along if not ends else 0.0, across, rate)

    def score(self, own: float, reference: float) -> float:
        """The score after `own` metres, when the reference drove `reference`."""
        return pdm_score(self.nc, self.dac, self.ttc, progress_ratio(own, reference), self.c)


def at_fault(world: World, box: Floats, velocity: Floats, astray: bool) -> bool:
    """Whether a collision is the ego car's fault, by nuPlan's rules.

    It is not its fault when the ego car stands, or when the other comes from behind. It is its fault when the other
    stands, or when the ego car's front hits it. A collision at the side is its fault when the ego car is in several
    lanes or off the road.
    """
    s = world.state
    if s.speed <= STANDING:
        return False
    if float(np.hypot(*velocity)) <= STANDING:
        return True
    bearing = float(_bearing(world, box[None])[0])
    if bearing > BEHIND:
        return False
    front = np.array(ego_box(s))
    front[:2] += np.array([-math.sin(s.heading), math.cos(s.heading)]) * (HALF_LENGTH - 0.05)
    front[3] = 0.05
    return bool(meet(front, box)) or astray


def _bearing(world: World, boxes: Floats) -> Floats:
    """Angle between the ego car's heading and the way to the middle of each rectangle, in [0, pi]."""
    s = world.state
    to = boxes[:, :2] - np.array([s.x, s.y])
    along = -to[:, 0] * math.sin(s.heading) + to[:, 1] * math.cos(s.heading)
    bearing: Floats = np.arccos(np.clip(along / np.maximum(np.hypot(to[:, 0], to[:, 1]), 1e-9), -1.0, 1.0))
    return bearing


def _reason(world: World, boxes: Floats) -> bool:
    """Whether there is a reason to stand: something within `WAY` metres ahead in the ego car's breadth, or a corner
    case within `NEAR` metres ahead.
    """
    s, front = world.state, world.state.y + HALF_LENGTH
    if any(m.actor.corner_case and hinders(m.actor) and -2 * HALF_LENGTH < m.y - front < NEAR for m in world.movers):
        return True
    strip = np.array([s.x, front + WAY / 2, HALF_WIDTH + ROOM, WAY / 2, 0.0])
    return bool(len(boxes)) and bool(meet(strip, boxes).any())

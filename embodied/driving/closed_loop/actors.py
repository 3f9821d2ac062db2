"""What else moves: scripted ways, constant speeds, and cars that keep their distance (the Intelligent Driver Model)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from embodied.arrays import Floats
from embodied.driving.categories import CATEGORIES
from embodied.driving.closed_loop.boxes import foot
from embodied.driving.scene.planner import HARMLESS
from embodied.driving.scene.spec import Actor, SceneSpec

HEADWAY, STANDSTILL, IDM_ACCELERATION, IDM_BRAKING, EXPONENT = 1.6, 2.0, 0.73, 1.67, 4
"""The Intelligent Driver Model's T (s), s0 (m), a and b (m/s^2), delta (Treiber, Hennecke and Helbing 2000, table I).
"""
HARDEST = 8.0
"""Metres a second squared: no car brakes harder on a dry road."""


def idm(speed: float, desired: float, gap: float, approach: float) -> float:
    """The acceleration of a car in m/s^2.

    Args:
        speed: Its own, m/s, at least 0.
        desired: The speed it would have on a free road, m/s, above 0.
        gap: Metres from its front to the back of what is ahead; infinite on a free road.
        approach: Its speed less that of what is ahead, m/s.
    """
    wished = STANDSTILL + max(0.0, speed * HEADWAY + speed * approach / (2 * math.sqrt(IDM_ACCELERATION * IDM_BRAKING)))
    return IDM_ACCELERATION * (1 - (speed / desired) ** EXPONENT - (wished / max(gap, 0.1)) ** 2)


@dataclass
class Mover:
    """An actor in motion."""

    actor: Actor
    x: float
    y: float
    heading: float
    """Radians, counter-clockwise, 0 along the road."""
    speed: float
    velocity: tuple[float, float] = (0.0, 0.0)
    """Metres a second, x and y."""
    since: float | None = None
    """When its way began, seconds; None while it waits for its trigger."""

    @classmethod
    def of(cls, actor: Actor) -> Mover:
        x, y = actor.path[0][1:] if actor.path else (actor.x, actor.y)
        moves = actor.motion in ("constant", "idm")
        mover = cls(actor, x, y, math.radians(actor.yaw), actor.speed if moves and actor.trigger is None else 0.0)
        mover.velocity = mover._along(mover.speed)
        return mover

    @property
    def follows(self) -> bool:
        """Whether it keeps its distance: cars do, and actors whose specification says so; walkers and scripts do
        not.
        """
        return self.actor.motion == "idm" or (
            self.actor.motion == "constant" and CATEGORIES[self.actor.category] == "vehicle"
        )

    @property
    def lives(self) -> bool:
        """Whether it drives, walks or is an animal: what NAVSIM calls an agent, and animals."""
        return CATEGORIES[self.actor.category] in ("vehicle", "vru") or self.actor.category in ("dog", "cat")

    def box(self) -> tuple[float, float, float, float, float]:
        """Its rectangle: x, y, half width, half length, heading."""
        dx, dy, half_width, half_length = foot(self.actor)
        c, s = math.cos(self.heading), math.sin(self.heading)
        return (self.x + dx * c - dy * s, self.y + dx * s + dy * c, half_width, half_length, self.heading)

    def posed(self) -> Actor:
        """The actor where it is now."""
        return replace(self.actor, x=round(self.x, 3), y=round(self.y, 3))

    def _along(self, speed: float) -> tuple[float, float]:
        return (round(-speed * math.sin(self.heading), 9), round(speed * math.cos(self.heading), 9))

    def advance(self, time: float, seconds: float, ego_y: float, boxes: Floats, velocities: Floats, own: int) -> None:
        """Moves for a tick.

        Args:
            time: Seconds at its end.
            seconds: How long it is.
            ego_y: Where the ego car is along the road.
            boxes: (n, 5), velocities: (n, 2): everything that can be in the way, the ego car included, as it was at the
                tick's beginning.
            own: The row of this actor.
        """
        motion = self.actor.motion
        if motion == "still":
            return
        if self.since is None:
            trigger = self.actor.trigger
            if trigger is not None and self.y - ego_y > trigger:
                return
            self.since = time - seconds
            self.speed = self.actor.speed
        if motion == "waypoints":
            times, xs, ys = zip(*self.actor.path, strict=True)
            x, y = (round(float(np.interp(time - self.since, times, values)), 9) for values in (xs, ys))
            self.velocity = (round((x - self.x) / seconds, 6), round((y - self.y) / seconds, 6))
            self.x, self.y, self.speed = x, y, round(math.hypot(*self.velocity), 6)
            return
        before = self.speed
        if self.follows:
            gap, approach = self._leader(boxes, velocities, own)
            wanted = idm(before, self.actor.speed, gap, approach)
            self.speed = round(max(0.0, before + max(wanted, -HARDEST) * seconds), 9)
        self.velocity = self._along(self.speed)
        dx, dy = self._along((before + self.speed) / 2 * seconds)
        self.x, self.y = round(self.x + dx, 9), round(self.y + dy, 9)

    def _leader(self, boxes: Floats, velocities: Floats, own: int) -> tuple[float, float]:
        """Gap to the nearest thing in its way and how fast it comes nearer; infinite and 0 on a free road."""
        ahead = np.array([-math.sin(self.heading), math.cos(self.heading)])
        aside = np.array([ahead[1], -ahead[0]])
        turned = boxes[:, 4] - self.heading
        c, s = np.abs(np.cos(turned)), np.abs(np.sin(turned))
        half_along, half_aside = boxes[:, 3] * c + boxes[:, 2] * s, boxes[:, 2] * c + boxes[:, 3] * s
        apart = boxes[:, :2] - boxes[own, :2]
        along, across = apart @ ahead, np.abs(apart @ aside)
        gaps = np.where(
            (along > 0) & (across < boxes[own, 2] + half_aside + 0.2), along - boxes[own, 3] - half_along, np.inf
        )
        gaps[own] = np.inf
        nearest = int(np.argmin(gaps))
        return (
            (math.inf, 0.0)
            if gaps[nearest] == np.inf
            else (float(gaps[nearest]), self.speed - float(velocities[nearest] @ ahead))
        )


def movers(spec: SceneSpec) -> list[Mover]:
    """The actors of a scene, at its beginning."""
    return [Mover.of(actor) for actor in spec.actors]


def hinders(actor: Actor) -> bool:
    """Whether hitting it is a collision."""
    return actor.category not in HARMLESS

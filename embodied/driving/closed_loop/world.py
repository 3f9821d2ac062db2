"""A scene in motion: the ego car with its pilot, the actors, and six words that say what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from embodied.arrays import Floats
from embodied.driving.closed_loop.actors import Mover, hinders, movers
from embodied.driving.closed_loop.bicycle import HALF_LENGTH, HALF_WIDTH, TICK, Pilot, State
from embodied.driving.scene.road import lane_centre
from embodied.driving.scene.spec import Actor, SceneSpec

SLOW = 0.5
"""`slow` drives at this share of the cruising speed."""
WALKING = 1.4
"""`yield` rolls at walking pace, metres a second."""
BEYOND = 50.0
"""A scene has been passed this many metres beyond the viewpoint of the still picture. It is the same for twins, so that
it tells nothing.
"""
ACTIONS = {
    "maintain": "stay in your lane at cruising speed; speeds up again after slowing down or stopping",
    "slow": "stay in your lane at half the cruising speed",
    "stop": "brake to a standstill and stand; firmly, and unpleasantly when you are fast",
    "left": (
        "change one lane to the left (the oncoming lane, or off the road, when that is what is there), at half the"
        " cruising speed or more"
    ),
    "right": (
        "change one lane to the right (or off the road, when that is what is there), at half the cruising speed or more"
    ),
    "yield": "brake gently to walking pace, to let others go first",
}
"""Phrase -> gloss."""


@dataclass(frozen=True)
class Route:
    """How a scene is driven: from where, how fast, how far."""

    spec: SceneSpec
    """The scene, its contents moved along the road by the run-up: the ego car starts at the origin."""
    speed: float
    """At the start, metres a second; the cruising speed."""
    goal: float
    """y where the scene has been passed, metres."""


def run_up(speed: float) -> float:
    """Metres by which the ego car starts farther back than in the still picture, where hazards are 8 to 30 m ahead. It
    gives two seconds and the length of a gentle stop (3 m/s^2) before the nearest hazard.
    """
    return max(10.0, 2 * speed + speed**2 / 6 - 8.0)


def route(spec: SceneSpec, earlier: float = 0.0, share: float = 1.0) -> Route:
    """The route through a scene.

    Args:
        spec: As it is drawn.
        earlier: How much farther back the car starts, metres.
        share: Of the scene's speed that the car has.
    """
    speed = round(spec.ego.speed * share, 2)
    shift = round(run_up(spec.ego.speed) + earlier, 2)
    actors = tuple(_moved(a, shift, share) for a in spec.actors)
    crossing = None if spec.road.crossing is None else spec.road.crossing + shift
    moved = replace(spec, actors=actors, road=replace(spec.road, crossing=crossing), ego=replace(spec.ego, speed=speed))
    return Route(moved, speed, round(shift + BEYOND, 2))


def _moved(actor: Actor, shift: float, share: float) -> Actor:
    """An actor, moved along the road. A slower car triggers it from nearer, so that the car needs as long to get
    there.
    """
    path = tuple((t, x, round(y + shift, 3)) for t, x, y in actor.path)
    return replace(
        actor,
        y=round(actor.y + shift, 3),
        path=path,
        trigger=None if actor.trigger is None else round(actor.trigger * share, 3),
    )


def command(pilot: Pilot, action: str, state: State, plan: Route) -> Pilot:
    """The pilot with a decision to carry out."""
    road, cruise = plan.spec.road, plan.speed
    if action in ("left", "right"):
        lane = pilot.lane + (1 if action == "right" else -1)
        return replace(
            pilot.towards(lane, lane_centre(road, lane), state), speed=max(pilot.speed, SLOW * cruise), hard=False
        )
    speed = {"maintain": cruise, "slow": SLOW * cruise, "yield": min(WALKING, SLOW * cruise), "stop": 0.0}[action]
    return replace(pilot, speed=speed, hard=action == "stop")


class World:
    """A scene in motion.

    Args:
        plan: What is driven.
    """

    def __init__(self, plan: Route):
        self.plan = plan
        self.state = State(0.0, 0.0, 0.0, plan.speed)
        self.pilot = Pilot(plan.speed, plan.spec.road.ego_lane)
        self.movers: list[Mover] = movers(plan.spec)
        self.ticks = 0
        self.hinders = np.array([hinders(m.actor) for m in self.movers], dtype=bool)

    @property
    def time(self) -> float:
        """Seconds."""
        return round(self.ticks * TICK, 3)

    def command(self, action: str) -> None:
        """Tells the pilot what to do."""
        self.pilot = command(self.pilot, action, self.state, self.plan)

    def tick(self) -> None:
        """Moves everything by a tenth of a second: first the ego car, then the others, which see
        where all were before.
        """
        boxes, velocities = self.everything()
        self.ticks += 1
        ego_y = self.state.y
        self.state, self.pilot = self.pilot.drive(self.state)
        for row, mover in enumerate(self.movers):
            mover.advance(self.time, TICK, ego_y, boxes, velocities, row)

    def boxes(self) -> tuple[Floats, Floats]:
        """Rectangles (n, 5) and velocities (n, 2) of the actors, in their order."""
        if not self.movers:
            return np.zeros((0, 5)), np.zeros((0, 2))
        return np.array([m.box() for m in self.movers]), np.array([m.velocity for m in self.movers])

    def everything(self) -> tuple[Floats, Floats]:
        """As `boxes`, with the ego car last. Harmless things are moved to where no car drives."""
        boxes, velocities = self.boxes()
        boxes[~self.hinders, 1] = -1e6
        s = self.state
        own = (-s.speed * math.sin(s.heading), s.speed * math.cos(s.heading))
        return np.vstack([boxes, ego_box(s)]), np.vstack([velocities, own])


def ego_box(state: State) -> tuple[float, float, float, float, float]:
    """The ego car's rectangle."""
    return (state.x, state.y, HALF_WIDTH, HALF_LENGTH, state.heading)

"""The rule-based driver: simulates each of the six words for some seconds and takes the best one.

The idea is PDM-Closed's (Dauner et al. 2023, Parting with Misconceptions about Learning-based Vehicle Motion Planning):
proposals, a forecast at constant velocity, a score by rules. It knows where everything is and how fast it moves, but it
does not know scripts and triggers. For people on foot and animals on the road it plans for two futures at once: they
continue as they do, or they do the opposite (one who stands begins to walk ahead, and one who walks across stops).
"""

from __future__ import annotations

import math

import numpy as np

from embodied.arrays import Floats
from embodied.driving.categories import CATEGORIES
from embodied.driving.closed_loop.bicycle import HALF_LENGTH, HALF_WIDTH, TICK
from embodied.driving.closed_loop.boxes import corners, meet
from embodied.driving.closed_loop.world import ACTIONS, World, command, ego_box
from embodied.driving.scene.road import edges

HORIZON = 6.0
"""Seconds it looks ahead."""
STRIDE = 2
"""Ticks between the moments it looks at."""
MARGIN_ASIDE, MARGIN_AHEAD, MARGIN_SECONDS = 0.35, 1.5, 0.9
"""Metres it keeps beside things and in front of them; in front also seconds of its own speed."""
WALK = 1.4
"""Metres a second: how fast someone who stands may begin to walk."""
SETTLED = frozenset({"working", "lying", "directing", "standing"})
"""States of people who stay where they are."""
BACK = 40.0
"""Metres behind the car beyond which others do not matter."""
FORECAST_FADES = 3.0
"""Seconds for which it trusts that someone who crosses keeps crossing."""


def decide(world: World) -> str:
    """The word it would say now."""
    boxes, velocities = world.boxes()
    more, other = _opposite(world)
    boxes, velocities = np.vstack([boxes[world.hinders], more]), np.vstack([velocities[world.hinders], other])
    left, right = edges(world.plan.spec.road)
    reach = np.maximum(boxes[:, 2], boxes[:, 3]) + HALF_WIDTH
    aside = (boxes[:, 0] + reach < left) | (boxes[:, 0] - reach > right)
    matters = ~(aside & (np.abs(velocities[:, 0]) < 0.1)) & (boxes[:, 1] > world.state.y - BACK)  # others cannot be met
    boxes, velocities = boxes[matters], velocities[matters]
    fares = {action: _fare(world, action, boxes, velocities) for action in ACTIONS}
    return max(fares, key=lambda action: round(fares[action], 6))


def _opposite(world: World) -> tuple[Floats, Floats]:
    """Boxes and velocities of those who may do the opposite of what they do."""
    left, right = edges(world.plan.spec.road)
    boxes, velocities = [], []
    for mover in world.movers:
        if (
            not mover.lives
            or CATEGORIES[mover.actor.category] == "vehicle"
            or not left < mover.x < right
            or mover.actor.state in SETTLED
        ):
            continue
        if abs(math.sin(mover.heading)) < 0.5 and abs(mover.velocity[0]) < 0.3:
            continue
        ahead = (-math.sin(mover.heading) * WALK, math.cos(mover.heading) * WALK)
        boxes.append(mover.box())
        velocities.append((0.0, 0.0) if math.hypot(*mover.velocity) > 0.3 else ahead)
    return np.array(boxes).reshape(-1, 5), np.array(velocities).reshape(-1, 2)


def _fare(world: World, action: str, boxes: Floats, velocities: Floats) -> float:
    """The value of saying `action` now and driving on with care: metres gained, minus costs."""
    road, plan = world.plan.spec.road, world.plan
    pilot, state = command(world.pilot, action, world.state, plan), world.state
    left, right = edges(road)
    if not left < pilot.target < right:
        return -1e6
    track, accelerations = [], [pilot.acceleration]
    for tick in range(1, round(HORIZON / TICK) + 1):
        state, pilot = pilot.drive(state)
        accelerations.append(pilot.acceleration)
        if tick % STRIDE == 0:
            track.append(ego_box(state))
    rows = np.array(track)
    gained = float(rows[-1, 1] - world.state.y)
    strange = pilot.lane - road.ego_lane
    cost = 0.0 if strange == 0 else 3.0 + (6.0 if pilot.lane < 0 else 0.0)
    cost += 2.0 if min(accelerations) < -4.05 else 0.0
    cost += 2.0 if action in ("left", "right") else 0.0
    x = corners(rows)[..., 0]
    cost += 400.0 if x.min() < left or x.max() > right else 0.0
    return gained - cost - _danger(rows, boxes, velocities)


def _danger(rows: Floats, boxes: Floats, velocities: Floats) -> float:
    """The cost of hitting something: higher when it is sooner and when the car is faster. Coming too near costs
    less.
    """
    if not len(boxes):
        return 0.0
    seconds = np.arange(1, len(rows) + 1) * TICK * STRIDE
    trusted = np.minimum(seconds, FORECAST_FADES)[:, None]
    others = np.repeat(boxes[None], len(rows), axis=0)
    others[..., 0] += velocities[None, :, 0] * trusted
    others[..., 1] += velocities[None, :, 1] * seconds[:, None]
    pace = np.diff(rows[:, 1], prepend=rows[0, 1]) / (TICK * STRIDE)
    cost = 0.0
    for aside, ahead, price in ((MARGIN_ASIDE, MARGIN_AHEAD + MARGIN_SECONDS * pace, 60.0), (0.0, 0.0 * pace, 300.0)):
        ego = rows.copy()
        ego[:, 2] = HALF_WIDTH + aside
        ego[:, 3] = HALF_LENGTH + ahead / 2
        ego[:, 0] -= np.sin(ego[:, 4]) * ahead / 2
        ego[:, 1] += np.cos(ego[:, 4]) * ahead / 2
        moving = pace > 0.3  # a car that stands is not at fault
        when = np.flatnonzero((meet(ego[:, None], others).any(axis=1)) & moving)
        if not len(when):
            return cost  # a car that keeps the margin hits nothing
        cost += price * (1.5 - seconds[when[0]] / HORIZON) * (0.5 + min(1.0, float(pace[when[0]]) / 10))
    return cost

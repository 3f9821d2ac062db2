"""The ego car: a kinematic bicycle, and the pilot that carries out decisions (a target speed, a target lane)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

TICK = 0.1
"""Seconds of a step of the simulation: 10 Hz."""
WHEELBASE = 2.8
"""Metres; a car of middle size. The reference point is the middle between the axles, and the camera sits above it."""
HALF_LENGTH, HALF_WIDTH = 2.3, 0.9
"""Metres from the reference point to the bumpers and the sides."""
ACCELERATION, BRAKING, FULL_BRAKING = 2.0, 3.5, 6.0
"""The pilot's largest accelerations, metres a second squared: gentle acceleration, gentle braking, hardest braking.
"""
JERK, HARD_JERK = 4.0, 15.0
"""Metres a second cubed: how fast the acceleration changes, gently and when it brakes hard."""
CREEP = 0.35
"""The least deceleration on the way to a standstill. Without it the car would never quite stop."""
CHANGE_SECONDS, CHANGE_METRES = 4.0, 14.0
"""A lane change takes so long, and at least so many metres."""
STEERING, STEERING_RATE, SIDE_JERK = 0.55, 0.5, 5.0
"""Largest angle of the front wheels in radians, radians a second, and how fast the acceleration to the side may change,
m/s^3.
"""


@dataclass(frozen=True)
class State:
    """Where the car is."""

    x: float
    y: float
    """Metres: x to the right, y along the road."""
    heading: float
    """Radians, counter-clockwise; 0 looks along the road."""
    speed: float
    """Metres a second, never negative."""


def advance(state: State, acceleration: float, steering: float, seconds: float = TICK) -> State:
    """Drives for a moment with constant acceleration (m/s^2) and angle of the front wheels (radians, to the left
    positive).

    The kinematic bicycle model (Kong et al. 2015, Kinematic and dynamic vehicle models for autonomous driving control
    design, section II) at constant steering describes an arc of a circle, so the step is exact, not an Euler step. The
    result is rounded to 9 decimals: the same on every machine.
    """
    end = state.speed + acceleration * seconds
    if end < 0:
        distance, end = state.speed**2 / (-2 * acceleration), 0.0
    else:
        distance = (state.speed + end) / 2 * seconds
    slip = math.atan(math.tan(steering) / 2)
    turn = math.cos(slip) * math.tan(steering) / WHEELBASE * distance
    chord = distance * (math.sin(turn / 2) / (turn / 2) if abs(turn) > 1e-9 else 1.0)
    direction = state.heading + slip + turn / 2
    return State(
        round(state.x - chord * math.sin(direction), 9),
        round(state.y + chord * math.cos(direction), 9),
        round(state.heading + turn, 9),
        round(end, 9),
    )


def blend(share: float) -> float:
    """From 0 to 1 as `share` goes from 0 to 1, with least jerk (Flash and Hogan 1985, equation 1)."""
    s = min(max(share, 0.0), 1.0)
    return s**3 * (10 + s * (6 * s - 15))


@dataclass(frozen=True)
class Pilot:
    """Carries out decisions at 10 Hz; immutable, so that a planner can try things out."""

    speed: float
    """The speed to reach, metres a second."""
    lane: int
    """The target lane, numbered as in `scene.road.lane_centre`."""
    hard: bool = False
    """Whether to brake as hard as it takes."""
    start: float = 0.0
    """y where the lane change began."""
    length: float = CHANGE_METRES
    origin: float = 0.0
    target: float = 0.0
    """x where it began, and where it ends."""
    acceleration: float = 0.0
    steering: float = 0.0
    """What was last done."""

    def towards(self, lane: int, x: float, state: State) -> Pilot:
        """With a lane change to `lane`, whose middle is at `x`."""
        length = max(CHANGE_METRES, CHANGE_SECONDS * state.speed)
        return replace(self, lane=lane, start=state.y, length=length, origin=state.x, target=x)

    def drive(self, state: State) -> tuple[State, Pilot]:
        """A tick of driving."""
        acceleration = self._throttle(state)
        steering = self._steer(state)
        after = advance(state, acceleration, steering)
        return after, replace(self, acceleration=0.0 if after.speed == 0 else acceleration, steering=steering)

    def _throttle(self, state: State) -> float:
        wanted = (self.speed - state.speed) / 0.8
        limit = BRAKING
        if self.hard:  # firm braking is in proportion to the speed: unpleasant from 8 m/s on
            limit = min(FULL_BRAKING, max(BRAKING, state.speed / 2))
            wanted = -limit
        if self.speed < 0.1 and state.speed > 0:
            wanted = min(wanted, -CREEP) if state.speed > 0.5 else -CREEP
        if self.speed < 0.1 and state.speed == 0:
            return 0.0
        wanted = min(max(wanted, -limit), ACCELERATION)
        jerk = (HARD_JERK if limit > BRAKING or self.acceleration < -BRAKING else JERK) * TICK
        return round(min(max(wanted, self.acceleration - jerk), self.acceleration + jerk), 9)

    def _steer(self, state: State) -> float:
        """Pure pursuit (Coulter 1992) of a smooth way from the old lane to the new one."""
        ahead = max(4.0, 0.8 * state.speed)
        x = self.origin + (self.target - self.origin) * blend((state.y + ahead - self.start) / self.length)
        dx = state.x - x
        left = dx * math.cos(state.heading) - ahead * math.sin(state.heading)
        wanted = math.atan(2 * left / (dx**2 + ahead**2) * WHEELBASE)
        wanted = min(max(wanted, -STEERING), STEERING)
        turn = min(STEERING_RATE, SIDE_JERK * WHEELBASE / max(state.speed, 1.0) ** 2) * TICK
        return round(min(max(wanted, self.steering - turn), self.steering + turn), 9)

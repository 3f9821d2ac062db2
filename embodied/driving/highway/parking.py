"""The way into a parking spot: a search over sequences of the seven phrases."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

from embodied.driving.highway.tasks import MOVE

FRAMES, TICK = 5, 1 / 15
"""Steps of the simulator in a decision, and seconds of one (3 decisions and 15 steps a second)."""
ACCELERATION, WHEEL, LENGTH = 5.0, math.pi / 4, 5.0
"""highway-env's car: m/s^2, radians, metres (ContinuousAction and Vehicle)."""
TOLERANCE = 0.11
"""highway-env parks at 0.12, where the distance is weighted, its root taken (`success_goal_reward`)."""
WIDE, DEEP = 31.0, 17.5
"""Metres from the middle to where the car's own middle may be."""
CELL, TURN = 0.8, math.radians(12)
NODES = 30_000
"""Places looked at, at most."""
State = tuple[float, float, float, float]
"""x, y, heading, speed."""
Way = tuple["Way", str] | tuple[()]
"""A way and the phrase that extends it; empty at the start."""


def pedal(speed: float, wanted: float) -> float:
    """The acceleration in m/s^2 that reaches a speed within a decision, as far as the car can."""
    return min(max((wanted - speed) / (FRAMES * TICK), -ACCELERATION), ACCELERATION)


def moved(state: State, phrase: str, pace: float) -> State:
    """Where a decision leads: highway-env's kinematic bicycle (`Vehicle.step`)."""
    share, wheel, _ = MOVE[phrase]
    x, y, heading, speed = state
    slip, push = math.atan(0.5 * math.tan(wheel * WHEEL)), pedal(speed, share * pace)
    for _ in range(FRAMES):
        x += speed * math.cos(heading + slip) * TICK
        y += speed * math.sin(heading + slip) * TICK
        heading += speed * math.sin(slip) / (LENGTH / 2) * TICK
        speed += push * TICK
    return x, y, heading, speed


def distance(state: State, goal: tuple[float, float, float]) -> float:
    """highway-env's measure of how well the car is parked (`compute_reward`, negated)."""
    x, y, heading, _ = state
    off = abs(x - goal[0]) / 100 + 0.3 * abs(y - goal[1]) / 100
    off += 0.02 * (abs(math.cos(heading) - math.cos(goal[2])) + abs(math.sin(heading) - math.sin(goal[2])))
    return math.sqrt(off)


def plan(
    start: State, goal: tuple[float, float, float], pace: float, blocked: Callable[[float, float], bool]
) -> list[str]:
    """Phrases that park the car, by best-first search over places and headings; empty where none is found."""
    best = {_cell(start): 0.0}
    queue: list[tuple[float, int, float, State, Way]] = [(0.0, 0, 0.0, start, ())]
    count = 0
    while queue and count < NODES:
        _, _, spent, state, way = heapq.heappop(queue)
        if distance(state, goal) < TOLERANCE:
            return _unrolled(way)
        for phrase in MOVE:
            after = moved(state, phrase, pace)
            if phrase == "brake" or abs(after[0]) > WIDE or abs(after[1]) > DEEP or blocked(after[0], after[1]):
                continue
            turns = MOVE[phrase][0] * state[3] < 0
            cost, cell = spent + 1.0 + 2.0 * turns + 0.2 * (MOVE[phrase][1] != 0), _cell(after)
            if cost < best.get(cell, math.inf):
                best[cell] = cost
                count += 1
                heapq.heappush(queue, (cost + _ahead(after, goal, pace), count, cost, after, (way, phrase)))
    return []


def _ahead(state: State, goal: tuple[float, float, float], pace: float) -> float:
    """Decisions that it still takes, at least about."""
    turn = abs((state[2] - goal[2] + math.pi) % (2 * math.pi) - math.pi)
    return 1.3 * (math.hypot(state[0] - goal[0], state[1] - goal[1]) + 2.5 * turn) / (pace * FRAMES * TICK)


def _cell(state: State) -> tuple[int, int, int, int]:
    turn = (state[2] + math.pi) % (2 * math.pi)
    return (
        round(state[0] / CELL),
        round(state[1] / CELL),
        round(turn / TURN),
        int(state[3] > 0.5) - int(state[3] < -0.5),
    )


def _unrolled(way: Way) -> list[str]:
    phrases = []
    while way:
        way, phrase = way
        phrases.append(phrase)
    return phrases[::-1]

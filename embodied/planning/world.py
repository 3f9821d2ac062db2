"""The world of the closed loop: a disc robot that follows paths with unicycle kinematics, crates it does not know of,
others that move.

A `World` is what the seed decides and never changes; a `State` is a moment in it. `propose` and `drive` are functions
of the two, so that policies can be tried from any moment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from embodied.arrays import Floats
from embodied.errors import UsageError
from embodied.planning.geometry import Discs, Together
from embodied.planning.making import PARAMETERS
from embodied.planning.maps import Map, generate
from embodied.planning.planners.space import GOAL, HALF, START, Space
from embodied.planning.portfolio import MARGIN, Roadmap, propose
from embodied.seeding import generator

TICK = 0.25
"""Map units the robot drives between two looks around; its speed is 1, so it is time too."""
LOOK_AHEAD = 0.6
"""The robot heads for the place so far ahead on its path: it cuts corners a little."""
TURN = math.radians(45)
"""Most that it turns in a tick. To turn more it stands still."""
WANDER, STEADY = math.radians(2.0), 0.9
"""Tracking noise: the heading's error is STEADY times the last one plus a normal error of WANDER, about 4.6 degrees in
all.
"""
ARRIVED = 1.0
"""So near to the goal the robot has arrived."""
SIGHT = 12.0
"""What is hidden is seen from so far, walls or not."""
CRATE, MOVER = (0.6, 1.2), 0.8
"""Radii of hidden crates and of moving obstacles."""
PATROL, SPEED = (6.0, 14.0), (0.1, 0.3)
"""Length of the straight line a moving obstacle goes up and down, and its speed; the robot's is 1."""
FORESIGHT = (0.0, 3.0, 6.0, 9.0)
"""Times ahead at which planners count with a moving obstacle that is in sight."""
NEAR = 3.0
"""When the gap to a moving obstacle falls below this the robot stops and asks."""
WAIT = 5.0
"""How long the robot stands while other paths are sought."""
KEEP_OFF = 8.0
"""No crate stands and nothing moves so near to the start or the goal."""
RADII = (0.5, 1.0)
"""The robot's radius is drawn from this range."""
DIGITS = 4
_ATTEMPTS = 50


@dataclass(frozen=True, eq=False)
class World:
    """What an episode's seed decides."""

    seed: int
    field: Map
    radius: float
    roadmap: Roadmap
    crates: Floats
    """(n, 3): x, y, radius."""
    patrols: Floats
    """(m, 6): ends x, y, x, y; speed; phase, the way gone at time 0."""
    planners: tuple[str, ...]
    count: int
    """Paths proposed at each decision."""
    horizon: float
    """Map units driven on a chosen path at most."""

    @property
    def solid(self) -> Together:
        """Map and crates: what clearance is measured to."""
        return Together(self.field.obstacles, Discs(self.crates[:, :2], self.crates[:, 2]))

    def movers(self, times: Floats) -> Floats:
        """Where the moving obstacles are at `times` (t,): (t, m, 2)."""
        a, b, speed, phase = self.patrols[:, :2], self.patrols[:, 2:4], self.patrols[:, 4], self.patrols[:, 5]
        length = np.sqrt(((b - a) ** 2).sum(axis=1))
        gone = (phase + np.asarray(times)[:, None] * speed) % (2 * length)
        share = np.minimum(gone, 2 * length - gone) / length
        places: Floats = a + share[..., None] * (b - a)
        return places


@dataclass(frozen=True, eq=False)
class State:
    """A moment: before each decision, and at the end."""

    place: Floats
    heading: float
    """Radians, 0 along x, counter-clockwise."""
    time: float
    step: int
    """Decisions taken."""
    seen: frozenset[int]
    """Crates seen so far, by number; moving obstacles count on from the last crate."""
    track: Floats
    """(n, 2) where the robot was, tick by tick."""
    end: str = ""
    """`goal`, or what it hit: `wall`, `crate`, `moving obstacle`."""
    news: str = ""
    """What made the robot stop before its horizon: `crate` (a new one, in its way), `moving obstacle` (one that came
    near).
    """


def draw(
    seed: int,
    *,
    fields: Sequence[Map] = (),
    family: str | None = None,
    hidden: int,
    moving: int,
    planners: tuple[str, ...],
    count: int,
    horizon: float,
) -> tuple[World, int]:
    """The world of a seed: a map, a robot that can get from its start to its goal, and what else is there.

    Args:
        seed: The episode's. Seeds in a row take families in turn.
        fields: Maps to choose from in turn; by default maps are made.
        family: Of made maps, to keep to one.
        hidden: Crates.
        moving: Moving obstacles.
        planners: Of `portfolio.PLANNERS`.
        count: Paths proposed at each decision.
        horizon: Map units driven on a chosen path at most.

    Returns:
        The world, and how many maps were skipped because this robot cannot reach the goal there.

    Raises:
        UsageError: None of the given maps will do.
    """
    families = [family] if family else list(PARAMETERS)
    for attempt in range(max(len(fields), _ATTEMPTS)):
        rng = generator(seed, "patheval_loop", "map", attempt)
        radius = round(float(rng.uniform(*RADII)), 1)
        if fields:
            field = fields[(seed + attempt) % len(fields)]
        else:
            kind = families[seed % len(families)]
            field = generate(
                kind, int(rng.integers(PARAMETERS[kind][0], PARAMETERS[kind][1] + 1)), int(rng.integers(2**31))
            )
        rng = generator(seed, "patheval_loop", "world", field.name)
        roadmap = _roadmap(field, radius + MARGIN, rng)
        if roadmap is not None:
            bare = World(seed, field, radius, roadmap, np.empty((0, 3)), np.empty((0, 6)), planners, count, horizon)
            world = replace(bare, crates=_crates(bare, hidden, rng))
            return replace(world, patrols=_patrols(world, moving, rng)), attempt
    raise UsageError(
        f"In {max(len(fields), _ATTEMPTS)} attempts no map was found on which the robot can get to its goal. Give other"
        " maps."
    )


def _roadmap(field: Map, radius: float, rng: np.random.Generator) -> Roadmap | None:
    """The roadmap of a map; None when a disc of `radius` cannot get from the start to the goal."""
    if not field.obstacles.free(np.stack([START, GOAL]), radius).all():
        return None
    roadmap = Roadmap(field, radius, rng)
    return roadmap if roadmap.joined else None


def _crates(world: World, count: int, rng: np.random.Generator) -> Floats:
    """Crates on or near ways to the goal, that leave a way open."""
    crates = np.empty((0, 3))
    for _ in range(20 * count):
        if len(crates) == count:
            break
        crate = np.append(_on_the_way(world, rng) + rng.normal(0, 1, 2), rng.uniform(*CRATE)).round(2)
        more = np.concatenate([crates, [crate]])
        shut = np.where(world.roadmap.open(Discs(more[:, :2], more[:, 2]), world.radius + MARGIN), 0.0, np.inf)
        if _off_the_ends(crate[:2]) and np.isfinite(world.roadmap.costs(world.roadmap.length + shut)[1]):
            crates = more
    return crates


def _patrols(world: World, count: int, rng: np.random.Generator) -> Floats:
    """Straight lines up and down which something moves, clear of the map and the crates."""
    found: list[Floats] = []
    for _ in range(100 * count):
        if len(found) == count:
            break
        middle, turn, length = _on_the_way(world, rng), rng.uniform(0, math.pi), rng.uniform(*PATROL)
        half = length / 2 * np.array([math.cos(turn), math.sin(turn)])
        ends = np.stack([middle - half, middle + half]).round(2)
        if (
            _off_the_ends(ends[0])
            and _off_the_ends(ends[1])
            and world.solid.clear(ends[:1], ends[1:], MOVER)[0]
            and (np.abs(ends) < HALF - MOVER).all()
        ):
            found.append(
                np.array([*ends.ravel(), rng.uniform(*SPEED).__round__(2), rng.uniform(0, 2 * length).__round__(2)])
            )
    return np.array(found).reshape(-1, 6)


def _on_the_way(world: World, rng: np.random.Generator) -> Floats:
    """A place on the way to the goal by random prices."""
    roadmap = world.roadmap
    price = roadmap.length * rng.uniform(0.5, 1.5, len(roadmap.length))
    path = roadmap.path(START, price, Space(world.field.obstacles, world.radius + MARGIN))
    assert path is not None, "The roadmap of a world joins the start and the goal."
    at = rng.uniform(0, len(path) - 1)
    k = int(at)
    place: Floats = path[k] + (at - k) * (path[min(k + 1, len(path) - 1)] - path[k])
    return place


def _off_the_ends(place: Floats) -> bool:
    return bool(min(((place - START) ** 2).sum(), ((place - GOAL) ** 2).sum()) > KEEP_OFF**2)


def first(world: World) -> State:
    """The moment before the first decision: at the start, heading along x as the published starts do."""
    state = State(START.copy(), 0.0, 0.0, 0, frozenset(), START[None].copy())
    return replace(state, seen=_in_sight(world, state.track, np.zeros(1))[0])


def known(world: World, state: State) -> tuple[Discs, Discs]:
    """What the planners know of beyond the map: the crates seen, and these with the moving obstacles in sight, where
    they are and will be soon.
    """
    crates = world.crates[[k for k in sorted(state.seen) if k < len(world.crates)]]
    soon = seen_movers(world, state).reshape(-1, 2)
    # An obstacle that comes to where the robot is now must not block every way out.
    soon = soon[((soon - state.place) ** 2).sum(axis=1) > (world.radius + MOVER + MARGIN) ** 2]
    return Discs(crates[:, :2], crates[:, 2]), Discs(
        np.concatenate([crates[:, :2], soon]), np.append(crates[:, 2], np.full(len(soon), MOVER))
    )


def seen_movers(world: World, state: State) -> Floats:
    """Where the moving obstacles in sight are now and will be at the times of `FORESIGHT`, (times, n, 2)."""
    where = world.movers(state.time + np.array(FORESIGHT))
    return where[:, ((where[0] - state.place) ** 2).sum(axis=1) <= SIGHT**2]


def proposals(world: World, state: State) -> list[tuple[str, Floats]]:
    """The paths proposed at a moment: a function of the seed, where the robot is, what it sees, and how many decisions
    it has taken.
    """
    x, y = (int(v) for v in np.rint(state.place * 10**DIGITS))
    rng = generator(world.seed, "patheval_loop", "propose", state.step, x, y)
    crates, everything = known(world, state)
    ask = partial(
        propose,
        world.field,
        world.roadmap,
        world.radius,
        state.place,
        count=world.count,
        planners=world.planners,
        rng=rng,
    )
    return ask(everything) or ask(crates)  # where what moves leaves no way, it will have moved on by then


def wait(world: World, state: State) -> State:
    """A decision spent on asking for other paths: the robot stands for `WAIT`, and what moves moves on."""
    times: Floats = state.time + TICK * np.arange(1, round(WAIT / TICK) + 1, dtype=np.float64)
    hit = (((world.movers(times) - state.place) ** 2).sum(axis=2) <= (world.radius + MOVER) ** 2).any()
    seen = state.seen.union(*_in_sight(world, np.broadcast_to(state.place, (len(times), 2)), times))
    return replace(
        state, time=float(times[-1]), step=state.step + 1, seen=seen, end="moving obstacle" if hit else "", news=""
    )


def drive(world: World, state: State, path: Floats) -> State:
    """Drives along `path` until the horizon, the goal or a collision, or until a crate in its way comes into sight or a
    moving obstacle comes near.
    """
    rng = generator(world.seed, "patheval_loop", "noise", state.step)
    places, headings = _follow(path, state.place, state.heading, world.horizon, rng)
    times: Floats = state.time + TICK * np.arange(1, len(places) + 1, dtype=np.float64)
    movers = world.movers(times)
    hits = {
        "wall": (np.abs(places) > HALF - world.radius).any(axis=1) | ~world.field.obstacles.free(places, world.radius),
        "crate": ~Discs(world.crates[:, :2], world.crates[:, 2]).free(places, world.radius),
        "moving obstacle": (((movers - places[:, None]) ** 2).sum(axis=2) <= (world.radius + MOVER) ** 2).any(axis=1),
    }
    stop, end = len(places) - 1, ""
    for what, when in {**hits, "goal": ((places - GOAL) ** 2).sum(axis=1) <= ARRIVED**2}.items():
        if when.any() and ((at := int(when.argmax())) < stop or (at == stop and not end)):
            stop, end = at, what
    sights = _in_sight(world, places, times)
    stop, end, news = _news(world, state, path, places, movers, sights, stop, end)
    return State(
        places[stop],
        float(headings[stop]),
        float(times[stop]),
        state.step + 1,
        state.seen.union(*sights[: stop + 1]),
        np.concatenate([state.track, places[: stop + 1]]),
        end,
        news,
    )


def _news(
    world: World,
    state: State,
    path: Floats,
    places: Floats,
    movers: Floats,
    sights: list[frozenset[int]],
    stop: int,
    end: str,
) -> tuple[int, str, str]:
    """Where the robot stops before `stop`, for a crate it sees for the first time in its way or a moving obstacle that
    comes near; why; else as given.
    """
    shut = ~np.array(
        [Discs(crate[None, :2], crate[2:]).clear(path[:-1], path[1:], world.radius).all() for crate in world.crates],
        dtype=bool,
    )
    near = ((movers - places[:, None]) ** 2).sum(axis=2) <= (world.radius + MOVER + NEAR) ** 2
    seen = state.seen
    for at in range(stop):
        if any(shut[k] for k in sights[at] - seen if k < len(shut)):
            return at, "", "crate"
        if at and (near[at] & ~near[at - 1]).any():
            return at, "", "moving obstacle"
        seen |= sights[at]
    return stop, end, ""


def _in_sight(world: World, places: Floats, times: Floats) -> list[frozenset[int]]:
    """What is seen from each place at its time."""
    movers = world.movers(times)
    everything = np.concatenate(
        [np.broadcast_to(world.crates[:, :2], (len(places), len(world.crates), 2)), movers], axis=1
    )
    near = ((everything - places[:, None]) ** 2).sum(axis=2) <= SIGHT**2
    return [frozenset(np.flatnonzero(row).tolist()) for row in near]


def _follow(
    path: Floats, place: Floats, heading: float, horizon: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Tick by tick where the robot gets and how it heads when nothing is in its way: (n, 2), (n,).

    A unicycle: it turns towards the place `LOOK_AHEAD` along its path and drives the way it heads. Places are rounded,
    so that the last bit of a sine decides nothing.
    """
    ticks = round(horizon / TICK)
    noise = rng.normal(0, WANDER, ticks).round(6).tolist()
    (x, y), error, carrot, places, headings = place.tolist(), 0.0, 0.0, [], []
    corners, leg = path.tolist(), 0
    for tick in range(ticks):
        leg, carrot = _advance(corners, leg, carrot, x, y)
        aim_x, aim_y = _between(corners, leg, carrot)
        wanted = math.atan2(aim_y - y, aim_x - x)
        off = math.remainder(wanted - heading, 2 * math.pi)
        heading = round(math.remainder(heading + max(-TURN, min(TURN, off)), 2 * math.pi), 6)
        error = STEADY * error + noise[tick]
        if abs(off) <= TURN:
            x = round(x + TICK * math.cos(heading + error), DIGITS)
            y = round(y + TICK * math.sin(heading + error), DIGITS)
        places.append((x, y))
        headings.append(heading)
    return np.array(places), np.array(headings)


def _advance(corners: list[list[float]], leg: int, carrot: float, x: float, y: float) -> tuple[int, float]:
    """Moves the place the robot heads for along the path until it is `LOOK_AHEAD` away; (leg, share of it)."""
    while True:
        ax, ay = _between(corners, leg, carrot)
        if math.hypot(ax - x, ay - y) >= LOOK_AHEAD:
            return leg, carrot
        if leg == len(corners) - 2 and carrot >= 1:
            return leg, 1.0
        length = math.dist(corners[leg], corners[leg + 1])
        carrot += 0.05 / max(length, 0.05)
        if carrot >= 1 and leg < len(corners) - 2:
            leg, carrot = leg + 1, 0.0


def _between(corners: list[list[float]], leg: int, share: float) -> tuple[float, float]:
    (ax, ay), (bx, by) = corners[leg], corners[leg + 1]
    share = min(share, 1.0)
    return ax + share * (bx - ax), ay + share * (by - ay)

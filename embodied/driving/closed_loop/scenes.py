"""Which pair of roads a seed stands for, how it begins, and how far the reference gets on each of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from embodied.driving.closed_loop.rule_driver import decide
from embodied.driving.closed_loop.score import ELSEWHERE, Scorer
from embodied.driving.closed_loop.world import Route, World, route
from embodied.driving.scene.planner import HARMLESS
from embodied.driving.scene.sets import specs
from embodied.driving.scene.spec import SceneSpec
from embodied.registry import unknown
from embodied.seeding import generator

LONGEST = 30.0
"""Seconds of the longest drive."""
SPARE = 2.0
"""NAVSIM's number is taken this many seconds after the reference's time. On the road without a corner case a drive ends
then.
"""
CARE = 1.5
"""On the road with the corner case a drive may last this many times the reference's seconds, plus `SPARE`. A long stop
costs progress there, but is not wrong.
"""
RETIMED = {
    "04_animal_crossing_dog_1": 0.45,
    "05_animal_crossing_cat_1": 0.5,
    "16_slow_crossing_wheelchair_1": 0.8,
    "20_stepping_out_pedestrian_1": 0.6,
}
"""Scene -> share of the distance at which its corner case starts in the still scene's script. At the full distance, a
car that only maintains its speed would pass before it starts.
"""
SOLID = "stone"
"""What lies in place of a harmless oddity on the road with a corner case, so that `maintain` does not win this pair
either.
"""
PATIENCE = 6.0
"""Seconds: a reference that stands for so long counts as arrived."""


@dataclass(frozen=True)
class Drive:
    """A scene with how it is driven and measured."""

    route: Route
    metres: float
    """How far the reference drove."""
    seconds: float
    """When NAVSIM's number is taken, at the latest."""
    longest: float
    """How long the drive lasts at most, seconds; at least `seconds`."""
    stood: bool
    """Whether the reference stood still on its way."""
    arrived: bool
    """Whether the reference reached the end of the road; on a blocked road it cannot."""
    kept_lane: bool
    """Whether the reference kept to its lane."""


@dataclass(frozen=True)
class RoadPair:
    """The same road twice."""

    hazard: SceneSpec
    """With the corner case."""
    clear: SceneSpec
    """Without it, or with an oddity that does no harm."""


def corner_cases(spec: SceneSpec) -> set[int]:
    """Ids of the actors that are a corner case and must not be met."""
    return {a.id for a in spec.actors if a.corner_case and a.category not in HARMLESS}


def hazardous(spec: SceneSpec) -> bool:
    """Whether there is a corner case that must not be met."""
    return bool(corner_cases(spec))


@lru_cache(maxsize=1)
def _all_pairs() -> tuple[RoadPair, ...]:
    named = {s.name: s for s in specs()}
    found = []
    for spec in (s for s in specs() if s.name.endswith("_1")):
        if hazardous(spec):
            found.append(RoadPair(_retimed(spec), named[spec.twin]))
        else:  # an oddity that does no harm: its twin would call for the same
            actors = tuple(
                replace(a, category=SOLID, motion="still", path=()) if a.corner_case else a for a in spec.actors
            )
            found.append(RoadPair(replace(spec, name=f"{spec.name}_{SOLID}", twin=spec.name, actors=actors), spec))
    return tuple(found)


def _retimed(spec: SceneSpec) -> SceneSpec:
    share = RETIMED.get(spec.name, 1.0)
    return replace(
        spec,
        actors=tuple(a if a.trigger is None else replace(a, trigger=round(a.trigger * share, 3)) for a in spec.actors),
    )


def pairs(template: str | None = None) -> tuple[RoadPair, ...]:
    """The pairs of roads, in the order of the scenes.

    Args:
        template: Only pairs of this template.

    Raises:
        UnknownName: No such template.
    """
    known = _all_pairs()
    names = sorted({p.hazard.template for p in known})
    if template is not None and template not in names:
        raise unknown("template", template, names, "embodied show corner_case_drive")
    return tuple(p for p in known if template in (None, p.hazard.template))


def start(known: tuple[RoadPair, ...], seed: int) -> tuple[RoadPair, bool, float, float]:
    """The pair of a seed, whether the road with the corner case comes first, metres of run-up and the share of the
    scene's speed.

    Pairs take turns, and start differently in later rounds. The two roads of a pair start alike. Half of all seeds have
    the corner case first.
    """
    pair, again = known[seed % len(known)], seed // len(known)
    rng = generator(again, "closed_loop", "start", pair.clear.name)
    first = bool(generator(seed, "closed_loop", "order").integers(2))
    return pair, first, round(float(rng.integers(0, 101)) / 10, 1), round(1 - float(rng.integers(0, 16)) / 100, 2)


@lru_cache(maxsize=512)
def drive_of(spec: SceneSpec, earlier: float, share: float, ticks: int) -> Drive:
    """The drive of a scene: the rule driver's, deciding every `ticks` ticks, is the reference."""
    plan = route(spec, earlier, share)
    world, scorer = World(plan), Scorer()
    while (
        world.time < LONGEST and world.state.y < plan.goal and not scorer.hit and scorer.dac and scorer.stood < PATIENCE
    ):
        if world.ticks % ticks == 0:
            world.command(decide(world))
        world.tick()
        scorer.watch(world)
    arrived, seconds = world.state.y >= plan.goal, min(round(world.time + SPARE, 1), LONGEST)
    longest = min(round(CARE * world.time + SPARE, 1), LONGEST) if arrived and hazardous(spec) else seconds
    metres = round(min(world.state.y, plan.goal), 3)
    return Drive(plan, metres, seconds, longest, scorer.stood >= 1.0, arrived, scorer.elsewhere < ELSEWHERE)

"""Which scene a seed stands for, how it begins, and how far the reference gets in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from embodied.driving.closed_loop.rule_driver import decide
from embodied.driving.closed_loop.score import Scorer
from embodied.driving.closed_loop.world import Route, World, route
from embodied.driving.scene.planner import HARMLESS
from embodied.driving.scene.sets import specs
from embodied.driving.scene.spec import SceneSpec
from embodied.errors import UsageError
from embodied.registry import unknown
from embodied.seeding import generator

LONGEST = 30.0
"""Seconds of the longest drive."""
SPARE = 2.0
"""Seconds that everyone has beyond the reference's."""
PATIENCE = 6.0
"""Seconds: a reference that stands for so long has arrived where it can."""


@dataclass(frozen=True)
class Drive:
    """A scene with how it is driven and measured."""

    route: Route
    metres: float
    """How far the reference drove."""
    seconds: float
    """How long the drive lasts at most."""
    stood: bool
    """Whether the reference stood still on its way."""


def corner_cases(spec: SceneSpec) -> set[int]:
    """Ids of the actors that are a corner case and must not be met."""
    return {a.id for a in spec.actors if a.corner_case and a.category not in HARMLESS}


def hazardous(spec: SceneSpec) -> bool:
    """Whether there is a corner case that must not be met."""
    return bool(corner_cases(spec))


def chosen(task: str, template: str | None = None) -> tuple[SceneSpec, ...]:
    """The scenes of a task.

    Args:
        task: `drive` (all), `hazards` (those with one) or `negatives` (twins without one, and what looks odd but is harmless).
        template: Only scenes of this template.

    Raises:
        UnknownName: No such template.
        UsageError: The template has no such scenes.
    """
    known = specs()
    if template is not None and template not in {s.template for s in known}:
        raise unknown("template", template, sorted({s.template for s in known}), "embodied show corner_case_drive")
    keep = tuple(s for s in known if template in (None, s.template) and (task == "drive" or hazardous(s) == (task == "hazards")))
    if not keep:
        raise UsageError(f"No scene of the template {template} is among the {task} of corner_case_drive.")
    return keep


def start(scenes: tuple[SceneSpec, ...], seed: int) -> tuple[SceneSpec, float, float]:
    """The scene of a seed, with metres of run-up and the share of its speed: scenes take turns, and in later rounds begin otherwise.

    Twins begin alike.
    """
    spec, again = scenes[seed % len(scenes)], seed // len(scenes)
    pair = min(spec.name, spec.twin or spec.name)
    rng = generator(again, "closed_loop", "start", pair)
    return spec, round(float(rng.integers(0, 101)) / 10, 1), round(1 - float(rng.integers(0, 16)) / 100, 2)


@lru_cache(maxsize=512)
def drive_of(spec: SceneSpec, earlier: float, share: float, ticks: int) -> Drive:
    """The drive of a scene: the rule driver's, deciding every `ticks` ticks, is the reference."""
    plan = route(spec, earlier, share)
    world, scorer = World(plan), Scorer()
    while world.time < LONGEST and world.state.y < plan.goal and not scorer.hit and scorer.dac and scorer.stood < PATIENCE:
        if world.ticks % ticks == 0:
            world.command(decide(world))
        world.tick()
        scorer.watch(world)
    return Drive(plan, round(min(world.state.y, plan.goal), 3), min(round(world.time + SPARE, 1), LONGEST), scorer.stood >= 1.0)

"""Reads the folder of an improvement for the pages that show it. Folders may come from strangers: names, numbers and
lengths are checked here, once, for every page.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from embodied.errors import StoreError
from embodied.store.checks import MOST_COUNTED, is_line
from embodied.terminal import shell_word
from embodied.train.learner import Used
from embodied.train.rounds import CURVE, PLAN, ROUND, Curve, Plan, Point, Round, read

DEEPEST = 3
"""Folders within each other in which improvements are looked for."""
MOST_FOLDERS = 5_000
MOST_ROUNDS = 1_000
LONGEST_SENTENCE = 10_000
"""Characters."""
CONTROLS = ("null", "memorise")
"""Learners that must not gain."""
_SHARE = (0.0, 1.0)
_DIFFERENCE = (-1.0, 1.0)
_RANGES = {
    **dict.fromkeys(("score", "parent", "child", "coverage", "p", "worse", "gain_p", "false_promotion"), _SHARE),
    **dict.fromkeys(("gain", "interval", "gain_interval"), _DIFFERENCE),
    "seed": (0.0, 2.0**64),
}
"""Field -> its least and its largest number; others are counts."""
_SENTENCES = ("why", "leaks", "stopped", "words")


@dataclass(frozen=True)
class Improvement:
    """An improvement as its folder has it."""

    root: Path
    plan: Plan
    rounds: tuple[Round, ...]
    """Those that are over."""
    curve: Curve | None
    """None until the test is over."""

    @property
    def name(self) -> str:
        return self.root.resolve().name

    @property
    def refused(self) -> bool:
        """Whether the result counts for nothing."""
        return self.curve is not None and self.curve.refused

    @property
    def control(self) -> bool:
        """Whether its learner is one that must not gain."""
        return self.plan.learner in CONTROLS

    @property
    def promoted(self) -> int:
        """Rounds whose version took the parent's place."""
        return sum(done.decided == "promoted" for done in self.rounds)

    @property
    def used(self) -> Used:
        """By all rounds: playing, learning and gates, without the test."""
        total = Used()
        for done in self.rounds:
            total = total + done.collect + done.learn + done.gate
        return total

    @property
    def first(self) -> Point | None:
        """The first version on the test."""
        return next((p for p in self.points if p.decided == "first"), None)

    @property
    def in_place(self) -> Point | None:
        """The version that is in place at the end, on the test."""
        after = self.rounds[-1].after if self.rounds else self.plan.agent
        return next((p for p in self.points if p.version == after), None)

    @property
    def last_made(self) -> Point | None:
        """The newest version that a learner made, on the test, whatever the gate said of it."""
        made = [p for p in self.points if p.version and p.round]
        return made[-1] if made else None

    @property
    def points(self) -> tuple[Point, ...]:
        return () if self.curve is None else self.curve.points


def is_improvement(folder: Path) -> bool:
    """Whether a folder says that it is an improvement."""
    return os.path.lexists(folder / PLAN) and not os.path.lexists(folder / "run.json")


def read_improvement(folder: Path) -> Improvement:
    """An improvement, over or not.

    Raises:
        StoreError: It is none, or something in it is not what an improvement of ours has.
    """
    plan = read(folder / PLAN, Plan)
    if plan is None:
        raise StoreError(
            f"{folder} is not an improvement: it has no {PLAN}. `embodied improve ... --out"
            f" {shell_word(folder)}` makes one."
        )
    _check(plan, "", str(folder / PLAN))
    curve = read(folder / CURVE, Curve)
    if curve is None:
        return Improvement(folder, plan, tuple(_rounds(folder)), None)
    _check(curve, "", str(folder / CURVE))
    if curve.plan != plan:
        raise StoreError(f"{folder / CURVE} is of another improvement than {PLAN} beside it: the folder was changed.")
    return Improvement(folder, plan, curve.rounds, curve)


def find(folder: Path) -> list[Path]:
    """The improvements in a folder, by name; the folder alone where it is one. Links are not followed.

    Raises:
        StoreError: There is none.
    """
    found: list[Path] = []
    waiting, looked = [(folder, 0)], 0
    while waiting and looked < MOST_FOLDERS:
        place, depth = waiting.pop()
        looked += 1
        if is_improvement(place):
            found.append(place)
        elif depth < DEEPEST and place.is_dir():
            waiting += [(Path(e.path), depth + 1) for e in os.scandir(place) if e.is_dir(follow_symlinks=False)]
    if not found:
        raise StoreError(
            f"{folder} is not an improvement, and there is none in it. `embodied improve ... --out"
            f" {shell_word(folder)}` makes one."
        )
    return sorted(found)


def _rounds(folder: Path) -> Iterator[Round]:
    for number in range(1, MOST_ROUNDS + 1):
        place = folder / f"round-{number}"
        done = None if place.is_symlink() else read(place / ROUND, Round)
        if done is None:
            return
        _check(done, "", str(place / ROUND))
        yield done


def _check(value: Any, key: str, where: str) -> None:
    """Raises `StoreError` for what no record of ours has: markup does no harm on our pages, but a number out of its
    range would break a chart, and a line break a table.
    """
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _check(getattr(value, name), name, where)
    elif isinstance(value, tuple):
        if len(value) > MOST_ROUNDS * 10:
            raise StoreError(f"{where} is damaged: it has {len(value):,} {key}.")
        for one in value:
            _check(one, key, where)
    elif isinstance(value, str):
        if len(value) > LONGEST_SENTENCE or not (key in _SENTENCES or is_line(value)):
            raise StoreError(f"{where} is damaged: its {key} is not one short line.")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        low, high = _RANGES.get(key, (0.0, float(MOST_COUNTED)))
        if not (math.isfinite(value) and low <= value <= high):
            raise StoreError(f"{where} is damaged: {key} is {value:g}, which is not between {low:g} and {high:g}.")

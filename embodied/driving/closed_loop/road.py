"""One road of a pair while it is driven: the world, its measures, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from embodied.driving.closed_loop.scenes import Drive
from embodied.driving.closed_loop.score import ELSEWHERE, Scorer, progress_ratio
from embodied.driving.closed_loop.world import World

GOOD = ("avoided", "passed")
"""Outcomes that count as success."""
OUTCOMES = (*GOOD, "late", "swerved_for_nothing", "stopped_for_nothing", "hit", "left_road")


@dataclass(frozen=True)
class Ending:
    """How a road ended."""

    outcome: str
    """One of `OUTCOMES`."""
    reason: str
    met: tuple[int, ...]
    """Ids of what was met."""
    parts: dict[str, float]

    @property
    def success(self) -> bool:
        return self.outcome in GOOD

    @property
    def worth(self) -> float:
        """NAVSIM's number if the outcome is `avoided` or `passed`; else 0. In [0, 1]."""
        return self.parts["navsim"] if self.success else 0.0


class DrivenRoad:
    """A road that is being driven.

    Args:
        kind: `hazard` or `clear`: with the corner case, or without it.
        plan: The road.
    """

    def __init__(self, kind: str, plan: Drive):
        self.kind, self.plan = kind, plan
        self.world, self.over = World(plan.route), ""
        self._scorer = Scorer()
        self._metres = 0.0
        """As far as NAVSIM's number is taken."""

    def drive(self, action: str, ticks: int) -> None:
        """Drives as told for some tenths of a second, or until the road is over; `over` then says why."""
        for _ in self.ticks(action, ticks):
            pass

    def ticks(self, action: str, ticks: int) -> Iterator[None]:
        """As `drive`, with a pause between any two ticks."""
        self.world.command(action)
        for tick in range(ticks):
            if tick:
                yield
            self.world.tick()
            self._scorer.watch(self.world)
            if self.world.time <= self.plan.seconds:
                self._metres = round(max(0.0, min(self.world.state.y, self.plan.route.goal)), 3)
            if reason := self._reason():
                self.over = reason
                return

    def position(self) -> list[float]:
        """x and y in metres, heading in degrees."""
        s = self.world.state
        return [round(s.x, 3), round(s.y, 3), round(float(np.degrees(s.heading)), 3)]

    def parts(self) -> dict[str, float]:
        """NAVSIM's number, its parts, and what else is measured, so far."""
        s = self._scorer
        score, ep = s.score(self._metres, self.plan.metres), progress_ratio(self._metres, self.plan.metres)
        values = {"navsim": score, "nc": s.nc, "dac": s.dac, "ttc": s.ttc, "ep": ep, "c": s.c}
        values |= {
            "metres": max(0.0, min(self.world.state.y, self.plan.route.goal)),
            "seconds": self.world.time,
            "stood": s.stood,
        }
        values |= {"stood_for_nothing": s.stood_for_nothing, "elsewhere": s.elsewhere}
        values |= {"hardest_acceleration": s.hardest["acceleration"], "hardest_jerk": s.hardest["jerk"]}
        return {name: round(float(value), 6) for name, value in values.items()}

    def ending(self) -> Ending:
        """How the road ended; where it is not over, steps ran out on it."""
        return Ending(self._outcome(), self.over or "step limit", self._scorer.hit, self.parts())

    def _reason(self) -> str:
        scorer = self._scorer
        if scorer.hit:
            return "collision" if scorer.nc < 1 else "hit by another"
        if not scorer.dac:
            return "left the road"
        if self.world.state.y >= self.plan.route.goal:
            return "arrived"
        return "time over" if self.world.time >= self.plan.longest else ""

    def _outcome(self) -> str:
        scorer, hazard = self._scorer, self.kind == "hazard"
        if scorer.hit:  # no matter whose fault
            return "hit"
        if not scorer.dac:
            return "left_road"
        if not self.over:  # steps ran out
            return "late"
        if scorer.stood_for_nothing >= 1.0 or (
            progress_ratio(self._metres, self.plan.metres) < 0.5 and scorer.stood == 0.0
        ):
            return "stopped_for_nothing"
        if not hazard and scorer.elsewhere >= ELSEWHERE and self.plan.kept_lane:
            return "swerved_for_nothing"
        if self.over != "arrived" and self.plan.arrived:
            return "late"
        return "avoided" if hazard else "passed"

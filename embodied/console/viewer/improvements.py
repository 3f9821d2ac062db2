"""Improvements on the page of many runs: what each says of itself in a line, and what its runs are for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embodied.errors import EmbodiedError
from embodied.train.pages.curve_page import page
from embodied.train.pages.reading import Improvement, read_improvement
from embodied.types import Json

PHASES = ("collect", "practice", "gate")
LAST = 1 << 30
"""The turn of the test, behind all rounds."""


@dataclass(frozen=True)
class Improved:
    """An improvement on the shelf. It is read when it is asked for, so that the page shows what is there now."""

    root: Path
    name: str
    """The folder, seen from the folder of runs."""

    def json(self) -> Json:
        """As plain values; `problem` says why it cannot be read."""
        try:
            found = read_improvement(self.root)
        except EmbodiedError as error:
            return {"name": self.name, "about": "", "state": "damaged", "result": "", "problem": str(error)}
        plan = found.plan
        about = f"{plan.name} on {', '.join(plan.env)}, learner {plan.learner}"
        return {
            "name": self.name,
            "about": f"{about} (control)" if found.control else about,
            "state": _state(found),
            "result": _result(found),
            "problem": "",
        }

    def page(self) -> bytes:
        """Its report. Raises `StoreError` where it cannot be read."""
        return page(read_improvement(self.root), back="../../")


def role(parts: Sequence[str]) -> tuple[int, str]:
    """What a run of an improvement is for: a number to sort by, and words.

    Args:
        parts: Of its path in the improvement: `("round-1", "gate", "parent")`.
    """
    top, *rest = parts or ("",)
    number = top.removeprefix("round-")
    if top.startswith("round-") and number.isascii() and number.isdigit() and len(number) < 7 and rest:
        phase, *more = rest
        turn = int(number) * len(PHASES) + (PHASES.index(phase) if phase in PHASES else 0)
        return turn, f"round {number}, {phase}" + (f" {'/'.join(more)}" if more else "")
    if top == "test" and rest:
        words = {"corrected": "the first, corrected live", "ceiling": "the expert alone"}
        place, _, version = rest[0].partition("-")
        made = f"version {version}" + (" (the first)" if place == "0" else "")
        return LAST, f"test, {words.get(rest[0], made if version else rest[0])}"
    return LAST + 1, "/".join(parts)


def _state(found: Improvement) -> str:
    if found.curve is None:
        return "not over"
    return "REFUSED" if found.curve.refused else "ended early" if found.curve.stopped else "finished"


def _result(found: Improvement) -> str:
    promoted = f"{found.promoted} of {len(found.rounds)} promoted"
    first, now = found.first, found.in_place
    if found.refused or first is None or now is None or first.score is None or now.score is None:
        return promoted
    return f"{100 * first.score:.1f} % to {100 * now.score:.1f} %, {promoted}"

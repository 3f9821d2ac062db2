"""The judge's score as a table: how many answers every number has, the published scale beside the raw one, and the
least possible score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from embodied.driving.categories import GROUPS
from embodied.driving.grounded import NAME
from embodied.driving.records import OTHER, TASKS, Key, Task
from embodied.eval.tables import Table
from embodied.exchange.codalm.judge import LOWEST
from embodied.exchange.codalm.judging import Case, Ratings

PUBLISHED = 10
"""What CODA-LM's tables multiply ratings by: their scale runs from 10, which an empty answer earns, to 100."""
COLUMNS = (
    "",
    "asked",
    "judged",
    "empty",
    "unparsed",
    "failed",
    "not asked",
    "rating (1-10)",
    "x10",
    "at least",
    "at least x10",
)


@dataclass(frozen=True)
class Count:
    """What became of some answers."""

    planned: int
    judged: int
    empty: int
    unparsed: int
    failed: int
    altered: int
    """Answers out of which ratings were taken, or that were cut."""
    total: float
    """Sum of the ratings, 1 for each empty answer."""

    @property
    def rated(self) -> int:
        return self.judged + self.empty

    @property
    def mean(self) -> float | None:
        """Mean rating of those that have one; None without any."""
        return self.total / self.rated if self.rated else None

    @property
    def least(self) -> float | None:
        """Mean with the lowest rating for each answer without one."""
        return (self.total + LOWEST * (self.planned - self.rated)) / self.planned if self.planned else None


def count(cases: Sequence[Case], ratings: Ratings) -> Count:
    """Counts what became of `cases`."""
    last = [rating for case in cases if (rating := ratings.last(case)) is not None]
    of = {status: sum(r.status == status for r in last) for status in ("judged", "empty", "unparsed", "failed")}
    return Count(
        planned=len(cases),
        judged=of["judged"],
        empty=of["empty"],
        unparsed=of["unparsed"],
        failed=of["failed"],
        altered=sum(r.altered for r in last),
        total=sum(r.rating for r in last if r.rating is not None),
    )


def final(general: float, region: float, suggestion: float) -> float:
    """The challenge's final score: the mean of the three tasks' scores (W-CODA 2024, track 1)."""
    return (general + region + suggestion) / 3


def table(score: str, cases: Sequence[Case], ratings: Ratings) -> Table:
    """A row a task, a row a group of regions, and the final where all three tasks are there."""
    rows: list[tuple[str | int | None, ...]] = []
    counts: dict[Task, Count] = {}
    for task in TASKS:
        of_task = [case for case in cases if case.key[0] == task]
        if not of_task:
            continue
        counts[task] = count(of_task, ratings)
        rows.append(_row(task, counts[task]))
        if task == "region_perception":
            groups = [(g, [case for case in of_task if case.group == g]) for g in (*GROUPS, OTHER)]
            rows += [_row(f"  {g}", count(members, ratings)) for g, members in groups if members]
    if len(counts) == len(TASKS):
        rows.append(_final(counts))
    return Table(score, COLUMNS, tuple(rows), _note(counts))


def _row(name: str, c: Count) -> tuple[str | int | None, ...]:
    missing = c.planned - c.judged - c.empty - c.unparsed - c.failed
    return (
        name,
        c.planned,
        c.judged,
        c.empty,
        c.unparsed,
        c.failed,
        missing,
        _two(c.mean),
        _two(c.mean, PUBLISHED),
        _two(c.least),
        _two(c.least, PUBLISHED),
    )


def _of_all(scores: list[float | None]) -> float | None:
    """The final score; None if a task has no score."""
    known = [score for score in scores if score is not None]
    return final(*known) if len(known) == len(TASKS) else None


def _final(counts: dict[Task, Count]) -> tuple[str | int | None, ...]:
    means, least = [counts[t].mean for t in TASKS], [counts[t].least for t in TASKS]
    mean, lowest = _of_all(means), _of_all(least)
    return (
        "final (mean of the three)",
        *[None] * 6,
        _two(mean),
        _two(mean, PUBLISHED),
        _two(lowest),
        _two(lowest, PUBLISHED),
    )


def _note(counts: dict[Task, Count]) -> str:
    altered = sum(c.altered for c in counts.values())
    notes = [
        "A language model that sees no picture gave these ratings. Compare them only under the same name, which holds"
        " judge and prompt, and never with published scores.",
        "An empty or missing answer is rated 1 without a call; `at least` counts every answer without a rating as 1.",
    ]
    if altered:
        notes.append(
            f"{altered} answers were altered for the judge: ratings or marks of turns were removed, or the end was cut."
        )
    if any(c.rated < c.planned for c in counts.values()):
        notes.append(
            "Some answers have no rating; the same command asks for them again. If the judge's reply held no rating,"
            " add run.cache=off."
        )
    return " ".join(notes)


def agreement(score: str, cases: Sequence[Case], ratings: Ratings, grounded: Mapping[Key, float | None]) -> Table:
    """Spearman's rank correlation of the judge's ratings with `grounded-v1` on the same answers, by task: two opinions,
    each in a table of its own.
    """
    rows = []
    for task in TASKS:
        pairs = [
            (r.rating, g)
            for c in cases
            if c.key[0] == task and (r := ratings.judged(c)) is not None and (g := grounded.get(c.key)) is not None
        ]
        if pairs:
            rows.append((task, len(pairs), spearman(*zip(*pairs, strict=True))))
    return Table(
        f"{score}: order of answers, beside {NAME}",
        ("", "answers", "Spearman"),
        tuple(rows),
        "1: both put the answers in the same order; 0: no relation.",
    )


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Spearman's rank correlation, equal values sharing their mean rank; None where one side does not vary."""
    x, y = _ranks(a), _ranks(b)
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale else None


def _ranks(values: Sequence[float]) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _two(value: float | None, scale: int = 1) -> str | None:
    return None if value is None else f"{value * scale:.2f}"

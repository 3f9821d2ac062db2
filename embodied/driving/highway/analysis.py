"""Tables of highway-env's roads: collisions, progress, speed and comfort by task."""

from __future__ import annotations

from collections.abc import Sequence

from embodied.driving.floors import floors, shown
from embodied.eval.intervals import interval
from embodied.eval.statistics import stratify
from embodied.eval.tables import Cell, Replies, Table, share
from embodied.types import Episode


def tables(episodes: Sequence[Episode], replies: Replies) -> list[Table]:
    """A row a task, read from how the episodes ended; and beside each task's score what one phrase, chance and the
    rule-based driver earn on that road.
    """
    rows: list[tuple[Cell, ...]] = []
    for task in dict.fromkeys(e.spec.task.task for e in episodes):
        part = [e for e in episodes if e.spec.task.task == task]
        n = len(part)
        means = [_mean([e.metrics[key] for e in part]) for key in ("progress", "speed", "comfort")]
        rewards = sum(e.return_ for e in part) / n
        rows.append(
            (
                task,
                n,
                share(sum(bool(e.success) for e in part), n),
                share(sum(e.metrics["collision"] for e in part), n),
                *means,
                rewards,
            )
        )
    note = (
        "Speed in m/s, mean of decisions; comfort: share of decisions within nuPlan's bounds of acceleration; return:"
        " the sum of highway-env's own rewards."
    )
    by_task = Table(
        "highway-env: by task",
        ("task", "n", "success", "collision", "progress", "speed", "comfort", "return"),
        tuple(rows),
        note,
    )
    return [by_task, _floors(episodes)]


def _floors(episodes: Sequence[Episode]) -> Table:
    """The score of each task beside those of drivers that do not look at anything."""
    measured = floors("highway")["tasks"]
    rows: list[tuple[Cell, ...]] = []
    for task in dict.fromkeys(e.spec.task.task for e in episodes):
        part = [e.progress or 0.0 for e in episodes if e.spec.task.task == task]
        rows.append(
            (
                f"{task}: this run",
                len(part),
                _mean(part),
                share(sum(bool(e.success) for e in episodes if e.spec.task.task == task), len(part)),
            )
        )
        if found := measured.get(task):
            named = {**found["constants"], "random": found["random"], "rule-based driver": found["rule_driver"]}
            rows += [
                (f"{task}: {name}", found["seeds"], shown(row["score"]), shown(row["success"]))
                for name, row in named.items()
            ]
    note = (
        "Means with standard errors, of Highway-v1, made by `python benchmarks/driving_floors.py highway`. Runs of v0"
        " were scored by another rule."
    )
    return Table("highway-env: what looking at nothing earns", ("driver", "n", "score", "success"), tuple(rows), note)


def _mean(values: Sequence[float]) -> str:
    found = interval(stratify({("highway", ""): values}))
    mean = sum(values) / len(values)
    return f"{mean:.2f} [{found[0]:.2f}, {found[1]:.2f}]" if found else f"{mean:.2f}"

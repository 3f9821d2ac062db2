"""What an agent's score is worth: the same episodes under controls, and played by agents that look at nothing.

All differences are paired by seed, as in `embodied compare`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from embodied.controls import BLACK, OTHER_GOAL, TWIN, in_words
from embodied.eval import statistics as st
from embodied.eval.compare import compare_two
from embodied.eval.intervals import interval
from embodied.eval.metrics import student_interval
from embodied.eval.results import Results, Value, progress, read, success
from embodied.registry import unknown
from embodied.store.index import light_steps
from embodied.store.run import Run
from embodied.types import Episode

AGENT, RANDOM, MAJORITY = "agent", "random", "majority_action"
UNSEEING = (BLACK, TWIN, RANDOM, MAJORITY)
"""Conditions that earn what they earn without the episode's own pictures."""
Task = tuple[str, str]
"""(environment, task)."""
Actions = dict[tuple[str, str, int], tuple[str, ...]]
"""(environment, task, seed) -> the actions that were executed."""


@dataclass(frozen=True)
class Condition:
    """One way in which the episodes were played."""

    name: str
    meaning: str
    """What it is, in one line."""
    runs: tuple[Run, ...] = ()
    """Empty where it was not played."""
    left_out: Mapping[Task, str] = field(default_factory=dict)
    """Task -> why the condition says nothing about it."""


@dataclass(frozen=True)
class Row:
    """A condition on one task, or on all."""

    condition: str
    env: str
    """Empty for all."""
    task: str
    tasks: int
    """How many tasks the row is about."""
    planned: int
    scored: int
    score: float | None
    interval: st.Interval | None
    """95 %."""
    difference: float | None = None
    """The agent's score less this one, over the seeds that both have."""
    difference_interval: st.Interval | None = None
    """95 %."""
    p: float | None = None
    pairs: int = 0
    """Seeds that both have."""
    alike: int = 0
    """Of them, those in which exactly the same actions were executed."""


def ablation(conditions: Sequence[Condition], value: Value = progress, bounded: bool = True) -> list[Row]:
    """The rows of all tasks together, then those of each task.

    Args:
        conditions: The agent as it is first; those without runs have no row.
        value: What is averaged.
        bounded: Whether it is in [0, 1]; intervals of other values are Student's.
    """
    played = {c.name: joined(c.runs) for c in conditions if c.runs}
    acted = {c.name: actions(c.runs) for c in conditions if c.runs}
    tasks = list(dict.fromkeys((s.task.env, s.task.task) for s in played[AGENT].record.planned))
    rows = []
    for task in [None, *tasks] if len(tasks) > 1 else tasks:
        agent = _of(played[AGENT], task)
        for name, whole in played.items():
            own = _of(whole, task)
            if not own.record.planned:
                continue
            row = _row(name, own, task, value, bounded)
            if name != AGENT:
                row = _against(row, agent, own, value, bounded, acted[AGENT], acted[name])
            rows.append(row)
    return rows


def measure(name: str, conditions: Sequence[Condition]) -> tuple[Value, bool]:
    """How a metric is read from an episode, and whether it is in [0, 1] in all of them.

    Args:
        name: progress, success, or a metric of the environment's own (`Episode.metrics`).
        conditions: What was played.

    Raises:
        UsageError: No episode has it.
    """
    if name in ("progress", "success"):
        return (progress if name == "progress" else success), True

    def own(episode: Episode) -> float | None:
        return None if progress(episode) is None else episode.metrics.get(name)

    ended = [e for c in conditions for run in c.runs for e in read(run).ended.values()]
    values = [number for e in ended if (number := own(e)) is not None]
    if not values:
        known = {"progress", "success", *(key for e in ended for key in e.metrics)}
        raise unknown("metric of these episodes", name, sorted(known), "embodied show ENV")
    return own, all(0 <= number <= 1 for number in values)


def joined(runs: Sequence[Run]) -> Results:
    """The results of several runs of different tasks, as those of one."""
    first, *others = map(read, runs)
    for other in others:
        planned = (*first.record.planned, *other.record.planned)
        first = replace(
            first,
            record=replace(first.record, planned=planned),
            ended={**first.ended, **other.ended},
            damaged=(*first.damaged, *other.damaged),
        )
    return first


def actions(runs: Sequence[Run]) -> Actions:
    """What was executed in each scored episode."""
    return {
        (spec.task.env, spec.task.task, spec.seed): tuple(
            step.executed for step in light_steps(run.folder(spec.id) / "steps.jsonl") if step is not None
        )
        for run in runs
        for spec in run.record.planned
        if run.scored(spec.id)
    }


def majority(run: Run) -> dict[Task, str]:
    """The action that an agent chose most often in each task: of those that it could say and that the environment
    knows. The first in the alphabet where several are equal. A task without such an action is left out.
    """
    counts: dict[Task, Counter[str]] = {}
    for spec in run.record.planned:
        steps = light_steps(run.folder(spec.id) / "steps.jsonl") if run.scored(spec.id) else ()
        for step in steps:
            if step is not None and step.valid and step.decision.parsed:
                counts.setdefault((spec.task.env, spec.task.task), Counter())[step.executed] += 1
    return {task: min(found, key=lambda phrase: (-found[phrase], phrase)) for task, found in counts.items()}


def _of(results: Results, task: Task | None) -> Results:
    """The part of the results that is about one task."""
    if task is None:
        return results
    planned = tuple(s for s in results.record.planned if (s.task.env, s.task.task) == task)
    return replace(results, record=replace(results.record, planned=planned))


def _row(name: str, own: Results, task: Task | None, value: Value, bounded: bool) -> Row:
    strata, planned = own.strata(value=value), own.record.planned
    scored = [e for s in planned if (e := own.ended.get(s.id)) is not None and value(e) is not None]
    env, of = task or ("", "")
    return Row(
        condition=name,
        env=env,
        task=of,
        tasks=len({(s.task.env, s.task.task) for s in planned}),
        planned=len(planned),
        scored=len(scored),
        score=st.mean(strata),
        interval=interval(strata) if bounded else student_interval(strata),
    )


def _against(
    row: Row, agent: Results, own: Results, value: Value, bounded: bool, acted: Actions, others: Actions
) -> Row:
    """The row with the agent's lead over it."""
    found = compare_two(agent, own, value, bounded)
    if found is None:
        return row
    here = [(s.task.env, s.task.task, s.seed) for s in own.record.planned]
    return replace(
        row,
        difference=found.difference,
        difference_interval=found.interval,
        p=found.p,
        pairs=found.pairs if found.paired else 0,
        alike=sum(key in acted and key in others and acted[key] == others[key] for key in here),
    )


def verdicts(rows: Sequence[Row]) -> list[str]:
    """What the rows of all tasks say of the agent's eyes and of its reading, in a sentence each.

    An agent uses its pictures only if it beats everything that earns its score without them.
    """
    whole = [r for r in rows if r.env == rows[0].env and r.task == rows[0].task]
    found = []
    blind = [r for r in whole if r.condition in UNSEEING and r.difference is not None]
    if blind:
        found.append(_verdict(min(blind, key=lambda r: r.difference or 0.0), "sees", "its own pictures"))
    if reading := [r for r in whole if r.condition == OTHER_GOAL and r.difference is not None]:
        found.append(_verdict(reading[0], "reads", "its own instruction"))
    return found


def _verdict(row: Row, does: str, what: str) -> str:
    said = f"without {what} {100 * (row.score or 0.0):.1f} % are earned ({in_words(row.condition)})"
    if row.difference_interval is None:
        return f"Too few episodes to say whether the agent {does}: {said}."
    low, high = (100 * bound for bound in row.difference_interval)
    said = f"{said}; lead {100 * (row.difference or 0.0):.1f} (95 %: {low:.1f} to {high:.1f})"
    return f"The agent {does}: {said}." if low > 0 else f"Nothing shows that the agent {does}: {said}."

"""Scores of a run: mean progress by environment and task, with an interval, and how many episodes stand behind it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from embodied.seeding import generator
from embodied.store.run import SCORED, Run
from embodied.types import Episode, EpisodeSpec, Usage

RESAMPLES = 10_000
LEVEL = 0.95


@dataclass(frozen=True)
class Score:
    """Score of one environment, task, or of the whole run."""

    name: str
    planned: int
    scored: int
    progress: float | None
    """Mean over tasks of the mean over episodes, in [0, 1]; None when nothing is scored. Failed episodes are neither zeros nor holes: see `scored`."""
    interval: tuple[float, float] | None
    """95 % stratified percentile bootstrap; None when a task has fewer than two scored episodes."""
    success: float | None
    """Share of scored episodes that succeeded, among those whose environment says so; None where none does."""
    steps: int = 0
    invalid_actions: int = 0
    usage: Usage = field(default_factory=Usage)
    outcomes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RunScore:
    """Scores of a run: the whole, each environment, each task."""

    total: Score
    environments: tuple[Score, ...]
    tasks: tuple[Score, ...]


def score(run: Run) -> RunScore:
    """Scores a run, finished or not.

    The whole is the mean over environments of the environment's score (macro average), so environments with many tasks do not
    outweigh the others.
    """
    by_env: dict[str, dict[str, list[EpisodeSpec]]] = defaultdict(lambda: defaultdict(list))
    for spec in run.record.planned:
        by_env[spec.task.env][spec.task.task].append(spec)
    ended = {e.spec.id: e for e in run.episodes()}
    tasks = [_score(f"{env} {task}".strip(), [[specs]], ended) for env, groups in by_env.items() for task, specs in groups.items()]
    environments = [_score(env, [list(groups.values())], ended) for env, groups in by_env.items()]
    total = _score("all", [list(groups.values()) for groups in by_env.values()], ended)
    return RunScore(total, tuple(environments), tuple(tasks))


def _score(name: str, strata: list[list[list[EpisodeSpec]]], ended: dict[str, Episode]) -> Score:
    """`strata`: environments -> tasks -> episodes."""
    specs = [spec for env in strata for task in env for spec in task]
    episodes = [ended[s.id] for s in specs if s.id in ended]
    scored = [e for e in episodes if e.outcome in SCORED]
    values = [[[e.progress for s in task if (e := ended.get(s.id)) and e.outcome in SCORED] for task in env] for env in strata]
    decided = [e.success for e in scored if e.success is not None]
    outcomes: dict[str, int] = defaultdict(int)
    for episode in episodes:
        outcomes[episode.outcome] += 1
    return Score(
        name=name,
        planned=len(specs),
        scored=len(scored),
        progress=_mean(values),
        interval=_interval(values, name),
        success=sum(decided) / len(decided) if decided else None,
        steps=sum(e.steps for e in episodes),
        invalid_actions=sum(e.invalid_actions for e in episodes),
        usage=Usage(*(sum(getattr(e.usage, f) for e in episodes) for f in ("input", "output", "reasoning", "cached"))),
        outcomes=dict(outcomes),
    )


def _mean(values: list[list[list[float]]]) -> float | None:
    """Mean over environments of the mean over tasks of the mean over episodes; tasks without a scored episode are left out."""
    environments = [[float(np.mean(task)) for task in env if task] for env in values]
    means = [float(np.mean(env)) for env in environments if env]
    return float(np.mean(means)) if means else None


def _interval(values: list[list[list[float]]], name: str) -> tuple[float, float] | None:
    """Percentile bootstrap (Efron and Tibshirani 1993, chapter 13), resampling episodes within each task; seeded, so it is reproducible."""
    if any(len(task) < 2 for env in values for task in env):
        return None
    rng = generator(0, "bootstrap", name)
    means = np.zeros(RESAMPLES)
    for env in values:
        for task in env:
            sample = np.asarray(task)[rng.integers(len(task), size=(RESAMPLES, len(task)))]
            means += sample.mean(axis=1) / (len(env) * len(values))
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)

"""The content of a run's report, gathered in one pass over its steps. `embodied.eval.report_page` draws it.

Memory does not grow with the number of steps: counts, a histogram of times, and for every episode its progress at a few
places.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from embodied.eval.analysis import analyse
from embodied.eval.results import Results, progress, read
from embodied.eval.score import RunScore, score
from embodied.eval.settings import describe, spent
from embodied.eval.tables import Table
from embodied.store.index import LightStep, light_steps
from embodied.store.run import Run
from embodied.types import Episode

PLACES = 61
"""Places along an episode where its progress is kept for the curve."""
MOST_NAMES = 5_000
"""Different actions or replies counted by environment; further ones are counted together."""


class Times:
    """Quantiles of any number of times in bounded memory: counts in bins that are 5 % wide."""

    _LOWEST, _STEP = 1e-6, math.log(1.05)

    def __init__(self) -> None:
        self.total = 0.0
        self.count = 0
        self._bins: Counter[int] = Counter()

    def add(self, seconds: float | None) -> None:
        if seconds is None:
            return
        self.total += seconds
        self.count += 1
        self._bins[int(math.log(seconds / self._LOWEST) / self._STEP) if seconds > self._LOWEST else 0] += 1

    def quantile(self, share: float) -> float | None:
        """Seconds, within 5 %; None without a time."""
        passed = 0
        for bin_ in sorted(self._bins):
            passed += self._bins[bin_]
            if passed >= share * self.count:
                return self._LOWEST * math.exp((bin_ + 0.5) * self._STEP)
        return None


@dataclass
class Activity:
    """What happened in an environment's steps."""

    steps: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    """Executed actions."""
    refused: Counter[str] = field(default_factory=Counter)
    """Phrases outside the vocabulary, as the agent said them, shortened."""
    invalid: int = 0
    unread: int = 0
    calls: int = 0
    retried: int = 0
    cut_off: int = 0
    agent: Times = field(default_factory=Times)
    world: Times = field(default_factory=Times)
    damaged: int = 0

    def add(self, step: LightStep) -> None:
        self.steps += 1
        _count(self.actions, step.executed)
        decision = step.decision
        if not decision.parsed:
            self.unread += 1
        elif not step.valid:
            self.invalid += 1
            _count(self.refused, decision.action[:80])
        for call in step.calls():
            self.calls += 1
            self.retried += call.reply.attempts > 1
            self.cut_off += call.reply.stop in ("length", "max_tokens")
        self.agent.add(step.agent_seconds)
        self.world.add(step.env_seconds)


@dataclass
class Curve:
    """Progress over steps, over the scored episodes of an environment. An episode that ended early keeps its last
    progress.
    """

    steps: np.ndarray
    """(N,) numbers of steps, N at most PLACES; the other arrays go with them."""
    mean: np.ndarray
    """Mean over tasks of the mean over episodes, as in the score."""
    low: np.ndarray
    """First quartile of the episodes."""
    high: np.ndarray
    """Third quartile of the episodes."""
    episodes: int


@dataclass(frozen=True)
class Report:
    """Everything the page shows."""

    results: Results
    score: RunScore
    activity: dict[str, Activity]
    """By environment."""
    curves: dict[str, Curve]
    """By environment, where an episode is scored."""
    cost: dict[str, float]
    """US dollars by environment; empty where no price is known."""
    tables: list[Table]
    """The environments' own measures."""


def gather(run: Run) -> Report:
    """Reads a run, finished or not. Damaged lines and results are counted, never an error."""
    results = read(run)
    longest: dict[str, int] = {}
    for episode in results.ended.values():
        env = episode.spec.task.env
        longest[env] = max(longest.get(env, 1), episode.steps)
    activity = {env: Activity() for env in longest}
    progressed: dict[str, list[tuple[str, np.ndarray]]] = {}
    for episode in results.ended.values():
        env = episode.spec.task.env
        places = _places(longest[env])
        seen = _pass(run.folder(episode.spec.id) / "steps.jsonl", activity[env], places)
        if progress(episode) is not None:
            progressed.setdefault(env, []).append((episode.spec.task.task, _to_the_end(seen, places, episode)))
    curves = {env: _curve(_places(longest[env]), rows) for env, rows in progressed.items()}
    scored, about = score(results), describe(results.record)
    cost = {
        s.name: money
        for s in scored.environments
        if (money := spent(results.record.config, s.usage, about, s.advice)) is not None
    }
    return Report(results, scored, activity, curves, cost, analyse(run, results))


def _pass(path: Path, activity: Activity, places: np.ndarray) -> np.ndarray:
    """Counts an episode's steps; returns its progress after `places` steps, NaN where it had ended."""
    seen = np.full(len(places), np.nan)
    seen[0] = 0.0
    wanted = {int(place): n for n, place in enumerate(places)}
    for step in light_steps(path):
        if step is None:
            activity.damaged += 1
            continue
        activity.add(step)
        n = wanted.get(step.index + 1)
        if n is not None and step.progress is not None:
            seen[n] = step.progress
    return seen


def _to_the_end(seen: np.ndarray, places: np.ndarray, episode: Episode) -> np.ndarray:
    """`seen` with the last known value wherever there is none, and the episode's own result from its end on."""
    ended = np.nan if episode.progress is None else episode.progress
    filled: np.ndarray = np.where(places >= max(episode.steps, 1), ended, seen)
    known: np.ndarray = np.maximum.accumulate(np.where(np.isnan(filled), 0, np.arange(len(filled))))
    last: np.ndarray = filled[known]
    return last


def _places(steps: int) -> np.ndarray:
    return np.unique(np.linspace(0, steps, PLACES).round().astype(int))


def _curve(places: np.ndarray, progressed: list[tuple[str, np.ndarray]]) -> Curve:
    episodes = Counter(task for task, _ in progressed)
    rows = np.array([seen for _, seen in progressed])
    low, high = np.quantile(rows, [0.25, 0.75], axis=0)
    return Curve(
        places, np.average(rows, axis=0, weights=[1 / episodes[task] for task, _ in progressed]), low, high, len(rows)
    )


def _count(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < MOST_NAMES else "(others)"] += 1

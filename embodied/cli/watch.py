"""Live figures of a run by environment, counted while it plays, for the table and for machines."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from embodied.eval.results import progress
from embodied.eval.statistics import LEVEL, mean, spread_of, stratify, student_quantile
from embodied.models.prices import Price
from embodied.store.events import calls_of
from embodied.store.run import SCORED, Run
from embodied.types import Episode, EpisodeSpec, Step, Usage

RECENT = 1_000
"""Model calls that the latencies are taken from."""


@dataclass
class Figures:
    """One environment, or the whole run. Counts of steps, calls and tokens are those of this session."""

    planned: int = 0
    scored: int = 0
    failed: int = 0
    running: int = 0
    ended: int = 0
    """Scored in this session."""
    steps: int = 0
    retries: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    repeated: int = 0
    progress: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Task -> progress of its scored episodes."""
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    """Seconds of the last calls that were really made."""


@dataclass(frozen=True)
class Status:
    """`Figures` made readable; None where there is nothing to say yet."""

    name: str
    planned: int
    scored: int
    running: int
    failed: int
    progress: float | None
    """Mean over tasks, in [0, 1]."""
    margin: float | None
    """Half the 95 % interval of `progress`, from Student's t; the table at the end has the better one."""
    steps_per_second: float
    latency_p50: float | None
    """Seconds."""
    latency_p95: float | None
    tokens_in: int
    tokens_out: int
    prefix_share: float | None
    """Share of the prompt tokens that repeated the beginning of the prompt before."""
    dollars: float | None
    """None where the price is not known."""
    retries: int
    seconds: float
    """Since this session began."""
    seconds_left: float | None
    """If the rest goes as this session has gone."""


class Watch:
    """Listens to a run and counts. Implements `embodied.rollout.runner.Listener`."""

    def __init__(self, run: Run, planned: Sequence[EpisodeSpec], price: Price | None = None):
        """Episodes that have ended already count as they are."""
        self._price = price
        self._start = time.monotonic()
        self._by_env: dict[str, Figures] = {}
        self._failed: dict[str, str] = {}
        for spec in planned:
            figures = self._by_env.setdefault(spec.task.env, Figures())
            if isinstance(spec.parent, str):
                continue
            figures.planned += 1
            if (episode := run.result(spec.id)) is not None:
                self._count(figures, episode)

    def started(self, spec: EpisodeSpec) -> None:
        """Of a branch only steps, calls and tokens count."""
        if isinstance(spec.parent, str):
            return
        figures = self._by_env[spec.task.env]
        figures.running += 1
        if self._failed.pop(spec.id, None):
            figures.failed -= 1

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        figures = self._by_env[spec.task.env]
        figures.steps += 1
        for reply in (call.reply for call in calls_of(step)):
            if reply.cached:  # no call was made
                continue
            figures.retries += reply.attempts - 1
            figures.input += reply.usage.input
            figures.output += reply.usage.output
            figures.cached += reply.usage.cached
            figures.repeated += reply.usage.repeated
            figures.latencies.append(reply.seconds)

    def ended(self, episode: Episode) -> None:
        if isinstance(episode.spec.parent, str):
            return
        figures = self._by_env[episode.spec.task.env]
        figures.running -= 1
        figures.ended += episode.outcome in SCORED
        self._count(figures, episode)

    def status(self) -> list[Status]:
        """A row an environment, and one for the whole where there are several."""
        rows = [self._status(name, {name: figures}) for name, figures in self._by_env.items()]
        return [*rows, self._status("all", self._by_env)] if len(rows) > 1 else rows

    def _count(self, figures: Figures, episode: Episode) -> None:
        if episode.outcome in SCORED:
            figures.scored += 1
            if (value := progress(episode)) is not None:
                figures.progress[episode.spec.task.task].append(value)
        elif episode.outcome != "cancelled":
            figures.failed += 1
            self._failed[episode.spec.id] = episode.outcome

    def _status(self, name: str, parts: dict[str, Figures]) -> Status:
        def total(field: str) -> int:
            return sum(getattr(f, field) for f in parts.values())

        strata = stratify({(env, task): values for env, f in parts.items() for task, values in f.progress.items()})
        spread = spread_of(strata)
        latencies = [s for f in parts.values() for s in f.latencies]
        p50, p95 = np.quantile(latencies, (0.5, 0.95)).tolist() if latencies else (None, None)
        seconds = time.monotonic() - self._start
        left = total("planned") - total("scored")
        return Status(
            name=name,
            planned=total("planned"),
            scored=total("scored"),
            running=total("running"),
            failed=total("failed"),
            progress=mean(strata),
            margin=spread.error * student_quantile((1 + LEVEL) / 2, spread.freedom)
            if spread and spread.error
            else None,
            steps_per_second=total("steps") / seconds if seconds else 0.0,
            latency_p50=p50,
            latency_p95=p95,
            tokens_in=total("input"),
            tokens_out=total("output"),
            prefix_share=total("repeated") / total("input") if total("input") else None,
            dollars=self._price.cost(Usage(total("input"), total("output"), cached=total("cached")))
            if self._price
            else None,
            retries=total("retries"),
            seconds=seconds,
            seconds_left=seconds / total("ended") * left if total("ended") else None,
        )

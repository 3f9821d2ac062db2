"""The results of a run, read once: every planned episode beside its result, and which of them count."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from embodied.catalog import ENTRIES
from embodied.eval.statistics import Stratum, by_seed, stratify
from embodied.store.run import SCORED, Run, RunRecord
from embodied.types import Episode, EpisodeSpec

Value = Callable[[Episode], float | None]
"""What is averaged: a number of an episode, None where it has none."""


def success(episode: Episode) -> float | None:
    """1 or 0 for a scored episode whose environment says whether it succeeded; else None."""
    return None if episode.success is None or progress(episode) is None else float(episode.success)


def progress(episode: Episode) -> float | None:
    """Progress in [0, 1]; None for an episode that has no score: it failed, was cancelled, or the environment could not
    score it.
    """
    value = episode.progress
    return float(value) if value is not None and episode.outcome in SCORED and math.isfinite(value) else None


WITHOUT_SUCCESS = {"codalm"}
"""Our environments that have progress but no success (`LanguageEnv.can_succeed`). Other environments have success if a
run reports one.
"""

ByTask = dict[tuple[str, str], dict[int, float]]
"""Value of every seed by (environment, task)."""


@dataclass(frozen=True)
class Results:
    """A run's plan and its results."""

    path: str
    """The run folder, as named by the user."""
    record: RunRecord
    ended: dict[str, Episode]
    """By id, in the order of the plan."""
    damaged: tuple[str, ...] = ()
    """A sentence for each result that could not be read; such an episode counts as not played."""
    branches: tuple[Episode, ...] = ()
    """Branches that ended. They count in no score; what they cost counts."""

    def by_task(self, value: Value = progress, specs: Iterable[EpisodeSpec] | None = None) -> ByTask:
        """Value of every seed by (environment, task), of `specs` or all planned; repeats of a seed are averaged,
        episodes without a value left out.
        """
        found: dict[tuple[str, str], list[tuple[int, float]]] = {}
        for spec in self.record.planned if specs is None else specs:
            episode = self.ended.get(spec.id)
            if episode is not None and (v := value(episode)) is not None:
                found.setdefault((spec.task.env, spec.task.task), []).append((spec.seed, v))
        return {key: by_seed(v) for key, v in found.items()}

    def strata(self, specs: Iterable[EpisodeSpec] | None = None, value: Value = progress) -> list[Stratum]:
        """The values of `by_task` as strata."""
        return stratify({key: list(seeds.values()) for key, seeds in self.by_task(value, specs).items()})


def read(run: Run) -> Results:
    """Reads the results of a run, finished or not; damaged ones are counted, never an error."""
    damaged: list[str] = []
    episodes = list(run.episodes(damaged))
    can_succeed = {e.spec.task.env for e in episodes if e.success is not None} | _able()
    ended = {e.spec.id: _decided(e) if e.spec.task.env in can_succeed else e for e in episodes}
    branches = tuple(run.episodes(damaged, branches=True))
    return Results(str(run.root), run.record, ended, tuple(damaged), branches)


def _able() -> set[str]:
    """The environments of which is known that one can succeed in them."""
    return {e.name for e in ENTRIES.values() if e.can_succeed and e.name not in WITHOUT_SUCCESS}


def _decided(episode: Episode) -> Episode:
    """Who ran out of time has failed; runs of older versions left it open."""
    return replace(episode, success=False) if episode.success is None and progress(episode) is not None else episode

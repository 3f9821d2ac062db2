"""Scores of a run: mean progress by environment and task, with an interval, and how many episodes stand behind it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field

from embodied.eval.intervals import interval
from embodied.eval.results import Results, progress, read
from embodied.eval.statistics import mean, why_no_interval, wilson
from embodied.store.run import SCORED, Run
from embodied.types import EpisodeSpec, Usage


@dataclass(frozen=True)
class Score:
    """Score of one environment, task, or of the whole run."""

    name: str
    planned: int
    scored: int
    progress: float | None
    """Mean over environments of the mean over tasks of the mean over seeds, in [0, 1]; None when nothing is scored.
    Failed episodes do not count as zeros: see `scored`."""
    interval: tuple[float, float] | None
    """95 % (see `embodied.eval.intervals`); None when there can be none."""
    success: float | None
    """Share of scored episodes that succeeded, among those of environments in which one can; None if none can. An
    episode that ran out of steps has failed.
    """
    steps: int = 0
    invalid_actions: int = 0
    usage: Usage = field(default_factory=Usage)
    """Of these episodes and their branches."""
    outcomes: dict[str, int] = field(default_factory=dict)
    success_interval: tuple[float, float] | None = None
    """95 % Wilson interval of `success`."""
    no_interval: str = ""
    """Why `interval` is None, in words."""
    decided: int = 0
    """Scored episodes that `success` is the share of."""
    unscorable: int = 0
    """Episodes that ended well and that the environment could not score; not among `scored`."""
    counts: dict[str, int] = field(default_factory=dict)
    """Sums of `Episode.counts`: replies, those that were empty, cut or cached, notes of decisions."""
    refusals: dict[str, int] = field(default_factory=dict)
    """Why episodes were refused -> how many."""
    models: tuple[str, ...] = ()
    """The names under which the model reported itself, in order of appearance."""
    advice: Usage = field(default_factory=Usage)
    """The part of `usage` that a corrector's own model used."""

    @property
    def coverage(self) -> float:
        """Share of the planned episodes that have a score; 0 for an empty plan."""
        return self.scored / self.planned if self.planned else 0.0


@dataclass(frozen=True)
class RunScore:
    """Scores of a run: the whole, each environment, each task."""

    total: Score
    environments: tuple[Score, ...]
    tasks: tuple[Score, ...]
    damaged: tuple[str, ...] = ()
    """A sentence for each result that could not be read."""


def score(run: Run | Results) -> RunScore:
    """Scores a run, finished or not.

    The whole is the mean over environments of the environment's score (macro average), so environments with many tasks
    do not outweigh the others.
    """
    results = read(run) if isinstance(run, Run) else run
    by_task: dict[tuple[str, str], list[EpisodeSpec]] = defaultdict(list)
    by_env: dict[str, list[EpisodeSpec]] = defaultdict(list)
    for spec in results.record.planned:
        by_task[spec.task.env, spec.task.task].append(spec)
        by_env[spec.task.env].append(spec)
    tasks = [_score(f"{env} {task}".strip(), specs, results) for (env, task), specs in by_task.items()]
    environments = [_score(env, specs, results) for env, specs in by_env.items()]
    total = _score("all", results.record.planned, results)
    return RunScore(total, tuple(environments), tuple(tasks), results.damaged)


def _sum(usages: Iterable[Usage]) -> Usage:
    return Usage(*map(sum, zip(*map(astuple, usages), strict=True)))


def _score(name: str, specs: Sequence[EpisodeSpec], results: Results) -> Score:
    episodes = [results.ended[s.id] for s in specs if s.id in results.ended]
    here = {(s.task.env, s.task.task) for s in specs}
    paid = [*episodes, *(b for b in results.branches if (b.spec.task.env, b.spec.task.task) in here)]
    scored = [e for e in episodes if progress(e) is not None]
    decided = [e.success for e in scored if e.success is not None]
    strata = results.strata(specs)
    return Score(
        name=name,
        planned=len(specs),
        scored=len(scored),
        progress=mean(strata),
        interval=interval(strata),
        success=sum(decided) / len(decided) if decided else None,
        steps=sum(e.steps for e in episodes),
        invalid_actions=sum(e.invalid_actions for e in episodes),
        usage=_sum(e.usage for e in paid),
        advice=_sum(e.advice or Usage() for e in paid),
        outcomes=dict(Counter(e.outcome for e in episodes)),
        success_interval=wilson(sum(decided), len(decided)),
        decided=len(decided),
        no_interval=why_no_interval(strata),
        unscorable=sum(e.outcome in SCORED for e in episodes) - len(scored),
        counts=dict(sum((Counter(e.counts) for e in episodes), Counter())),
        refusals=dict(Counter(e.end_reason for e in episodes if e.outcome == "refused")),
        models=tuple(dict.fromkeys(name for e in episodes for name in e.models)),
    )

"""Metrics: named numbers of an episode, averaged and compared as progress is.

A metric is a name in `METRICS`: a `Metric`. Other distributions add theirs through the entry-point group
`embodied.metrics`. `embodied score` and `report` show every metric of a plugin that has a number for the run, and
`embodied compare --metric NAME` compares by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

from embodied.errors import UsageError
from embodied.eval import statistics as st
from embodied.eval.compare import Comparison, Difference
from embodied.eval.intervals import interval
from embodied.eval.results import Results, Value, progress, success
from embodied.registry import Registry, report
from embodied.store.run import Run
from embodied.types import Episode, Step

METRICS = Registry(
    "metric",
    {
        "progress": "embodied.eval.metrics:PROGRESS",
        "success": "embodied.eval.metrics:SUCCESS",
        "babyai_first": "embodied.games.babyai.analysis:FIRST_OBJECT",
        "babyai_spl": "embodied.games.babyai.analysis:SPL",
    },
)


@dataclass(frozen=True)
class Metric:
    """What is measured, and how to read it."""

    title: str
    """What a table calls it."""
    value: Callable[[Episode, Sequence[Step]], float | None]
    """Number of a scored episode: gets its result and its steps, which are read when first looked at. None where it has
    no number, for instance in other environments. It must be pure.
    """
    range: tuple[float, float] | None = (0.0, 1.0)
    """The smallest and largest value; None where there is no bound. The interval of a bounded metric is the one of
    progress, else Student's.
    """
    higher_is_better: bool = True


PROGRESS = Metric("progress", lambda episode, steps: progress(episode))
SUCCESS = Metric("success", lambda episode, steps: success(episode))


@dataclass(frozen=True)
class Mean:
    """The mean of a metric over one environment's scored episodes."""

    metric: str
    title: str
    env: str
    mean: float
    interval: tuple[float, float] | None
    """95 %; None where there can be none."""
    episodes: int
    higher_is_better: bool


class LazySteps(Sequence[Step]):
    """An episode's steps, read from the run folder when first looked at."""

    def __init__(self, run: Run, id_: str):
        self._run, self._id = run, id_
        self._read: list[Step] | None = None

    def _steps(self) -> list[Step]:
        if self._read is None:
            self._read = list(self._run.steps(self._id, []))
        return self._read

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        return self._steps()[index]

    def __len__(self) -> int:
        return len(self._steps())

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps())


def metric(name: str) -> Metric:
    """The metric of that name.

    Raises:
        UnknownName: There is none; names the nearest one.
        UsageError: It is a plugin's and cannot be imported, or is not a sound `Metric`.
    """
    found = METRICS.get(name)
    plugin = METRICS.plugin(name)
    if not isinstance(found, Metric):
        wrong = f"is not an embodied.eval.metrics.Metric but a {type(found).__name__}"
        raise plugin.bad(wrong) if plugin else TypeError(wrong)
    if (
        plugin
        and found.range is not None
        and not (len(found.range) == 2 and all(map(math.isfinite, found.range)) and found.range[0] < found.range[1])
    ):
        raise plugin.bad(f"has a range that is not (smallest, largest): {found.range!r}")
    return found


def measured(name: str, run: Run, results: Results) -> tuple[Results, list[str]]:
    """The results with the metric among the numbers of each scored episode, under `key(name)`.

    Returns:
        The results, and a sentence if the metric failed on some episodes or gave an invalid number. Those episodes have
        no number.
    """
    found, ended, wrong = metric(name), {}, []
    for id_, episode in results.ended.items():
        ended[id_] = episode
        if progress(episode) is None:
            continue
        try:
            number = found.value(episode, LazySteps(run, id_))
        except (Exception, SystemExit) as error:  # noqa: BLE001  a stranger's function may raise anything
            wrong.append(f"{type(error).__name__}: {error}")
            continue
        if number is None:
            continue
        if why := _unfit(number, found.range):
            wrong.append(why)
        else:
            ended[id_] = replace(episode, metrics={**episode.metrics, key(name): float(number)})
    said = f"{name} has no number for {len(wrong)} of {len(ended)} episodes. The first: {wrong[0]}." if wrong else ""
    return replace(results, ended=ended), [said] if said else []


def key(name: str) -> str:
    """The key of a metric among an episode's numbers, which differs from those of its environment."""
    return f"metric:{name}"


def value_of(name: str) -> Value:
    """Reads a metric's number in `measured` results; scaled to [0, 1] where it has a range."""
    bounds = metric(name).range or (0.0, 1.0)

    def value(episode: Episode) -> float | None:
        number = episode.metrics.get(key(name))
        return None if number is None else (number - bounds[0]) / (bounds[1] - bounds[0])

    return value


def means(run: Run, results: Results) -> tuple[list[Mean], list[str]]:
    """The means of every plugin's metric, by environment, and sentences on what is missing."""
    found: list[Mean] = []
    notes: list[str] = []
    for plugin in METRICS.plugins():
        try:
            whole, wrong = measured(plugin.name, run, results)
            found += _means(plugin.name, whole)
        except UsageError as error:
            report(error)
            continue
        notes += wrong
    return found, notes


def _means(name: str, results: Results) -> list[Mean]:
    read, found, value = metric(name), [], value_of(name)
    low, width = _scale(read)
    for env in dict.fromkeys(spec.task.env for spec in results.record.planned):
        specs = [spec for spec in results.record.planned if spec.task.env == env]
        strata = results.strata(specs, value)
        average = st.mean(strata)
        if average is None:
            continue
        within = interval(strata) if read.range else student_interval(strata)
        n = sum(id_ in results.ended and value(results.ended[id_]) is not None for id_ in (s.id for s in specs))
        bounds = within and (low + width * within[0], low + width * within[1])
        found.append(Mean(name, read.title, env, low + width * average, bounds, n, read.higher_is_better))
    return found


def student_interval(strata: Sequence[st.Stratum]) -> st.Interval | None:
    """95 % interval of the mean of values without bounds; None where a task has fewer than two values, or none vary."""
    return st.student_interval(st.mean(strata), st.spread_of(strata))


def in_own_units(found: Comparison, name: str) -> Comparison:
    """A comparison by `value_of`, in the metric's own units."""
    low, width = _scale(metric(name))

    def back(d: Difference) -> Difference:
        return replace(
            d,
            score_a=low + width * d.score_a,
            score_b=low + width * d.score_b,
            interval=d.interval and (width * d.interval[0], width * d.interval[1]),
            detectable=None if d.detectable is None else width * d.detectable,
            tasks=tuple(replace(t, a=low + width * t.a, b=low + width * t.b) for t in d.tasks),
        )

    return replace(found, differences=tuple(map(back, found.differences)))


def _scale(read: Metric) -> tuple[float, float]:
    low, high = read.range or (0.0, 1.0)
    return low, high - low


def _unfit(number: object, bounds: tuple[float, float] | None) -> str:
    """Why a value is not one of the metric's; empty when it is."""
    try:
        value = float(number)  # type: ignore[arg-type]  # whatever a stranger's function returned
    except (TypeError, ValueError):
        return f"{number!r} is not a number"
    if not math.isfinite(value):
        return f"{value} is not finite"
    return (
        f"{value:g} is outside {bounds[0]:g} to {bounds[1]:g}" if bounds and not bounds[0] <= value <= bounds[1] else ""
    )

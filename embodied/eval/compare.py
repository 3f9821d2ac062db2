"""Which of two runs is better, by how much, and whether it could be luck.

Runs whose episodes share seeds are compared seed by seed: what the seed made easy or hard for both cancels. Runs
without a common seed (published submissions) are compared task by task. Items that only one of them has are left out,
and the result says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from embodied.catalog import ENTRIES
from embodied.config import env_defaults
from embodied.errors import UsageError
from embodied.eval import statistics as st
from embodied.eval.intervals import difference_interval
from embodied.eval.pairs import paired_p
from embodied.eval.results import ByTask, Results, Value, progress
from embodied.eval.settings import help_of
from embodied.rollout.counts import CORRECTIONS
from embodied.splits import split_of
from embodied.types import Json, TaskSpec

Seeds = dict[int, float]
Key = tuple[str, str]
"""(environment, task)."""
SEEN_BY_THE_AGENT = ("image", "crop", "expert", "status", "data")
"""Options of an environment that do not make it another task: what the agent is shown, and where files lie (whether
published files are used at all does make it another task).
"""

CHOOSE_ITEMS = ("split", "language", "scenario", "family", "answer")
"""Options that say which set of items is asked about: scores on two sets (drawn scenes and photographs) are never set
against each other.
"""


@dataclass(frozen=True)
class TaskDifference:
    """One task that both runs have."""

    env: str
    task: str
    a: float
    b: float
    pairs: int
    """Seeds both have; for an unpaired comparison the smaller number of seeds."""

    @property
    def difference(self) -> float:
        return self.a - self.b


@dataclass(frozen=True)
class Difference:
    """What two runs have in common, compared."""

    a: str
    b: str
    paired: bool
    pairs: int
    """Seeds that both have, over all tasks; for an unpaired comparison the seeds of both."""
    score_a: float
    """Of what is common, as is the next one."""
    score_b: float
    interval: st.Interval | None
    """95 % (see `embodied.eval.intervals`); None when there can be none."""
    no_interval: str
    p: float
    """Two-sided: McNemar's exact test of pairs that succeed or fail, else a permutation test (see
    `embodied.eval.pairs`).
    """
    p_holm: float
    """Corrected for all pairs of runs in the comparison."""
    detectable: float | None
    """The smallest true difference that so many episodes show at 5 % in four of five repetitions; None if they cannot
    show any.
    """
    tasks: tuple[TaskDifference, ...]
    left_out: tuple[str, ...]
    """Sentences: tasks, seeds and episodes that are not part of the comparison."""
    differs: tuple[str, ...]
    """Sentences: what else than the agents differs."""

    @property
    def difference(self) -> float:
        return self.score_a - self.score_b

    @property
    def record(self) -> tuple[int, int, int]:
        """Tasks in which a is better, equal, worse."""
        signs = [0 if abs(t.difference) < 1e-12 else 1 if t.difference > 0 else -1 for t in self.tasks]
        return signs.count(1), signs.count(0), signs.count(-1)


@dataclass(frozen=True)
class Comparison:
    """All pairs of runs."""

    differences: tuple[Difference, ...]
    nothing_in_common: tuple[tuple[str, str], ...]
    """Pairs of runs without a task that both have scored."""


def compare(runs: Sequence[Results], value: Value = progress, bounded: bool = True) -> Comparison:
    """Compares every two of `runs`, in the order given.

    Args:
        runs: Two or more.
        value: What is compared.
        bounded: Whether it is in [0, 1]; intervals of other values are Student's.

    Raises:
        UsageError: Fewer than two runs, runs of different splits, or no two of them have a scored task in common.
    """
    if len(runs) < 2:
        raise UsageError("A comparison takes two runs or more: embodied compare RUN RUN [RUN ...]")
    _check_splits(runs)
    found, nothing = [], []
    for a, b in combinations(runs, 2):
        difference = compare_two(a, b, value, bounded)
        if difference is None:
            nothing.append((a.path, b.path))
        else:
            found.append(difference)
    if not found:
        raise UsageError(
            f"There is no task that {' and '.join(nothing[0])} both have scored, with the same pictures or levels:"
            " nothing can be compared. `embodied score RUN --tasks` lists tasks."
        )
    corrected = st.holm([d.p for d in found])
    return Comparison(tuple(replace(d, p_holm=p) for d, p in zip(found, corrected, strict=True)), tuple(nothing))


def _check_splits(runs: Sequence[Results]) -> None:
    """Raises `UsageError` for runs of different splits: they share no episode, so that what differs may be those."""
    first, *others = runs
    mine = split_of(first.record.config)
    for other in others:
        if (theirs := split_of(other.record.config)) != mine:
            raise UsageError(
                f"{first.path} is of the {mine} split and {other.path} of the {theirs} split: they played other"
                " episodes and are not compared. `embodied score RUN` prints the score of each."
            )


def compare_two(a: Results, b: Results, value: Value = progress, bounded: bool = True) -> Difference | None:
    """Compares two runs; None when no task is scored in both. `p_holm` is `p`. `bounded`: see `compare`."""
    in_a, in_b = a.by_task(value), b.by_task(value)
    sets_a, sets_b = _items(a), _items(b)
    common = [key for key in in_a if key in in_b and sets_a[key] == sets_b[key]]
    if not common:
        return None
    paired = any(in_a[key].keys() & in_b[key].keys() for key in common)
    kept = [key for key in common if not paired or in_a[key].keys() & in_b[key].keys()]
    left_out = tuple(_left_out(a, b, in_a, in_b, kept, paired))
    test = _paired if paired else _unpaired
    x, y = {k: in_a[k] for k in kept}, {k: in_b[k] for k in kept}
    found = test(a.path, b.path, x, y, left_out, tuple(_differs(a, b, kept)))
    return found if bounded else _without_bounds(found, x, y)


def _without_bounds(found: Difference, in_a: dict[Key, Seeds], in_b: dict[Key, Seeds]) -> Difference:
    """The same comparison with Student's interval, for values that are not in [0, 1]."""
    seeds = {key: [s for s in in_a[key] if s in in_b[key]] if found.paired else [] for key in in_a}
    x = st.stratify({key: [in_a[key][s] for s in seeds[key] or in_a[key]] for key in in_a})
    y = st.stratify({key: [in_b[key][s] for s in seeds[key] or in_b[key]] for key in in_a})
    if found.paired:
        spread = st.spread_of([replace(i, values=i.values - j.values) for i, j in zip(x, y, strict=True)])
    else:
        spread = spread_between(x, y)
    interval = st.student_interval(found.difference, spread)
    return replace(found, interval=interval, no_interval="" if interval else "too few episodes, or none differ")


def _paired(
    a: str, b: str, in_a: ByTask, in_b: ByTask, left_out: tuple[str, ...], differs: tuple[str, ...]
) -> Difference:
    seeds = {key: [s for s in in_a[key] if s in in_b[key]] for key in in_a}
    x = st.stratify({key: [in_a[key][s] for s in found] for key, found in seeds.items()})
    y = st.stratify({key: [in_b[key][s] for s in found] for key, found in seeds.items()})
    differences = [replace(i, values=i.values - j.values) for i, j in zip(x, y, strict=True)]
    pairs = sum(len(s) for s in seeds.values())
    p = paired_p(differences)
    interval = difference_interval(x, y, paired=True)
    found = st.spread_of(differences)
    # n pairs have 2**n sign patterns, two of which are the most extreme: fewer than six pairs never reach 5 %.
    able = found is not None and found.error > 0 and 2.0 ** (1 - pairs) <= 1 - st.LEVEL
    reason = "" if interval else st.why_no_interval(x) or st.why_no_interval(y)
    return Difference(
        a,
        b,
        True,
        pairs,
        st.known_mean(x),
        st.known_mean(y),
        interval,
        reason,
        p,
        p,
        st.detectable(found) if found is not None and able else None,
        _by_task(x, y),
        left_out,
        differs,
    )


def _unpaired(
    a: str, b: str, in_a: ByTask, in_b: ByTask, left_out: tuple[str, ...], differs: tuple[str, ...]
) -> Difference:
    x = st.stratify({key: list(found.values()) for key, found in in_a.items()})
    y = st.stratify({key: list(in_b[key].values()) for key in in_a})
    p = st.unpaired_permutation(x, y)
    found, interval = spread_between(x, y), difference_interval(x, y, paired=False)
    reason = "" if interval else st.why_no_interval(x) or st.why_no_interval(y)
    detectable = st.detectable(found) if found is not None and found.error > 0 else None
    pairs = sum(len(s.values) for s in (*x, *y))
    return Difference(
        a,
        b,
        False,
        pairs,
        st.known_mean(x),
        st.known_mean(y),
        interval,
        reason,
        p,
        p,
        detectable,
        _by_task(x, y),
        left_out,
        differs,
    )


def spread_between(x: Sequence[st.Stratum], y: Sequence[st.Stratum]) -> st.Spread | None:
    """Standard error of the difference of two independent scores; None when a stratum has fewer than two values."""
    if any(len(s.values) < 2 for s in (*x, *y)):
        return None
    return st.spread((s.weight, float(s.values.var(ddof=1)), len(s.values)) for s in (*x, *y))


def _by_task(x: Sequence[st.Stratum], y: Sequence[st.Stratum]) -> tuple[TaskDifference, ...]:
    return tuple(
        TaskDifference(
            i.env, i.task, float(np.mean(i.values)), float(np.mean(j.values)), min(len(i.values), len(j.values))
        )
        for i, j in zip(x, y, strict=True)
    )


# --------------------------------------------------------------------------- what is left out, what differs


def _left_out(
    a: Results, b: Results, in_a: ByTask, in_b: ByTask, kept: Sequence[tuple[str, str]], paired: bool
) -> Iterable[str]:
    for one, other, mine in ((a, b, in_a), (b, a, in_b)):
        planned = dict.fromkeys((s.task.env, s.task.task) for s in one.record.planned)
        elsewhere = {(s.task.env, s.task.task) for s in other.record.planned}
        if only := [key for key in planned if key not in elsewhere]:
            yield f"Only in {one.path}: {_named(only)}."
        if unscored := [key for key in planned if key in elsewhere and key not in mine]:
            yield f"Without a scored episode in {one.path}: {_named(unscored)}."
    sets_a, sets_b = _items(a), _items(b)
    if apart_by_items := [key for key in in_a if key in in_b and sets_a[key] != sets_b[key]]:
        yield f"On other items in the other run: {_named(apart_by_items)}."
    if apart := [key for key in in_a if key in in_b and key not in kept and key not in apart_by_items]:
        yield f"Scored in both without a common seed: {_named(apart)}."
    if paired:
        for one, other, mine, theirs in ((a, b, in_a, in_b), (b, a, in_b, in_a)):
            if seeds := sum(len(mine[key].keys() - theirs[key].keys()) for key in kept):
                yield f"{seeds} seeds scored in {one.path} and not in {other.path}."
    for one in (a, b):
        if one.damaged:
            yield f"{len(one.damaged)} results of {one.path} that could not be read."


def _named(tasks: Sequence[tuple[str, str]]) -> str:
    """The first three tasks by name, the others by number."""
    names = ", ".join(f"{env} {task}".strip() for env, task in tasks[:3])
    return names + (f" and {len(tasks) - 3} more tasks" if len(tasks) > 3 else "")


def _spoken(one: Results) -> str:
    scored = [episode for episode in one.ended.values() if progress(episode) is not None]
    spoken = sum(episode.counts.get(CORRECTIONS, 0) for episode in scored)
    return f" ({spoken / len(scored):.1f} corrections an episode)" if spoken else ""


def _differs(a: Results, b: Results, kept: Sequence[tuple[str, str]]) -> Iterable[str]:
    if a.record.suite != b.record.suite:
        yield f"Suites: {a.record.suite or 'none'} in {a.path}, {b.record.suite or 'none'} in {b.path}."
    if help_of(a.record) != help_of(b.record):
        alone = "nobody, the agent played alone,"
        speakers = [f"{help_of(one.record) or alone}{_spoken(one)} in {one.path}" for one in (a, b)]
        yield f"Who spoke to the agent: {'; '.join(speakers)}."
    mine, theirs = a.record.versions, b.record.versions
    other = [name for name in sorted(mine.keys() | theirs.keys()) if mine.get(name) != theirs.get(name)]
    if other:
        said = ", ".join(f"{name} {mine.get(name, 'unknown')} against {theirs.get(name, 'unknown')}" for name in other)
        yield f"Versions, {a.path} against {b.path}: {said}."
    options_a, options_b = _options(a), _options(b)
    differing: dict[str, list[tuple[str, str]]] = {}
    for key in kept:
        mine, theirs = options_a[key], options_b[key]
        for name in sorted(mine.keys() | theirs.keys()):
            if mine.get(name) != theirs.get(name):
                differing.setdefault(
                    f"Option {name}: {_said(mine, name)} in {a.path}, {_said(theirs, name)} in {b.path}", []
                ).append(key)
    for words, keys in differing.items():
        yield f"{words}, in {'all tasks' if len(keys) == len(kept) else _named(keys)}."


def _said(options: Json, name: str) -> str:
    return repr(options[name]) if name in options else "the default"


def _items(results: Results) -> dict[tuple[str, str], Json]:
    """The options of each task that choose its set of items."""
    return {
        key: {name: options[name] for name in CHOOSE_ITEMS if name in options}
        for key, options in _options(results).items()
    }


def _options(results: Results) -> dict[tuple[str, str], Json]:
    """Options of each task that make it the task it is."""
    return {(s.task.env, s.task.task): defining(s.task) for s in results.record.planned}


def defining(task: TaskSpec) -> Json:
    """The options that define a task: those that differ from the environment's default, and its control. (`embodied
    eval` records defaults, too.)
    """
    usual = env_defaults(task.env) if task.env in ENTRIES else {}
    options = {
        k: v for k, v in task.kwargs.items() if k not in SEEN_BY_THE_AGENT and not (k in usual and usual[k] == v)
    }
    if isinstance(task.control, str):
        options["control"] = task.control
    return {**options, "data": "published"} if task.kwargs.get("data") else options

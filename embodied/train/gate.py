"""The gate: parent and child play the same fresh dev episodes. The child takes the parent's place when a one-sided
paired test at 5 % says that it is better, and no task is shown to be worse (one-sided, Holm 1979 over the tasks).

A gate uses its dev seeds once. So the chance of a false promotion over R rounds is at most R x .05 (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from embodied.errors import UsageError
from embodied.eval import statistics as st
from embodied.eval.intervals import difference_interval
from embodied.eval.pairs import better_p
from embodied.eval.power import from_run, power
from embodied.eval.results import ByTask, Results
from embodied.train.leaks import Key, without
from embodied.train.rounds import TaskVerdict, Verdict

LEVEL = 0.05
"""Of the test that a child must pass."""
COVERED = 0.9
"""The least share of planned pairs that must have a score, so that failures of a server decide nothing."""
SHOWN = 0.15
"""The difference that a gate is made to show, with the power of `embodied power`."""
FEWEST, MOST = 20, 400
"""Dev episodes of each task: the least and the most that are chosen where the user names no number."""
UNKNOWN_SD = 0.5
"""Of scores, where a pilot says nothing: that of a coin, the largest there is."""


def false_promotion(rounds: int) -> float:
    """The largest chance that one of so many gates let a child through that is not better."""
    return min(1.0, rounds * LEVEL)


def episodes_for(pilot: Results) -> int:
    """Dev episodes of each task with which a gate shows a difference of `SHOWN` at `LEVEL`, by what `embodied power`
    says of a run of the parent; between `FEWEST` and `MOST`.
    """
    tasks = max(1, len({(spec.task.env, spec.task.task) for spec in pilot.record.planned}))
    try:
        needed = power(from_run(pilot, 0.0), SHOWN).needed
    except UsageError:  # all scores are alike: what a change would do is unknown
        needed = st.episodes_needed([(1 / tasks, 2 * UNKNOWN_SD**2)] * tasks, SHOWN, st.LEVEL, st.POWER)
    return min(MOST, max(FEWEST, needed or MOST))


def judge(parent: Results, child: Results, known: frozenset[Key] = frozenset()) -> Verdict:
    """What two runs of the same dev episodes say. Episodes without a score in one of them are left out of both, and so
    are those of `known`, whose items were learned from.
    """
    of_parent, of_child = without(parent, known).by_task(), without(child, known).by_task()
    planned = len({(s.task.env, s.task.task, s.seed) for s in parent.record.planned} - known)
    shared = {k: [s for s in seeds if s in of_child.get(k, {})] for k, seeds in of_parent.items()}
    shared = {k: seeds for k, seeds in shared.items() if seeds}
    pairs = sum(map(len, shared.values()))
    coverage = pairs / planned if planned else 0.0
    if coverage < COVERED:
        why = f"Only {pairs} of {planned} pairs of episodes have a score: play the same command again."
        return Verdict(0.0, 0.0, pairs, coverage, 1.0, decided="undecided", why=why)
    a, b = _strata(of_parent, shared), _strata(of_child, shared)
    better = [replace(y, values=y.values - x.values) for x, y in zip(a, b, strict=True)]
    worse = [better_p([replace(d, weight=1.0, values=-d.values)]) for d in better]
    tasks = tuple(
        TaskVerdict(x.env, x.task, float(x.values.mean()), float(y.values.mean()), len(x.values), p)
        for x, y, p in zip(a, b, st.holm(worse), strict=True)
    )
    p = better_p(better)
    verdict = Verdict(
        st.known_mean(a), st.known_mean(b), pairs, coverage, p, difference_interval(b, a, paired=True), tasks
    )
    return _decided(verdict)


def _decided(verdict: Verdict) -> Verdict:
    shown = f"p = {verdict.p:.3g}, one-sided, {verdict.pairs} pairs"
    if fallen := [t for t in verdict.tasks if t.worse <= LEVEL]:
        named = ", ".join(f"{t.task or t.env} ({t.parent:.0%} to {t.child:.0%})" for t in fallen)
        return _with(verdict, "kept", f"The parent stays: the child is worse at {named}.")
    if verdict.p <= LEVEL:
        return _with(verdict, "promoted", f"The child is better ({shown}).")
    return _with(verdict, "kept", f"The parent stays: it is not shown that the child is better ({shown}).")


def _with(verdict: Verdict, decided: str, why: str) -> Verdict:
    import msgspec

    return msgspec.structs.replace(verdict, decided=decided, why=why)


def _strata(values: ByTask, seeds: dict[tuple[str, str], list[int]]) -> Sequence[st.Stratum]:
    return st.stratify({key: [values[key][s] for s in found] for key, found in seeds.items()})

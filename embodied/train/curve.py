"""The learning curve: every version on the same test episodes, with intervals, beside what it took to make it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from embodied.agents import versions
from embodied.errors import StoreError
from embodied.eval.compare import compare_two
from embodied.eval.intervals import interval
from embodied.eval.results import Results, read
from embodied.eval.statistics import known_mean
from embodied.rollout.counts import CORRECTIONS
from embodied.seeding import derive
from embodied.store.disk import append_whole
from embodied.store.ours import state_folder
from embodied.store.run import Run
from embodied.train.gate import false_promotion
from embodied.train.leaks import leaks, runs_below, without
from embodied.train.learner import Used
from embodied.train.ledger import sum_of
from embodied.train.rounds import Curve, Point, Round, identity

if TYPE_CHECKING:
    from embodied.train.improve import Loop


def curve(loop: Loop, rounds: Sequence[Round], runs: Mapping[str, Run], more: Mapping[str, Run], stopped: str) -> Curve:
    """The result of an improvement.

    Args:
        loop: What was improved.
        rounds: Those that are over.
        runs: Hash of a version -> its test.
        more: `corrected` and `ceiling` -> the run, where they were played.
        stopped: Why it ended early, in a sentence.
    """
    learned = [*loop.wanted.given, *runs_below(loop.root, len(rounds))]
    chosen = [Run(path.parent) for path in sorted(loop.root.glob("round-*/gate/*/run.json"))]
    found = leaks(learned, [*runs.values(), *more.values()], chosen)

    def results(run: Run) -> Results:
        return without(read(run), found.known)

    first = results(runs[loop.start.hash])
    points = [_point(loop.start.hash, loop.start.label, 0, "first", first, None, Used())]
    spent = Used()
    for done in rounds:
        spent = spent + done.collect + done.learn + done.gate
        if done.child and done.child in runs:
            label = versions.read(loop.root / f"round-{done.number}" / "child").label
            own = results(runs[done.child])
            points.append(_point(done.child, label, done.number, done.decided, own, first, spent))
    points += [_point("", name, 0, name, results(run), first, Used()) for name, run in more.items()]
    return Curve(
        loop.plan,
        tuple(rounds),
        tuple(points),
        opened(loop),
        false_promotion(len(rounds)),
        found.said,
        found.refused,
        stopped,
        sum_of(used for name, used in loop.ledger.spent.items() if name.startswith("test ")),
    )


def _point(
    version: str, label: str, number: int, decided: str, own: Results, first: Results | None, spent: Used
) -> Point:
    strata = own.strata()
    scored = sum(len(s.values) for s in strata)
    found = None if first is None else compare_two(own, first)
    spoken = sum(e.counts.get(CORRECTIONS, 0) for e in own.ended.values())
    return Point(
        version,
        label,
        number,
        decided,
        known_mean(strata) if strata else None,
        scored,
        interval(strata) if strata else None,
        None if found is None else found.difference,
        None if found is None else found.interval,
        None if found is None else found.p,
        spoken / len(own.ended) if own.record.corrector and own.ended else None,
        spent,
    )


def opened(loop: Loop) -> int:
    """How many improvements on this machine have opened test seeds of this one, itself included: of the task whose
    seeds were opened most often. A test that is opened often is chosen by, too.
    """
    mine = hashlib.sha256(f"{identity(loop.plan)} {loop.root.resolve()}".encode("utf-8", "replace")).hexdigest()[:16]
    counts = [1]
    for env, task in dict.fromkeys((spec.task.env, spec.task.task) for spec in loop.job.record.planned):
        path = state_folder().parent / "tests" / f"{derive(loop.plan.seed, 'tests', env, task, bits=60):015x}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with path.open("a+b") as file:
                file.seek(0)
                known = set(file.read().split())
                if mine.encode() not in known:
                    append_whole(file, f"{mine}\n".encode())
        except OSError as error:
            raise StoreError(f"Cannot write {path}: {error.strerror or error}.") from error
        counts.append(len(known | {mine.encode()}))
    return max(counts)

"""The learning curve: every version on the same test episodes, with intervals, beside what it took to make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from embodied.agents import versions
from embodied.atomic import write_whole
from embodied.errors import StoreError
from embodied.eval.compare import compare_two
from embodied.eval.intervals import interval
from embodied.eval.results import Results, read
from embodied.eval.statistics import known_mean
from embodied.rollout.counts import CORRECTIONS
from embodied.seeding import derive
from embodied.store.ours import state_folder
from embodied.store.run import Run
from embodied.train.gate import false_promotion
from embodied.train.leaks import leaks, without
from embodied.train.learner import Used
from embodied.train.ledger import sum_of
from embodied.train.rounds import Curve, Plan, Point, Round, identity

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
    folders = [loop.root / f"round-{done.number}" for done in rounds]
    learned = [*loop.wanted.given, *(run for folder in folders for run in _runs(folder, "collect", "practice"))]
    found = leaks(learned, [*runs.values(), *more.values()])

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
        opened(loop.plan),
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


def _runs(folder: Path, *places: str) -> list[Run]:
    """The runs in these places of a round."""
    return [Run(path.parent) for place in places for path in sorted((folder / place).rglob("run.json"))]


def opened(plan: Plan) -> int:
    """How many improvements on this machine have opened the test seeds of this one, itself included. A test that is
    opened often is chosen by, too.
    """
    seeds = f"{derive(plan.seed, 'tests', *plan.env, plan.task, bits=60):015x}"
    path = state_folder().parent / "tests" / seeds
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        known = path.read_text().split() if path.exists() else []
        mine = identity(plan)[:16]
        if mine not in known:
            known.append(mine)
            write_whole(path, "".join(f"{one}\n" for one in known).encode())
        return len(known)
    except OSError as error:
        raise StoreError(f"Cannot write {path}: {error.strerror or error}.") from error

"""The item check: nothing that an agent learned from, or was chosen by, may stand in its test.

Seeds are compared before anything is learned. Items (what an episode was about) are known once it was
played, so they are compared at the end. A test item that somebody copied into a training run is found there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from embodied.errors import UsageError
from embodied.eval.results import Results
from embodied.splits import item_of, split_of
from embodied.store.run import Run
from embodied.types import EpisodeSpec

Key = tuple[str, str, int]
"""Environment, task and seed."""
SHOWN = 3
"""Items named in a sentence."""
CHANCE = 0.05
"""The share of the test that may be known by chance."""


def check_given(run: Run, test: Iterable[EpisodeSpec]) -> None:
    """Raises `UsageError` for a run that must not be learned from: of another split, or with episodes of the test."""
    if (split := split_of(run.record.config)) != "train":
        raise UsageError(
            f"{run.root} was played on the {split} split, and agents learn from train episodes only. Play some:"
            " `embodied eval ... --split train`."
        )
    tested = {(s.task.env, s.task.task, s.seed) for s in test}
    if both := [s.id for s in run.record.specs if (s.task.env, s.task.task, s.seed) in tested]:
        raise UsageError(f"{run.root} holds an episode of the test ({both[0]}), though its split is said to be train.")


@dataclass(frozen=True)
class Leaks:
    """What the item check found."""

    known: frozenset[Key]
    """Test episodes whose item was learned from. They count in no score."""
    said: tuple[str, ...]
    """Sentences."""
    refused: bool
    """Whether so many were known that the result counts for nothing."""


def leaks(learned: Iterable[Run], tested: Iterable[Run]) -> Leaks:
    """Which test episodes are about items that were learned from.

    Small worlds repeat by chance (one object in one room). So a few such episodes are left out and counted; more than
    `CHANCE` of them are no chance.

    Args:
        learned: Runs that were learned from.
        tested: Runs of the test, all of the same episodes.
    """
    test: dict[str, set[Key]] = {}
    every: set[Key] = set()
    for run in tested:
        for item, key in items(run):
            test.setdefault(item, set()).add(key)
            every.add(key)
    known: set[Key] = set()
    named: dict[str, None] = {}
    for run in learned:
        for item, _ in items(run):
            if item in test:
                known |= test[item]
                named.setdefault(f"{item} ({run.root})")
    if not known:
        return Leaks(frozenset(), (), False)
    refused = len(known) > CHANCE * len(every)
    what = f"{len(known)} of {len(every)} test episodes are about items that were learned from"
    shown = "; ".join(list(named)[:SHOWN])
    end = "More than chance explains: this result counts for nothing." if refused else "They are left out."
    return Leaks(frozenset(known), (f"{what}: {shown}. {end}",), refused)


def without(results: Results, known: frozenset[Key]) -> Results:
    """Results without episodes of these seeds."""
    left = {id_: e for id_, e in results.ended.items() if (e.spec.task.env, e.spec.task.task, e.spec.seed) not in known}
    return replace(results, ended=left)


def items(run: Run) -> Iterator[tuple[str, Key]]:
    """Item, and (environment, task, seed), of each episode that ended."""
    for episode in run.episodes([]):
        spec, goal = episode.spec, episode.mission.goal if episode.mission else ""
        if episode.info or episode.first_hash:
            item = item_of(spec.task.env, episode.info, goal, episode.first_hash)
            yield item, (spec.task.env, spec.task.task, spec.seed)

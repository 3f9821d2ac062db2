"""The item check: nothing that an agent learned from, or was chosen by, may stand in its test.

Seeds are compared before anything is learned. Items (what an episode was about) are known once it was
played, so they are compared at the end. A test item that somebody copied into a training run is found there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import comb
from pathlib import Path

from embodied.errors import UsageError
from embodied.eval.results import Results
from embodied.splits import item_of, split_of
from embodied.store.run import Run
from embodied.types import EpisodeSpec

Key = tuple[str, str, int]
"""Environment, task and seed."""
SHOWN = 3
"""Items named in a sentence."""
MOST = 0.5
"""The share of the test that may be left out."""
SURELY = 0.001
"""p value below which the test holds more known items than dev episodes do by chance."""


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


def leaks(learned: Iterable[Run], tested: Iterable[Run], chosen: Iterable[Run] = ()) -> Leaks:
    """Which test episodes are about items that were learned from.

    Small worlds repeat by chance (one object in one room), the more often the more is learned from. So such episodes
    are left out and counted. Dev episodes are drawn as test episodes are, and tell how many are known by chance: the
    result is refused where the test holds more (Fisher's exact test, one-sided), or where more than `MOST` is left out.

    Args:
        learned: Runs that were learned from.
        tested: Runs of the test, all of the same episodes.
        chosen: Runs of gates.
    """
    seen: dict[str, str] = {item: str(run.root) for run in learned for item, _ in items(run)}
    test, dev = (dict((key, item) for run in runs for item, key in items(run)) for runs in (tested, chosen))
    known = [key for key, item in test.items() if item in seen]
    if not known:
        return Leaks(frozenset(), (), False)
    by_chance = sum(item in seen for item in dev.values())
    refused = len(known) > MOST * len(test) or _more(len(known), len(test), by_chance, len(dev)) < SURELY
    what = f"{len(known)} of {len(test)} test episodes are about items that were learned from"
    named = dict.fromkeys(f"{test[key]} ({seen[test[key]]})" for key in known)
    end = (
        f"Of the dev episodes {by_chance} of {len(dev)} are. This is more than chance: the result counts for nothing."
        if refused
        else f"They are left out. By chance, {by_chance} of {len(dev)} dev episodes are."
    )
    return Leaks(frozenset(known), (f"{what}: {'; '.join(list(named)[:SHOWN])}. {end}",), refused)


def _more(known: int, test: int, by_chance: int, dev: int) -> float:
    """One-sided p value of Fisher's exact test that test episodes are known no more often than dev episodes are."""
    successes, total = known + by_chance, test + dev
    ways = [comb(successes, k) * comb(total - successes, test - k) for k in range(known, min(successes, test) + 1)]
    return sum(ways) / comb(total, test)


def runs_below(root: Path, rounds: int) -> list[Run]:
    """The runs that the first rounds of an improvement learned from."""
    folders = (root / f"round-{number}" / place for number in range(1, rounds + 1) for place in ("collect", "practice"))
    return [Run(path.parent) for folder in folders for path in sorted(folder.rglob("run.json"))]


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

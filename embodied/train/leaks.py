"""The item check: nothing that an agent learned from, or was chosen by, may stand in its test.

Seeds are compared before anything is learned. Items (what an episode was about) are known when it was played, so they
are compared at the end: whoever copied a test item into a training run is found there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from embodied.errors import UsageError
from embodied.splits import item_of, split_of
from embodied.store.run import Run
from embodied.types import EpisodeSpec

SHOWN = 3
"""Items named in a sentence."""


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


def leaks(learned: Iterable[Run], chosen: Iterable[Run], tested: Iterable[Run]) -> list[str]:
    """Sentences: which items of the test stand in other runs, too.

    Args:
        learned: Runs that were learned from.
        chosen: Runs of gates.
        tested: Runs of the test.
    """
    test = dict(item for run in tested for item in items(run))
    found = []
    for runs, verb in ((learned, "learned from"), (chosen, "chosen by")):
        for run in runs:
            both = [name for name, _ in items(run) if name in test]
            if both:
                named = "; ".join(sorted(set(both))[:SHOWN])
                found.append(f"{len(set(both))} items of the test were {verb} ({run.root}): {named}")
    return found


def items(run: Run) -> Iterator[tuple[str, str]]:
    """Item and id of each episode that ended."""
    for episode in run.episodes([]):
        goal = episode.mission.goal if episode.mission else ""
        if episode.info or episode.first_hash:
            yield item_of(episode.spec.task.env, episode.info, goal, episode.first_hash), episode.spec.id

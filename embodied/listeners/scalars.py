"""What trackers get: numbers of ended episodes, and the settings of the run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from embodied.eval.results import progress
from embodied.secrets import mask
from embodied.store.run import Run
from embodied.types import Episode

LONGEST = 250
"""Characters of a setting; MLflow takes 500 at most."""


class Scalars:
    """Numbers of ended episodes, counted from the beginning of the run, resumed or not."""

    def __init__(self, before: Iterable[Episode]):
        self.count = 0
        """How many have ended."""
        self._sums: dict[str, tuple[int, float]] = {}
        for episode in before:
            if progress(episode) is not None:
                self.of(episode)

    def of(self, episode: Episode) -> dict[str, float]:
        """The numbers of one more ended episode."""
        self.count += 1
        env = episode.spec.task.env.replace(":", "-")
        found = {
            "steps": episode.steps,
            "return": episode.return_,
            "invalid_actions": episode.invalid_actions,
            "seconds": episode.seconds,
            "tokens_in": episode.usage.input,
            "tokens_out": episode.usage.output,
            "scored": float(progress(episode) is not None),
        }
        if (reached := progress(episode)) is not None:
            n, total = self._sums.get(env, (0, 0.0))
            self._sums[env] = (n + 1, total + reached)
            found |= {"progress": reached, "mean_progress": (total + reached) / (n + 1)}
            if episode.success is not None:
                found["success"] = float(episode.success)
        return {f"{env}/{name}": float(value) for name, value in found.items()}


def key(run: Run) -> str:
    """Names a run to a tracker: the same whenever the run goes on, another for the same plan in another folder."""
    return hashlib.sha256(f"{run.record.identity} {run.record.created}".encode()).hexdigest()[:32]


def settings(run: Run) -> dict[str, str]:
    """The settings of the run: dotted key -> value as text, without secrets. Keys without a value are left out."""
    whole = {**run.record.config, "versions": run.record.versions}
    return {key: mask(str(value))[:LONGEST] for key, value in _flat(whole) if value not in (None, "", [], {})}


def _flat(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _flat(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, node

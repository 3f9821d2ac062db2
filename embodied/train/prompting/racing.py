"""Successive halving: candidates play the same training episodes; the better half plays more (Jamieson and Talwalkar
2016, arXiv 1502.07943).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from embodied.agents.versions import AgentVersion
from embodied.eval.results import progress
from embodied.rollout.spend import used
from embodied.store.run import Run
from embodied.train.learner import Practice
from embodied.train.prompting.proposals import digest

Key = tuple[str, str, int]
"""Environment, task, repeat."""


@dataclass
class Race:
    """What instructions have played, in one round. A candidate that was raced before plays nothing twice.

    Args:
        practice: Plays.
        version: Whose instructions are exchanged.
        episodes: Of each task in the first heat; each further heat has twice as many as the one before.
        halvings: How often the worse half leaves.
    """

    practice: Practice
    version: AgentVersion
    episodes: int
    halvings: int
    heats: dict[tuple[int, str], Mapping[Key, float]] = field(default_factory=dict)
    """Heat and instructions -> progress in each episode."""
    runs: dict[str, Run] = field(default_factory=dict)
    """Name -> what was played."""

    def best(self, candidates: Sequence[str]) -> str:
        """The best of `candidates`, of which the first is the parent's. The parent's stay until the last heat, and
        another one must score higher than they do there and before, taken together.
        """
        parent, racing = candidates[0], list(candidates[1:])
        for heat in range(self.halvings + 1):
            for text in (parent, *racing):
                self._play(heat, text)
            if heat < self.halvings:
                kept = max(1, len(racing) // 2)
                racing = sorted(racing, key=lambda text: (-self.score(text, heat), len(text), text))[:kept]
        return min((parent, *racing), key=lambda text: (-self.score(text, self.halvings), text != parent, len(text)))

    def score(self, text: str, last: int) -> float:
        """Mean over tasks of the mean progress, in heats 0 to `last`. An episode without a score counts as 0: a prompt
        that the model refuses must not win.
        """
        tasks: dict[tuple[str, str], list[float]] = {}
        for heat in range(last + 1):
            for (env, task, _), value in self.heats[heat, text].items():
                tasks.setdefault((env, task), []).append(value)
        means = [sum(values) / len(values) for values in tasks.values()]
        return sum(means) / len(means) if means else 0.0

    def table(self) -> list[tuple[str, float, int]]:
        """Instructions, score and episodes of all that raced, the best first. Who came further is shown with more
        episodes.
        """
        last: dict[str, int] = {}
        for heat, text in self.heats:
            last[text] = max(heat, last.get(text, 0))
        rows = [
            (text, self.score(text, heat), sum(len(self.heats[h, text]) for h in range(heat + 1)))
            for text, heat in last.items()
        ]
        return sorted(rows, key=lambda row: (-row[1], row[0]))

    def tokens(self) -> int:
        """Input and output of all model calls."""
        usages = [used(run) for run in self.runs.values()]
        return sum(usage.input + usage.output for usage in usages)

    def _play(self, heat: int, text: str) -> None:
        if (heat, text) in self.heats:
            return
        name = f"heat-{heat}/{digest(text)}"
        options: dict[str, Any] = {"agent.instructions": text}
        run = self.practice.play(self.version, self.episodes * 2**heat, name=name, options=options)
        self.runs[name] = run
        ended = {e.spec.id: progress(e) or 0.0 for e in run.episodes([])}
        self.heats[heat, text] = {
            (spec.task.env, spec.task.task, spec.index): ended.get(spec.id, 0.0) for spec in run.record.planned
        }

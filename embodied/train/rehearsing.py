"""The human in the loop: examples are executed on the training episodes that they come from, and revised where they
fail, until they succeed without help (ICAL, Sarch et al. 2024, section 3.2).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from embodied.agents.memory.recalling import PART as MEMORY
from embodied.agents.memory.rehearsing import PART, episode_key, packed
from embodied.agents.versions import AgentRecord, AgentVersion, Lineage, write
from embodied.train.abstraction.rules import shortened
from embodied.train.abstraction.trajectory import Trajectory, read
from embodied.train.learner import Practice


@dataclass
class Example:
    """One training episode, and the actions that are believed to solve it."""

    actions: tuple[str, ...]
    feedbacks: list[str] = field(default_factory=list)
    revisions: int = 0
    corrected: list[Trajectory] = field(default_factory=list)
    """Plays in which somebody spoke."""
    verified: Trajectory | None = None
    """The play that succeeded without help."""
    proposed: bool = False
    """Whether a model proposed the actions."""
    refuted: bool = False
    """Whether what it proposed failed when it was executed."""
    whole: tuple[str, ...] = ()
    """Of the last play that succeeded: tried where its shorter form fails."""


def examples_of(trajectories: Mapping[str, Trajectory]) -> dict[str, Example]:
    """An example of each episode: what its play did, shortened."""
    return {
        key: Example(
            tuple(step.executed for step in shortened(one)),
            whole=tuple(step.executed for step in one.steps) if one.succeeded else (),
        )
        for key, one in trajectories.items()
    }


def rehearsed(
    practice: Practice,
    parent: AgentVersion,
    memory: Path | None,
    examples: Mapping[str, Example],
    episodes: int,
    batch: str,
    corrector: str | None,
    most: int,
) -> None:
    """Executes examples until each succeeds without help, or was revised `most` times. Results are in the examples.

    Args:
        practice: The round's.
        parent: Whose worlds are played.
        memory: By which an example goes on once it was corrected.
        examples: Episode (`episode_key`) -> example.
        episodes: Of each task, as the examples' own run has.
        batch: The name of that run in the practice, up to `/`.
        corrector: Who corrects; None for nobody: then examples are tried as they are, and in their whole form.
        most: Revisions of an example.
    """
    for attempt in range(1 + 2 * most):
        open_ = {key: one for key, one in examples.items() if one.verified is None and one.revisions <= most}
        if not open_ or (corrector is None and attempt > 1):
            return
        helped = corrector if attempt % 2 else None
        version = _version(practice, parent, memory, examples, f"{batch}-{attempt}")
        run = practice.play(version, episodes, name=f"{batch}/try-{attempt}", corrector=helped)
        for episode in run.episodes([]):
            one = open_.get(episode_key(episode.spec))
            trajectory = read(run, episode) if one is not None else None
            if one is not None and trajectory is not None:
                _take(one, trajectory, helped is not None)


def _take(one: Example, trajectory: Trajectory, helped: bool) -> None:
    """What one play says of an example."""
    done = tuple(step.executed for step in trajectory.steps)
    if trajectory.succeeded and not trajectory.feedbacks:
        one.verified, one.actions = trajectory, done
        return
    if not helped:
        one.refuted |= one.proposed and one.revisions == 0
        one.actions = one.whole or one.actions
        return
    one.revisions += 1
    one.feedbacks += trajectory.feedbacks
    if trajectory.feedbacks:
        one.corrected.append(trajectory)
    one.actions = done
    one.whole = done if trajectory.succeeded else ()


def _version(
    practice: Practice, parent: AgentVersion, memory: Path | None, examples: Mapping[str, Example], name: str
) -> AgentVersion:
    folder = practice.work / f"rehearsal-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    part = practice.work / f"rehearsal-{name}.json"
    part.write_bytes(packed({key: one.actions for key, one in examples.items()}))
    old = parent.record
    record = AgentRecord(
        name=f"{old.name}-rehearsal"[:80],
        settings={"agent.policy": "rehearsal", "image": bool(old.settings.get("image"))},
        worlds=old.worlds,
        tasks=old.tasks,
        view=old.view,
        lineage=Lineage(parent.hash, "memory"),
    )
    return write(folder, record, {PART: part, **({MEMORY: memory} if memory is not None else {})})

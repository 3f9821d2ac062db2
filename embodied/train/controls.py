"""Two learners that must not gain: one that changes nothing, and one that copies what it has seen."""

from __future__ import annotations

from pathlib import Path

import msgspec

from embodied.agents.memorised import PART, beginning, pack
from embodied.agents.versions import AgentRecord, AgentVersion, Lineage, write
from embodied.errors import NothingLearned
from embodied.eval.results import progress
from embodied.train.learner import Practice


def null(practice: Practice, parent: AgentVersion, out: Path) -> AgentVersion:
    """Changes nothing but the lineage. What it seems to gain is chance."""
    parts = {name: parent.part(name) for name in parent.record.parts}
    lineage = Lineage(parent.hash, "null", {"seed": practice.seed})
    return write(out, msgspec.structs.replace(parent.record, lineage=lineage), parts)


def memorise(practice: Practice, parent: AgentVersion, out: Path) -> AgentVersion:
    """Keeps, for each beginning of an episode, the actions that earned most, and plays them where an episode begins so.
    It plays by chance elsewhere.

    Raises:
        NothingLearned: There is no scored episode.
    """
    best: dict[str, tuple[float, list[str]]] = {}
    for run in practice.runs:
        for episode in run.episodes([]):
            score = progress(episode)
            steps = list(run.steps(episode.spec.id, []))
            if score is None or not steps or episode.mission is None:
                continue
            key = beginning(episode.mission.goal, steps[0].observation)
            if key not in best or score > best[key][0]:
                best[key] = score, [step.executed for step in steps]
    if not best:
        raise NothingLearned("No training episode has a score, so there is nothing to memorise.")
    practice.work.mkdir(parents=True, exist_ok=True)
    part = practice.work / "episodes.json"
    part.write_bytes(pack({key: actions for key, (_, actions) in best.items()}))
    old = parent.record
    record = AgentRecord(
        name=old.name,
        settings={"agent.policy": "memorised", "image": bool(old.settings.get("image"))},
        worlds=old.worlds,
        tasks=old.tasks,
        view=old.view,
        lineage=Lineage(parent.hash, "memorise", {"seed": practice.seed, "episodes": len(best)}),
    )
    return write(out, record, {PART: part})

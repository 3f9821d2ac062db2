"""memory: keeps what worked as examples, and finds them again (after ICAL, Sarch et al. 2024, arXiv 2406.14596).

What was collected is abstracted: episodes that succeeded become examples. With `learner.episodes` the learner plays
further training episodes in batches, each with what it has learnt so far; their examples are executed again and
corrected until they succeed without help (`embodied.train.rehearsing`).
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from embodied.agents import needs_model
from embodied.agents.memory.embedding import embedding
from embodied.agents.memory.recalling import PART
from embodied.agents.memory.record import Memory, identified
from embodied.agents.memory.rehearsing import episode_key
from embodied.agents.memory.store import Memories, open_memories, write_memories
from embodied.agents.memory.tuning import tuned
from embodied.agents.memory.upkeep import flagged, retired
from embodied.agents.memory.usage import counted, uses_of
from embodied.agents.versions import AgentVersion, Lineage, write
from embodied.blobs import Blobs, ReadFrom
from embodied.errors import NothingLearned, UsageError
from embodied.store.run import Run
from embodied.train.abstraction.model import abstracted, closed_actions
from embodied.train.abstraction.rules import episode_memory, shortened, step_memories
from embodied.train.abstraction.trajectory import Trajectory, read
from embodied.train.learner import EXPERT, Practice
from embodied.train.rehearsing import Example, examples_of, rehearsed
from embodied.types import Step

ABSTRACTIONS, UNITS, SOURCES = ("rules", "model"), ("step", "episode"), ("own", EXPERT)


@dataclass
class Learned:
    """What one round has learnt so far."""

    records: dict[str, Memory] = field(default_factory=dict)
    episodes: int = 0
    """That became examples."""
    dropped: int = 0
    """Examples that never succeeded without help."""
    refused: Counter[str] = field(default_factory=Counter)
    """Why abstractions of a model were refused, and how often."""
    abstractions: dict[str, Memory] = field(default_factory=dict)
    """Episode -> what a model wrote of it."""
    feedbacks: list[int] = field(default_factory=list)
    """Of each example that was executed and kept, in order: how often somebody spoke."""
    runs: list[Run] = field(default_factory=list)
    """Where pictures are."""


def learn(practice: Practice, parent: AgentVersion, out: Path) -> AgentVersion:
    """Makes a version with the part `memory`, which holds the parent's examples and those of this round.

    Raises:
        NothingLearned: No episode became an example.
        UsageError: A setting makes no sense.
        StoreError: The parent's memory is damaged.
    """
    settings = practice.settings
    _check(settings)
    old = _memories(parent)
    learned = Learned()
    if settings["fixed"]:
        old = open_memories(Path(str(settings["fixed"])))
        return _write(practice, parent, out, old, learned)
    for memory in old.records if old is not None else ():
        learned.records[memory.id] = memory
    if old is not None:
        for run in practice.runs:
            learned.records = {m.id: m for m in counted(learned.records.values(), uses_of(run))}
    before = len(learned.records)
    _from_runs(practice, parent, learned)
    if settings["episodes"]:
        _from_practice(practice, parent, old, learned)
    if len(learned.records) == before:
        raise NothingLearned(
            f"No episode became an example: {learned.dropped} were dropped, as they never succeeded without help."
            if learned.dropped
            else "No training episode succeeded, so there is nothing to keep. Name who corrects with --corrector, or"
            " take learner.episodes=N with learner.source=expert."
        )
    return _write(practice, parent, out, old, learned)


learn.defaults = {  # type: ignore[attr-defined]  # a function with settings: `embodied.train.learner.Learner`
    "abstraction": "rules",
    "unit": "step",
    "k": 5,
    "episodes": 0,
    "batches": 2,
    "source": "own",
    "human": True,
    "corrector": "",
    "feedbacks": 5,
    "raw": False,
    "fixed": "",
    "embedding": "hashing",
}


def _check(settings: Any) -> None:
    for key, allowed in (("abstraction", ABSTRACTIONS), ("unit", UNITS), ("source", SOURCES)):
        if settings[key] not in allowed:
            raise UsageError(f"learner.{key} is one of {', '.join(allowed)}, not {settings[key]!r}.")
    for key, least in (("k", 1), ("batches", 1), ("episodes", 0), ("feedbacks", 0)):
        if settings[key] < least:
            raise UsageError(f"learner.{key} is at least {least}, not {settings[key]}.")


# --------------------------------------------------------------------------- examples


def _from_runs(practice: Practice, parent: AgentVersion, learned: Learned) -> None:
    """Examples of the collected episodes that succeeded. They are facts of the record: nothing is executed again."""
    known = {(memory.provenance.run, memory.provenance.episode) for memory in learned.records.values()}
    found = []
    for run in practice.runs:
        learned.runs.append(run)
        for episode in run.episodes([]):
            if (run.record.identity, episode.spec.id) in known:
                continue
            trajectory = read(run, episode)
            if trajectory is not None and trajectory.succeeded:
                found.append(trajectory)
    _abstract(practice, learned, found, parent.label, "collected")
    for trajectory in found:
        _keep(practice, learned, trajectory, parent.label)


def _abstract(
    practice: Practice, learned: Learned, found: Sequence[Trajectory], agent: str, name: str
) -> dict[str, tuple[str, ...]]:
    """Asks the model about episodes, where the settings say so.

    Returns:
        Episode (`episode_key`) -> the actions that the model proposes, in the episode's own words.
    """
    if practice.settings["abstraction"] != "model" or practice.settings["raw"] or not found:
        return {}
    made = abstracted(practice, found, agent, f"abstraction-{name}")
    learned.refused += made.refused
    keys = {one.episode.spec.id: episode_key(one.episode.spec) for one in found}
    learned.abstractions |= {keys[id_]: memory for id_, memory in made.memories.items()}
    return {keys[id_]: closed_actions(memory) for id_, memory in made.memories.items()}


def _from_practice(practice: Practice, parent: AgentVersion, old: Memories | None, learned: Learned) -> None:
    """Examples of episodes that the learner plays itself, in batches: later ones are played with the earlier ones."""
    settings = practice.settings
    for number in range(int(settings["batches"])):
        batch, count = f"examples-{number}", int(settings["episodes"])
        memory = _checkpoint(practice, old, learned, batch)
        player: AgentVersion | str = EXPERT if settings["source"] == EXPERT else parent
        if memory is not None and player is parent:
            player = _version(practice, parent, practice.work / f"player-{number}", memory)
        run = practice.play(player, count, name=f"{batch}/first")
        learned.runs.append(run)
        found = {
            episode_key(episode.spec): one for episode in run.episodes([]) if (one := read(run, episode)) is not None
        }
        if not settings["human"]:
            for one in found.values():
                if one.succeeded:
                    _keep(practice, learned, one, parent.label)
            continue
        examples = examples_of(found)
        for key, actions in _abstract(practice, learned, list(found.values()), parent.label, batch).items():
            examples[key].actions, examples[key].proposed = actions, True
        rehearsed(
            practice,
            parent,
            memory,
            examples,
            count,
            batch,
            str(settings["corrector"]) or practice.corrector or None,
            int(settings["feedbacks"]),
        )
        for key, example in examples.items():
            _keep_example(practice, learned, example, found[key], parent.label)


def _keep_example(practice: Practice, learned: Learned, example: Example, first: Trajectory, agent: str) -> None:
    if example.refuted:
        learned.refused["refuted by the environment"] += 1
    if example.verified is None:
        learned.dropped += 1
        return
    learned.feedbacks.append(len(example.feedbacks))
    learned.runs.append(example.verified.run)
    _keep(practice, learned, example.verified, agent, example.feedbacks)


def _keep(
    practice: Practice, learned: Learned, trajectory: Trajectory, agent: str, feedbacks: Sequence[str] = ()
) -> None:
    """Adds the examples of one episode that succeeded."""
    settings = practice.settings
    steps: Sequence[Step] = trajectory.steps if settings["raw"] else shortened(trajectory)
    if settings["unit"] == "step":
        made = step_memories(trajectory, steps, agent)
    else:
        made = [episode_memory(trajectory, steps, agent)]
    written = learned.abstractions.get(episode_key(trajectory.episode.spec))
    for memory in made:
        said = memory.feedbacks or tuple(feedbacks)[:200]
        kept = identified(_noted(msgspec.structs.replace(memory, feedbacks=said), written))
        learned.records[kept.id] = msgspec.structs.replace(kept, status="verified")
    learned.episodes += 1


def _noted(memory: Memory, written: Memory | None) -> Memory:
    """An example with what a model wrote of its episode: the lessons, and for a whole episode all notes."""
    if written is None:
        return memory
    by = msgspec.structs.replace(memory.provenance, by=written.provenance.by, prompt=written.provenance.prompt)
    notes = memory.notes if len(memory.actions) == 1 else written.notes
    return msgspec.structs.replace(memory, lessons=written.lessons, notes=notes, provenance=by)


# --------------------------------------------------------------------------- versions


def _memories(parent: AgentVersion) -> Memories | None:
    return open_memories(parent.part(PART)) if PART in parent.record.parts else None


def _checkpoint(practice: Practice, old: Memories | None, learned: Learned, name: str) -> Path | None:
    """The memory so far, in a folder of the round; None while it is empty."""
    if not learned.records:
        return None
    return _memory(practice, old, learned, practice.work / f"memory-{name}")


def _memory(practice: Practice, old: Memories | None, learned: Learned, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    made = embedding(str(practice.settings["embedding"]))
    records = list(flagged(retired(list(learned.records.values()))))
    weights = None
    if practice.settings["unit"] == "step":
        weights, share = tuned(records, made, int(practice.settings["k"]), practice.seed)
        practice.say(f"{len(records)} examples; with the weights {_shown(weights)} they agree in {share:.0%}.")
    write_memories(folder, records, made, _pictures(old, learned.runs), weights)
    return folder


def _version(practice: Practice, parent: AgentVersion, folder: Path, memory: Path) -> AgentVersion:
    shutil.rmtree(folder, ignore_errors=True)
    return write(
        folder,
        msgspec.structs.replace(parent.record, name=_name(practice, parent), settings=_settings(practice, parent)),
        {
            **{name: parent.part(name) for name in parent.record.parts},
            PART: memory,
        },
    )


def _name(practice: Practice, parent: AgentVersion) -> str:
    """The parent's name; `template` where that plays in its place."""
    return "template" if _settings(practice, parent)["agent.policy"] == "template" else parent.record.name


def _settings(practice: Practice, parent: AgentVersion) -> dict[str, Any]:
    old = parent.record.settings
    policy = str(old.get("agent.policy", "naive"))
    return {
        **old,
        "agent.policy": policy if needs_model(policy) else "template",
        "agent.memory.k": practice.settings["k"],
        "agent.memory.unit": practice.settings["unit"],
    }


def _write(practice: Practice, parent: AgentVersion, out: Path, old: Memories | None, learned: Learned) -> AgentVersion:
    folder = practice.work / "memory"
    if practice.settings["fixed"]:
        folder = Path(str(practice.settings["fixed"]))
    else:
        _memory(practice, old, learned, folder)
    half = len(learned.feedbacks) // 2
    used = {
        "seed": practice.seed,
        "episodes": learned.episodes,
        "examples": len(learned.records),
        "dropped": learned.dropped,
        "refused": dict(learned.refused),
        "feedbacks": learned.feedbacks,
        "feedbacks_first_half": _mean(learned.feedbacks[:half]),
        "feedbacks_second_half": _mean(learned.feedbacks[half:]),
    }
    lineage = Lineage(parent.hash, "memory", used)
    name, settings = _name(practice, parent), _settings(practice, parent)
    record = msgspec.structs.replace(parent.record, name=name, settings=settings, lineage=lineage)
    parts = {name: parent.part(name) for name in parent.record.parts}
    return write(out, record, {**parts, PART: folder})


def _mean(counts: Sequence[int]) -> float | None:
    return round(sum(counts) / len(counts), 3) if counts else None


def _shown(weights: Any) -> str:
    return ", ".join(f"{facet} {weight:g}" for facet, weight in weights.items())


def _pictures(old: Memories | None, runs: Iterable[Run]) -> Blobs:
    """The pictures of a memory and of runs."""
    return ReadFrom([*([old.pictures] if old is not None else []), *(run.blobs for run in runs)])

"""model: abstraction by a language model. Its answer is JSON, is checked against the record, and is never executed as
code. What contradicts the record is refused with a reason, and asked for once more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Annotated

import msgspec

from embodied.agents.memory.record import LONGEST_LINE, LONGEST_TEXT, Line, Memory, Notes, identified
from embodied.agents.memory.slots import Slots
from embodied.agents.memory.states import seen
from embodied.agents.prompt import message
from embodied.agents.vocabulary import fold
from embodied.train.abstraction.rules import episode_memory, found_slots, shortened
from embodied.train.abstraction.trajectory import Trajectory, superseded
from embodied.train.learner import Practice
from embodied.types import Message

PROMPT = "prompt-1"
"""The version of the prompt; a new wording is a new file."""
_MOST_STEPS = 80
_LONGEST_SIGHT = 1_200
"""Characters of one observation in the prompt."""
_FENCED = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
Some = Annotated[list[Line], msgspec.Meta(max_length=50)]


class Abstraction(msgspec.Struct, frozen=True, kw_only=True):
    """What the model writes."""

    actions: Annotated[list[Line], msgspec.Meta(min_length=1, max_length=500)]
    causal: Some = []
    state_changes: Some = []
    subgoals: Some = []
    relevant: Some = []
    objects: Some = []
    lessons: Annotated[list[Line], msgspec.Meta(max_length=5)] = []


class Refused(Exception):
    """An abstraction that cannot be used. `kind` is counted."""

    def __init__(self, kind: str, reason: str):
        super().__init__(reason)
        self.kind = kind


@dataclass
class Abstracted:
    """What a model made of some episodes."""

    memories: dict[str, Memory] = field(default_factory=dict)
    """Episode id -> candidate."""
    refused: Counter[str] = field(default_factory=Counter)
    """Kind -> answers that were refused, the first and the second one counted alike."""


def abstracted(practice: Practice, trajectories: Sequence[Trajectory], agent: str, name: str) -> Abstracted:
    """Asks the learner's model for an example of each episode, and once more where the answer is refused.

    Args:
        practice: Asks.
        trajectories: The episodes.
        agent: Who played them.
        name: What is asked for, for the records.
    """
    found = Abstracted()
    prompts = {one.episode.spec.id: prompt(one) for one in trajectories}
    open_ = list(trajectories)
    for attempt in (1, 2):
        replies = (
            practice.ask([prompts[one.episode.spec.id] for one in open_], name=f"{name}-{attempt}") if open_ else []
        )
        again = []
        for one, reply in zip(open_, replies, strict=True):
            id_ = one.episode.spec.id
            try:
                found.memories[id_] = candidate(one, parsed(reply.text, one), agent, reply.model)
            except Refused as error:
                found.refused[error.kind] += 1
                prompts[id_] = [
                    *prompts[id_],
                    message("assistant", reply.text[:LONGEST_TEXT] or "(empty answer)"),
                    message("user", f"That cannot be used: {error} Answer with the whole JSON object again."),
                ]
                again.append(one)
        open_ = again
    return found


def prompt(trajectory: Trajectory) -> list[Message]:
    """The conversation that asks for an abstraction of one episode."""
    return [message("system", instructions()), message("user", recorded(trajectory))]


def instructions() -> str:
    """The prompt's fixed part."""
    return resources.files("embodied.train.abstraction").joinpath("data", f"{PROMPT}.md").read_text(encoding="utf-8")


def recorded(trajectory: Trajectory) -> str:
    """The record of an episode as the model reads it, its slots open."""
    slots, mission = found_slots(trajectory), trajectory.episode.mission
    actions = mission.actions if mission is not None else {}
    lines = [f"Goal: {slots.opened(trajectory.goal)}", "Actions:"]
    lines += [f"- {action}" for action in actions]
    lines.append(f"The episode {'succeeded' if trajectory.succeeded else 'failed'}.\n\nRecord:")
    for step in trajectory.steps[:_MOST_STEPS]:
        lines.append(f"[{step.index}] {slots.opened(seen(step.observation))[:_LONGEST_SIGHT]}")
        if wrong := superseded(step):
            lines.append(f"    decided: {slots.opened(wrong)}; somebody corrected that")
        lines.append(f"    done: {slots.opened(step.executed)}")
    lines.append(f"[end] {slots.opened(trajectory.after[-1])[:_LONGEST_SIGHT]}")
    return "\n".join(lines)


def parsed(text: str, trajectory: Trajectory) -> Abstraction:
    """The abstraction in a reply.

    Raises:
        Refused: It is not JSON of the schema, or contradicts the record.
    """
    fenced = _FENCED.search(text)
    body = fenced[1] if fenced else text[text.find("{") : text.rfind("}") + 1] or text
    try:
        found = msgspec.json.decode(body.encode("utf-8", "replace"), type=Abstraction)
    except (msgspec.DecodeError, RecursionError) as error:
        kind = "schema" if isinstance(error, msgspec.ValidationError) else "not JSON"
        raise Refused(kind, f"it is not the JSON object that was asked for ({error}).") from error
    _check_actions(found, trajectory)
    _check_objects(found, trajectory)
    return found


def _check_actions(found: Abstraction, trajectory: Trajectory) -> None:
    mission, slots = trajectory.episode.mission, found_slots(trajectory)
    offered = {fold(a) for step in trajectory.steps for a in (step.observation.actions or ()) if isinstance(a, str)}
    done = {fold(step.executed) for step in trajectory.steps}
    for action in found.actions:
        closed = slots.closed(action)
        if mission is None or fold(closed) in done:
            continue
        if mission.free_text:
            verbs = {pattern.split()[0].casefold() for pattern in mission.actions if pattern.split()}
            allowed = not verbs or (bool(closed.split()) and closed.split()[0].casefold() in verbs)
        else:
            allowed = fold(closed) in {fold(a) for a in mission.actions} | offered
        if not allowed:
            raise Refused("unknown action", f"{closed[:80]!r} is not an action of the list.")


def _check_objects(found: Abstraction, trajectory: Trajectory) -> None:
    slots = found_slots(trajectory)
    shown = " ".join([trajectory.goal, *(seen(s.observation) for s in trajectory.steps), trajectory.after[-1]])
    folded = fold(" ".join(re.findall(r"\w+", slots.opened(shown) + " " + shown)))
    for thing in found.objects:
        if fold(" ".join(re.findall(r"\w+", thing))) not in folded:
            raise Refused("unknown object", f"{thing[:80]!r} occurs nowhere in the record.")


def candidate(trajectory: Trajectory, found: Abstraction, agent: str, model: str) -> Memory:
    """The example, not verified yet: what the model proposes must be executed first."""
    slots = found_slots(trajectory)
    base = episode_memory(trajectory, shortened(trajectory), agent)
    notes = Notes(
        causal=tuple(found.causal),
        state_changes=tuple(found.state_changes),
        subgoals=tuple(found.subgoals),
        relevant=(*slots.notes(), *found.relevant),
    )
    return identified(
        msgspec.structs.replace(
            base,
            actions=tuple(slots.opened(action)[:LONGEST_LINE] for action in found.actions),
            notes=notes,
            lessons=tuple(found.lessons),
            provenance=trajectory.provenance((model or "model")[:80], agent, PROMPT),
        )
    )


def closed_actions(memory: Memory) -> tuple[str, ...]:
    """The actions of an example, in the words of its own episode."""
    slots = Slots.read(memory.notes.relevant)
    return tuple(slots.closed(action) for action in memory.actions)

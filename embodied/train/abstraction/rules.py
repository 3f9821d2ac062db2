"""rules: abstraction without a model, over the record alone.

What led nowhere is left out: steps after which nothing was different, and everything between two moments at which the
same was seen. Differences of the texts are the changes of state; slots come from the goal; subgoals end where the
progress changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from embodied.agents.memory.record import (
    LONGEST_LINE,
    LONGEST_TEXT,
    MOST_ACTIONS,
    MOST_NOTES,
    Memory,
    Notes,
    Result,
    identified,
)
from embodied.agents.memory.slots import Slots
from embodied.agents.memory.states import seen, state_text
from embodied.blobs import pictures_of
from embodied.train.abstraction.trajectory import Trajectory, superseded
from embodied.types import Correction, Step

BY = "rules"
_MOST_CHANGES = 6
"""Lines of one change of state."""


def shortened(trajectory: Trajectory) -> tuple[Step, ...]:
    """The steps without those that led nowhere. What is seen is compared with pictures, not the clock of the world: so
    whether the rest still succeeds must be tried.
    """
    kept: list[Step] = []
    places: dict[str, int] = {}
    for step in trajectory.steps:
        here = _sight(step)
        if here in places:  # a loop, or nothing changed: back to where this was seen first
            kept = kept[: places[here]]
            places = {sight: place for sight, place in places.items() if place <= len(kept)}
        places[here] = len(kept)
        kept.append(step)
    return tuple(kept)


def subgoals(trajectory: Trajectory, slots: Slots) -> tuple[str, ...]:
    """One line for each part of the episode that ends with a change of the progress: its actions in short."""
    found, part = [], []
    before = 0.0
    for step in trajectory.steps:
        part.append(slots.opened(step.executed))
        if (step.progress or 0.0) != before or step is trajectory.steps[-1]:
            found.append(f"{'; '.join(_counted(part))} (progress {step.progress or 0.0:.2f})"[:LONGEST_LINE])
            before, part = step.progress or 0.0, []
    return tuple(found[:MOST_NOTES])


def changes(before: str, after: str) -> str:
    """How two texts differ, by lines: what went and what came. Empty where they do not."""
    old, new = before.splitlines(), after.splitlines()
    gone = [f"-{line}" for line in old if line not in new][:_MOST_CHANGES]
    came = [f"+{line}" for line in new if line not in old][:_MOST_CHANGES]
    return " ".join([*gone, *came])[:LONGEST_LINE]


def step_memories(
    trajectory: Trajectory, steps: Sequence[Step], agent: str, slots: Slots | None = None
) -> list[Memory]:
    """One candidate for each of `steps`: in this state, this action.

    Args:
        trajectory: The episode.
        steps: Those of it that are kept.
        agent: Who played.
        slots: Of the goal; by default those that the episode's observations show.
    """
    slots = slots or found_slots(trajectory)
    form = slots.opened(trajectory.goal)[:LONGEST_TEXT]
    after = dict(zip((step.index for step in trajectory.steps), trajectory.after, strict=True))
    made = []
    for step in steps:
        shown = slots.opened(seen(step.observation))[:LONGEST_TEXT]
        changed = changes(shown, slots.opened(after[step.index]))
        memory = Memory(
            id="",
            env=trajectory.episode.spec.task.env,
            task=trajectory.episode.spec.task.task,
            goal=form,
            observation=shown,
            state=state_text(shown, slots.opened(step.observation.executed or ""))[:LONGEST_TEXT],
            raw=(slots.opened(superseded(step) or step.executed)[:LONGEST_LINE],),
            actions=(slots.opened(step.executed)[:LONGEST_LINE],),
            notes=Notes(relevant=slots.notes(), state_changes=(changed,) if changed else ()),
            feedbacks=_said(step),
            outcome=_result(trajectory),
            provenance=trajectory.provenance(BY, agent),
            pictures=pictures_of(step.observation)[:1],
        )
        made.append(identified(memory))
    return made


def episode_memory(trajectory: Trajectory, steps: Sequence[Step], agent: str, slots: Slots | None = None) -> Memory:
    """One candidate for the whole episode: from this beginning, these actions."""
    slots = slots or found_slots(trajectory)
    shown = slots.opened(seen(trajectory.steps[0].observation))[:LONGEST_TEXT]
    kept = {step.index for step in steps}
    left = len(trajectory.steps) - len(kept)
    after = [slots.opened(text) for text in trajectory.after]
    changed = [
        changes(slots.opened(seen(step.observation)), text)
        for step, text in zip(trajectory.steps, after, strict=True)
        if step.index in kept
    ]
    return identified(
        Memory(
            id="",
            env=trajectory.episode.spec.task.env,
            task=trajectory.episode.spec.task.task,
            goal=slots.opened(trajectory.goal)[:LONGEST_TEXT],
            observation=shown,
            state=state_text(shown)[:LONGEST_TEXT],
            raw=tuple(slots.opened(step.executed)[:LONGEST_LINE] for step in trajectory.steps[:MOST_ACTIONS]),
            actions=tuple(slots.opened(step.executed)[:LONGEST_LINE] for step in steps[:MOST_ACTIONS]),
            notes=Notes(
                causal=(f"{left} of {len(trajectory.steps)} steps led nowhere and are left out.",) if left else (),
                state_changes=tuple(filter(None, changed))[:MOST_NOTES],
                subgoals=subgoals(trajectory, slots),
                relevant=slots.notes(),
            ),
            feedbacks=tuple(text[:LONGEST_LINE] for text in trajectory.feedbacks[:MOST_NOTES]),
            outcome=_result(trajectory),
            provenance=trajectory.provenance(BY, agent),
            pictures=pictures_of(trajectory.steps[0].observation)[:1],
        )
    )


def found_slots(trajectory: Trajectory) -> Slots:
    """The slots that the goal has in this episode."""
    return Slots.found(trajectory.goal, [seen(step.observation) for step in trajectory.steps])


def _result(trajectory: Trajectory) -> Result:
    episode = trajectory.episode
    progress = None if episode.progress is None else min(max(episode.progress, 0.0), 1.0)
    return Result(success=episode.success, progress=progress, steps=len(trajectory.steps))


def _said(step: Step) -> tuple[str, ...]:
    texts = [e.text for e in step.events if isinstance(e, Correction) and e.opened == step.index]
    return tuple(text[:LONGEST_LINE] for text in texts)


def _sight(step: Step) -> str:
    observation = step.observation
    return "\n".join([seen(observation), *(image.digest for image in pictures_of(observation))])


def _counted(actions: Sequence[str]) -> Iterator[str]:
    """`go forward` three times in a row as `go forward x 3`."""
    start = 0
    for place in range(1, len(actions) + 1):
        if place == len(actions) or actions[place] != actions[start]:
            yield actions[start] + (f" x {place - start}" if place - start > 1 else "")
            start = place

"""The frames of an episode as rows: a frame is a step, with what was seen, done and said in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from embodied.store.amendments import Amended, Changes, amended
from embodied.store.events import bare
from embodied.store.run import Run
from embodied.types import Correction, Episode, Image, Step, Takeover


@dataclass(frozen=True)
class Frame:
    """A step of an episode."""

    step: Step
    picture: Image | None
    """The first picture of the observation."""
    instruction: str
    """The goal, and on further lines the words of the correction that counted."""
    intervention: bool
    """Whether a person or corrector acted, or their words counted for the decision."""
    excluded: bool
    """Whether somebody excluded that correction or takeover afterwards."""
    last: bool
    of: Amended | None = None
    """The correction or takeover that the words are from."""


def goal_of(episode: Episode) -> str:
    """The goal in words; the task's name where nothing tells it."""
    task = episode.spec.task
    goal = episode.mission.goal.strip() if episode.mission is not None else ""
    return goal or f"{task.env} {task.task}"


def frames(run: Run, episode: Episode, changes: Changes, damaged: list[str]) -> Iterator[Frame]:
    """The frames of an episode in order.

    Args:
        run: The run.
        episode: One of it.
        changes: Those made to the run's corrections.
        damaged: Takes a sentence for each line that cannot be read.
    """
    found = amended(run, episode.spec.id, changes, [], prompts=False)
    heard = [a for a in found if a.step is not None]
    acted = {a.place: a for a in heard if isinstance(a.event, Takeover)}
    spoken = [a for a in heard if isinstance(a.event, Correction)]
    goal, counting = goal_of(episode), 0
    newest: Amended | None = None
    held: tuple[Step, Amended | None] | None = None
    for step in run.steps(episode.spec.id, damaged):
        while counting < len(spoken) and spoken[counting].place <= step.index:
            newest = spoken[counting]
            counting += 1
        now = acted.get(step.index) or (newest if _counts(newest, step.index) else None)
        if held is not None:
            yield _frame(*held, goal, last=False)
        held = bare(step), now
    if held is not None:
        yield _frame(*held, goal, last=True)


def _counts(correction: Amended | None, index: int) -> bool:
    """Whether a correction that was heard before counts in a step."""
    if correction is None or not isinstance(correction.event, Correction):
        return False
    ended = correction.event.ended
    return ended is None or index <= ended


def _frame(step: Step, now: Amended | None, goal: str, *, last: bool) -> Frame:
    excluded = now is not None and now.excluded
    words = now.text if now is not None and not excluded else ""
    return Frame(
        step, step.observation.image, f"{goal}\n{words}" if words else goal, now is not None, excluded, last, now
    )

"""A recorded episode as abstraction reads it."""

from __future__ import annotations

from dataclasses import dataclass

from embodied.agents.memory.record import LONGEST_NAME, Provenance
from embodied.agents.memory.states import seen
from embodied.store.run import Run
from embodied.types import Correction, Episode, Step, Takeover


@dataclass(frozen=True)
class Trajectory:
    """One scored episode, with its steps in order."""

    run: Run
    episode: Episode
    steps: tuple[Step, ...]

    @property
    def goal(self) -> str:
        """The goal of the episode."""
        return self.episode.mission.goal if self.episode.mission is not None else ""

    @property
    def after(self) -> tuple[str, ...]:
        """The text seen after each step."""
        shown = [seen(step.observation) for step in self.steps[1:]]
        last = self.episode.last
        return (*shown, seen(last) if last is not None else "")

    @property
    def succeeded(self) -> bool:
        """Whether the episode did what it should. Where the environment says nothing of success, progress 1 does."""
        if self.episode.success is not None:
            return self.episode.success
        return self.episode.progress is not None and self.episode.progress >= 1.0

    @property
    def feedbacks(self) -> tuple[str, ...]:
        """What was said while it was played, in order; a takeover counts as its action."""
        said: dict[str, str] = {}
        for step in self.steps:
            for number, event in enumerate(step.events):
                if isinstance(event, Correction):
                    said.setdefault(event.id, event.text)
                elif isinstance(event, Takeover):
                    said.setdefault(f"{step.index} {number}", event.action)
        return tuple(said.values())

    def provenance(self, by: str, agent: str, prompt: str = "") -> Provenance:
        """Where an example of it comes from."""
        spec, record = self.episode.spec, self.run.record
        return Provenance(
            episode=spec.id,
            run=record.identity[:LONGEST_NAME],
            seed=spec.seed,
            split="train",
            agent=agent,
            by=by,
            prompt=prompt,
        )


def superseded(step: Step) -> str:
    """The action that the agent had decided on and that was not executed, because somebody spoke; else empty."""
    for event in step.events:
        decision = getattr(event, "superseded", None)
        spoken = not isinstance(event, Correction) or event.opened == step.index
        if decision is not None and decision.parsed and spoken and decision.action != step.executed:
            return str(decision.action)
    return ""


def read(run: Run, episode: Episode) -> Trajectory | None:
    """A scored episode of a run; None where it has no steps."""
    steps = tuple(run.steps(episode.spec.id, []))
    return Trajectory(run, episode, steps) if steps and episode.mission is not None else None

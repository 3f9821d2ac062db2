"""few_shot: the naive agent after it was shown recorded episodes, pictures included."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from embodied.agents import Kit
from embodied.agents.formats import Plain
from embodied.agents.model_agent import ModelAgent, compose
from embodied.agents.prompt import message, provided, with_ask
from embodied.blobs import pictures_of
from embodied.errors import UsageError
from embodied.store.run import SCORED, Run
from embodied.types import Episode, Image, Message, Observation, Step

if TYPE_CHECKING:
    import numpy as np

OTHER_TASK = frozenset({"babaisai"})
"""Environments in which a demonstration comes from another task than the one played: an episode of the same task is the
solution.
"""


def few_shot(kit: Kit) -> ModelAgent:
    """Shows demonstrations, then asks as naive does. Raises `UsageError` when no recorded episode can serve as one."""
    return compose(kit, Plain(), Demonstrations(kit))


class Demonstration(NamedTuple):
    """A recorded episode, or the beginning of one."""

    run: Run
    episode: Episode
    steps: tuple[Step, ...]


class Demonstrations:
    """Recorded episodes as messages, put between the instruction and the history.

    An episode of the run folders can serve when it was scored, got far enough, and is of the same environment and task
    (Baba Is
    AI: another task, as in BALROG). It can never serve when it has the seed of the episode that is played, or begins
    with the same
    observation: two seeds can choose the same text game. Among the rest the agent's random stream chooses.

    The demonstrator's executed actions are shown, and observations without their status.
    """

    def __init__(self, kit: Kit):
        """Raises `UsageError` when no run is named or none of its episodes can serve, `StoreError` when a folder is not
        a run.
        """
        self.config = kit.config.demonstrations
        if not self.config.runs or kit.spec is None:
            raise UsageError(
                "The agent few_shot needs recorded episodes: add 'agent.demonstrations.runs=[RUN]', with the folder of"
                " a run of the same environment, for instance one of `embodied eval --agent expert`."
            )
        self.spec = kit.spec
        self._blobs = kit.blobs
        self._pictures = kit.config.history.image > 0
        runs = [Run(folder) for folder in self.config.runs]
        self._candidates = [(run, episode) for run in runs for episode in run.episodes() if self._can_serve(episode)]
        if not self._candidates:
            raise UsageError(self._none(f"has another seed and reached a progress of {self.config.min_progress:g}"))

    def messages(self, first: Observation, rng: np.random.Generator) -> list[Message]:
        """The demonstrations, chosen by `rng`. Raises `UsageError` when all of them begin as the episode that is
        played.
        """
        chosen = self._choose(first, rng)
        if not chosen:
            raise UsageError(self._none("begins differently from the episode to be played"))
        shown = [
            m
            for number, demonstration in enumerate(chosen, 1)
            for m in self._shown(demonstration, f"{number} of {len(chosen)}")
        ]
        return [*shown, message("user", "The demonstrations are over. Now it is your turn.")]

    def _can_serve(self, episode: Episode) -> bool:
        theirs, ours = episode.spec, self.spec
        return (
            theirs.task.env == ours.task.env
            and theirs.seed != ours.seed
            and (theirs.task.task == ours.task.task) == (ours.task.env not in OTHER_TASK)
            and episode.outcome in SCORED
            and (episode.progress or 0.0) >= self.config.min_progress
        )

    def _choose(self, first: Observation, rng: np.random.Generator) -> list[Demonstration]:
        chosen: list[Demonstration] = []
        left = self.config.max_steps
        for i in rng.permutation(len(self._candidates)):
            if left <= 0 or len(chosen) == self.config.episodes:
                break
            run, episode = self._candidates[i]
            steps = tuple(islice(run.steps(episode.spec.id), left))
            if steps and steps[0].observation.text != first.text:
                chosen.append(Demonstration(run, episode, steps))
                left -= len(steps)
        return chosen

    def _shown(self, demonstration: Demonstration, number: str) -> Iterator[Message]:
        run, episode, steps = demonstration
        goal = f" Its goal: {episode.mission.goal}" if episode.mission else ""
        heading = f"Demonstration {number} by another player.{goal}\n\n"
        for step in steps:
            yield self._observed(run, step.observation, heading)
            yield message("assistant", step.executed)
            heading = ""
        if episode.last is not None and len(steps) == episode.steps:
            yield with_ask(self._observed(run, episode.last, ""), f"Demonstration {number} ends here.")
        else:
            yield message("user", f"Demonstration {number} went on; the rest is left out.")

    def _observed(self, run: Run, observation: Observation, heading: str) -> Message:
        images = self._brought(run, pictures_of(observation)) if self._pictures else ()
        return message("user", heading + "\n".join(["Observation:", observation.text, *provided(images)]), images)

    def _brought(self, run: Run, images: tuple[Image, ...]) -> tuple[Image, ...]:
        """The picture, copied to where the model will look for it."""
        if self._blobs is not None:
            for image in images:
                self._blobs.put(run.blobs.get(image.digest))
        return images

    def _none(self, what: str) -> str:
        task = self.spec.task
        which = f"another task of {task.env}" if task.env in OTHER_TASK else f"{task.env} {task.task}"
        return (
            f"No episode of {', '.join(self.config.runs)} can be a demonstration for seed {self.spec.seed} of"
            f" {task.env} {task.task}: it takes a scored episode of {which} that {what}. Record more with `embodied"
            f" play {task.env}`, or --agent expert where there is one."
        )

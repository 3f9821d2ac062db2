"""What the demo plays, and how it plays one thing after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import embodied
from embodied import envs
from embodied.agents.folders import shipped
from embodied.catalog import ENTRIES
from embodied.controls import BLACK, OTHER_GOAL
from embodied.errors import EnvironmentFailure, MissingExtra
from embodied.eval.suites import suite
from embodied.evaluation import Evaluation
from embodied.types import Episode, EpisodeSpec, Step

LEARNER = "tinyvlm"
DISTRACTORS = 3
"""Objects that the instruction does not name. Without them BabyAI can be solved without reading."""
STEPS = 8
"""Steps that the embedded text model gets in each game: it is slow, and has no use for more."""
EXPERT_STEPS = 200
"""Steps that an expert gets in each game."""


@dataclass(frozen=True)
class Play:
    """One run of the demo."""

    name: str
    """Its folder within the demo's."""
    title: str
    """Its row in the tables."""
    envs: tuple[str, ...]
    agent: str
    episodes: int
    """Of each task."""
    tasks: tuple[str, ...] = ()
    """All of the environment, where none is named."""
    steps: int | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Episodes in all."""
        return self.episodes * len(self.tasks or [task for env in self.envs for task in ENTRIES[env].tasks])


@dataclass(frozen=True)
class Shown:
    """What came of a play."""

    play: Play
    result: Evaluation | None
    """None where it could not be played."""
    why_not: str = ""
    """A sentence, where it could not."""


def learners(episodes: int) -> list[Play]:
    """BabyAI, by the agent that sees, by the same without its picture or its instruction, and by minigrid's bot."""
    options: dict[str, Any] = {"env.distractors": DISTRACTORS}
    small: dict[str, Any] = {"model.threads": 1}  # threads that wait for each other cost more than so small a model
    rows = [
        ("tinyvlm", LEARNER, LEARNER, small),
        ("tinyvlm-black-picture", f"{LEARNER}, black picture", LEARNER, {**small, "run.control": BLACK}),
        (
            "tinyvlm-shuffled-instruction",
            f"{LEARNER}, shuffled instruction",
            LEARNER,
            {**small, "run.control": OTHER_GOAL},
        ),
        ("bot", "minigrid's bot, an expert", "expert", {}),
    ]
    return [
        Play(name, title, ("babyai",), agent, episodes, options=options | more) for name, title, agent, more in rows
    ]


def games() -> list[Play]:
    """The first task of each of the six games, by its expert where it has one, and by the embedded text model."""
    first = {env: task for env, task, _ in suite("demo").tasks if not unplayable(env)}
    able = {env: task for env, task in first.items() if ENTRIES[env].experts}
    rows = [
        ("experts", "expert", "expert", able, EXPERT_STEPS),
        ("smollm2", "SmolLM2-135M, a text model", "smollm2", first, STEPS),
    ]
    return [
        Play(name, title, tuple(chosen), agent, 1, tuple(chosen.values()), steps)
        for name, title, agent, chosen, steps in rows
        if chosen
    ]


def unplayable(env: str) -> str:
    """Why a game cannot be played here, as a sentence; empty where it can."""
    try:
        envs.load(ENTRIES[env])
    except (MissingExtra, EnvironmentFailure) as error:
        return str(error)
    return ""


def play(wanted: Play, out: Path, told: Callable[[int], None]) -> Shown:
    """Plays one run, or what is left of it.

    Args:
        wanted: What to play.
        out: The demo's folder.
        told: Hears how many episodes have ended.

    Raises:
        StoreError: The folder cannot be written, or holds another run.
        UsageError: Something makes no sense.
    """
    if wanted.agent == LEARNER and LEARNER not in shipped():
        train = f"`embodied train {LEARNER} --env babyai --out FOLDER` makes some."
        why = f"No trained weights come with this package: {train}"
        return Shown(wanted, None, why)
    try:
        result = embodied.evaluate(
            list(wanted.envs),
            wanted.agent,
            task=",".join(wanted.tasks) or None,
            episodes=wanted.episodes,
            steps=wanted.steps,
            out=out / wanted.name,
            options=wanted.options,
            listeners=[_Counter(told)],
        )
    except (MissingExtra, EnvironmentFailure) as error:
        return Shown(wanted, None, str(error))
    return Shown(wanted, result, result.stopped)


class _Counter:
    """A listener that counts ended episodes."""

    def __init__(self, told: Callable[[int], None]):
        self._told, self._ended = told, 0

    def started(self, spec: EpisodeSpec) -> None:
        pass

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        pass

    def ended(self, episode: Episode) -> None:
        self._ended += 1
        self._told(self._ended)

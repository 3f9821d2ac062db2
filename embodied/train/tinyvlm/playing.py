"""Episodes in lockstep: the expert's, and the student's own while the expert says what it should have done.

Environments run in this process, one step each in turn, so that the student answers for all of them in one batch.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from embodied import envs
from embodied.arrays import Pixels
from embodied.envs.base import LanguageEnv
from embodied.seeding import derive
from embodied.splits import Split, first_seed
from embodied.train.tinyvlm.lessons import Lessons, Notebook

Choose = Callable[[Sequence[Pixels], Sequence[list[int]]], list[str]]
"""Pictures and prefixes of several episodes -> an action for each."""


@dataclass(frozen=True)
class World:
    """What is practised."""

    env: str
    tasks: tuple[str, ...]
    variants: tuple[Mapping[str, Any], ...] = ({},)
    """Options of the environment; each episode draws one."""
    view: Mapping[str, Any] = field(default_factory=dict)
    """Options that say how pictures are drawn, when it learns and when it plays."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    """Further options, in practice alone."""
    expert: bool | str = True
    gives_up: str = ""
    """What the expert says when it knows nothing better: such a step is not a lesson."""
    shows: bool = True
    """Whether the environment says what its pictures show (`LanguageEnv.truth`)."""
    tiles: bool = True
    """Whether its pictures are made of a few different tiles."""


@dataclass
class Seat:
    """An episode in play."""

    env: LanguageEnv
    observation: dict[str, Any]
    goal: str
    task: str
    actions: list[str] = field(default_factory=list)
    progress: float = 0.0


class Room:
    """Makes environments, and uses them again."""

    def __init__(self, world: World):
        self.world = world
        self._free: dict[tuple[str, int], list[LanguageEnv]] = {}

    def seat(self, task: str, variant: int, seed: int) -> Seat:
        """Starts an episode of `world.variants[variant]`."""
        free = self._free.setdefault((task, variant), [])
        world = self.world
        options = {**world.view, **world.limits, **world.variants[variant]}
        env = free.pop() if free else envs.make(world.env, task, expert=world.expert, image=True, **options)
        observation, _ = env.reset(seed=seed)
        return Seat(env, observation, env.mission.goal, task)

    def leave(self, seat: Seat, variant: int) -> None:
        """Gives an environment back."""
        self._free[seat.task, variant].append(seat.env)


def lessons_of_expert(world: World, notebook: Notebook, episodes: int, seed: int, noise: Sequence[float]) -> Lessons:
    """Episodes of the train split. In each, one of `noise` is the chance that something else than the advice is done;
    the lesson is the advice all the same.
    """
    room, found = Room(world), Lessons()
    for index in range(episodes):
        rng = random.Random(derive(seed, "expert", index))
        task = world.tasks[index % len(world.tasks)]
        variant = rng.randrange(len(world.variants))
        seat = room.seat(task, variant, first_seed("train", seed, world.env, task) + index)
        chance, over = rng.choice(noise), False
        while not over:
            advice = seat.observation["expert"]
            _note(world, found, notebook, seat)
            over = _step(seat, rng.choice(notebook.built.actions) if rng.random() < chance else advice)
        room.leave(seat, variant)
    return found


@dataclass
class Played:
    """Episodes of a student."""

    scores: list[float]
    """The progress of each."""
    tasks: list[str]
    lessons: Lessons

    @property
    def score(self) -> float:
        """Mean progress."""
        return sum(self.scores) / len(self.scores)


def play(
    world: World,
    notebook: Notebook,
    choose: Choose,
    *,
    split: Split,
    seed: int,
    begin: int,
    each: int,
    teach: int = 0,
    noise: float = 0.0,
) -> Played:
    """Plays `each` episodes of every task together.

    Args:
        world: What is played.
        notebook: Turns steps into tokens.
        choose: The student.
        split: Of which episodes.
        seed: The suite seed.
        begin: The first episode's number within the split.
        each: Episodes of a task; their variants take turns.
        teach: Steps of each episode, from its first, that become lessons; a student that is lost repeats itself.
        noise: Chance of a random action in place of the student's.
    """
    room, lessons, rng = Room(world), Lessons(), random.Random(derive(seed, "student", split, begin))
    seats = [
        room.seat(task, index % len(world.variants), first_seed(split, seed, world.env, task) + begin + index)
        for task in world.tasks
        for index in range(each)
    ]
    playing = list(range(len(seats)))
    while playing:
        pictures = [seats[i].observation["image"] for i in playing]
        prefixes = [notebook.prefix(seats[i].goal, seats[i].actions) for i in playing]
        chosen = choose(pictures, prefixes)
        still = []
        for i, action in zip(playing, chosen, strict=True):
            seat = seats[i]
            if len(seat.actions) < teach:
                _note(world, lessons, notebook, seat)
            done = rng.choice(notebook.built.actions) if noise and rng.random() < noise else action
            if not _step(seat, done):
                still.append(i)
        playing = still
    return Played([seat.progress for seat in seats], [seat.task for seat in seats], lessons)


def _note(world: World, lessons: Lessons, notebook: Notebook, seat: Seat) -> None:
    advice, picture = seat.observation["expert"], np.asarray(seat.observation["image"])
    if advice == world.gives_up:
        return
    height, width, _ = picture.shape
    names, named = notebook.objects(seat.env.truth() if world.shows else (), (height, width))
    lessons.grids.append(notebook.patches.numbers(picture))
    lessons.prefixes.append(notebook.prefix(seat.goal, seat.actions))
    lessons.labels.append(notebook.built.number(advice))
    lessons.names.append(names)
    lessons.named.append(named)


def _step(seat: Seat, action: str) -> bool:
    """Executes an action. True when the episode is over."""
    seat.observation, _, terminated, truncated, info = seat.env.step(action)
    seat.actions.append(str(info["executed"]))
    seat.progress = float(info["progress"])
    return bool(terminated or truncated)

"""Which episodes the demo's page shows as films, and what it says of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from embodied.catalog import ENTRIES
from embodied.cli.demo.plays import LEARNER, Shown
from embodied.controls import OTHER_GOAL, control_of
from embodied.errors import DiskFull, EnvironmentFailure, StoreError, UsageError
from embodied.evaluation import Evaluation
from embodied.exchange.film import write_film
from embodied.quantities import counted, percent
from embodied.types import Episode

FPS = 4
MOST = 60
"""Pictures of a film."""
_BEST = ("putnext", "pick_up_seq_go_to", "open", "pickup", "goto")
"""BabyAI's tasks, those first that show the most."""


@dataclass(frozen=True)
class Film:
    """An episode to look at."""

    title: str
    goal: str
    """What the agent was told."""
    came_of_it: str
    gif: Path


def of_learners(shown: Iterable[Shown], folder: Path) -> list[Film]:
    """The same episode by the learner and by the learner without its picture or its instruction."""
    runs = [(s.play.title, s.result) for s in shown if s.play.agent == LEARNER and s.result is not None]
    own = next((run for _, run in runs if not control_of(run.record.config)), None)
    best = None if own is None else _best(own)
    if best is None:
        return []
    found = []
    for title, run in runs:
        same = (e for e in run.episodes if (e.spec.task.task, e.spec.seed) == (best.spec.task.task, best.spec.seed))
        found += [_film(title, run, episode, folder) for episode in same]
    return [film for film in found if film is not None]


def of_games(shown: Iterable[Shown], folder: Path) -> list[Film]:
    """An episode of each game; the expert's where there is one."""
    chosen: dict[str, tuple[str, Evaluation, Episode]] = {}
    for s in shown:
        for episode in s.result.episodes if s.result is not None else []:
            env = episode.spec.task.env
            chosen.setdefault(env, (f"{env}, {s.play.title}", s.result, episode)) if s.result is not None else None
    films = [_film(title, run, episode, folder) for title, run, episode in chosen.values()]
    return [film for film in films if film is not None]


def best_first(episodes: Iterable[Episode]) -> list[Episode]:
    """Solved ones first, then by how much the task shows."""

    def place(episode: Episode) -> tuple[bool, int]:
        kind = episode.spec.task.task.rpartition("/")[2]
        return not episode.success, _BEST.index(kind) if kind in _BEST else len(_BEST)

    return sorted(episodes, key=place)


def _best(run: Evaluation) -> Episode | None:
    return next(iter(best_first(run.episodes)), None)


def _film(title: str, run: Evaluation, episode: Episode, folder: Path) -> Film | None:
    """None where an episode cannot be shown: one without steps, or whose world cannot be made again."""
    path = folder / f"{run.folder.name}-{episode.spec.task.env}.gif"
    try:
        write_film(run.run, episode.spec.id, path, FPS, MOST)
    except DiskFull:
        raise
    except (StoreError, EnvironmentFailure, UsageError):
        return None
    goal = episode.mission.goal if episode.mission is not None else ""
    return Film(title, goal, _came_of_it(episode), path)


def _came_of_it(episode: Episode) -> str:
    steps = counted(episode.steps, "step")
    entry = ENTRIES.get(episode.spec.task.env)
    if episode.success:
        said = f"solved in {steps}"
    elif entry is not None and entry.name == "babyai":
        said = f"not solved in {steps}"
    else:
        said = f"{percent(episode.progress, 0)} after {steps}"
    own = (episode.info.get("control") or {}).get("own_goal") if episode.spec.task.control == OTHER_GOAL else None
    return f"{said}; the true instruction is: {own}" if own else said

"""The runner: plays every planned episode that has no score yet, and decides when going on makes no sense."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from embodied.agents.base import Agent
from embodied.rollout.environment import LocalEnvironment
from embodied.rollout.episode import run_episode
from embodied.store.run import SCORED, Run
from embodied.types import Episode, EpisodeSpec, Step

SAME_FAILURES = 3
"""After this many episodes in a row that failed with the same error, the run stops: the next would fail too."""


class Listener(Protocol):
    """Hears what happens, to show it. Called from the event loop; must return quickly."""

    def started(self, spec: EpisodeSpec) -> None: ...

    def stepped(self, spec: EpisodeSpec, step: Step) -> None: ...

    def ended(self, episode: Episode) -> None: ...


@dataclass(frozen=True)
class Result:
    """What a call of `run_all` did."""

    played: int
    skipped: int
    """Already scored before."""
    stopped: str = ""
    """Why the run stopped before its end; empty when it did not."""


def owed(run: Run, planned: Sequence[EpisodeSpec]) -> list[EpisodeSpec]:
    """The planned episodes that have no score: never played, or ended by a failure or a cancellation."""
    return [spec for spec in planned if (e := run.episode(spec.id)) is None or e.outcome not in SCORED]


async def run_all(run: Run, planned: Sequence[EpisodeSpec], make_agent: Callable[[EpisodeSpec], Agent], listener: Listener, concurrency: int = 1) -> Result:
    """Plays what is owed, at most `concurrency` episodes at a time.

    The run stops early, resumable by the same command, when the provider refuses (a bad key stays bad) or when
    `SAME_FAILURES` episodes in a row fail with the same error.

    Raises:
        StoreError: The run folder cannot be written.
        MissingExtra, UsageError: An environment or agent cannot be made.
    """
    waiting = owed(run, planned)
    todo = iter(waiting)
    failures: list[str] = []
    stopped = ""
    played = 0

    async def play_on() -> None:
        nonlocal stopped, played
        for spec in todo:
            if stopped:
                return
            listener.started(spec)
            episode = await _play(run, spec, make_agent(spec), listener)
            listener.ended(episode)
            played += 1
            failures.append(episode.error_kind and episode.error)
            if episode.error_kind == "ModelRefused":
                stopped = episode.error
            elif episode.error and failures[-SAME_FAILURES:] == [episode.error] * SAME_FAILURES:
                stopped = f"{SAME_FAILURES} episodes in a row ended with the same error: {episode.error}"

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(play_on())
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return Result(played=played, skipped=len(planned) - len(waiting), stopped=stopped)


async def _play(run: Run, spec: EpisodeSpec, agent: Agent, listener: Listener) -> Episode:
    env = LocalEnvironment(spec.task, run.blobs)
    try:
        return await run_episode(spec, env, agent, run.begin(spec), listener.stepped)
    finally:
        env.close()

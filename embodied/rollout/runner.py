"""The runner: plays every planned episode that has no score yet, and the branches of episodes. It decides when
continuing makes no sense.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from embodied.agents.base import Agent
from embodied.bounded import SAME_FAILURES, FailuresInARow, Places, Waiting, work_off
from embodied.correctors.base import Corrector
from embodied.errors import Rewound, UsageError, WorkersLost
from embodied.rollout.branching import Begun, branches_of, can_be_told, connected
from embodied.rollout.channel import Channel
from embodied.rollout.episode import run_episode
from embodied.rollout.worlds.workers import Pool
from embodied.store.run import EpisodeWriter, Run
from embodied.types import Episode, EpisodeSpec, Step

_NUMBERS = re.compile(r"\d+(\.\d+)?")
"""Seconds and counts do not make two errors different."""
_LOST = re.compile(r" lost \d+ worker processes, the last in ")
UNANSWERED = {"a setting": 3, "no pictures": 3}
"""Why a prompt was refused -> how many episodes in a row stop the run. It counts episodes that were refused at their
first call, while no call of the run was ever answered: then the provider refuses all prompts, not this one.
"""
UNANSWERED_ELSE = 10
"""For the other reasons, which are about one prompt and may still hit several in a row."""
STOPPING = ("ModelRefused", "BudgetSpent")
"""Errors after which no other episode can do better."""


class Listener(Protocol):
    """Hears what happens, to show it. Called from the event loop; must return quickly."""

    def started(self, spec: EpisodeSpec) -> None: ...

    def stepped(self, spec: EpisodeSpec, step: Step) -> None: ...

    def ended(self, episode: Episode) -> None: ...


class Listeners:
    """Several listeners as one."""

    def __init__(self, listeners: Iterable[Listener]):
        self._all = tuple(listeners)

    def started(self, spec: EpisodeSpec) -> None:
        for listener in self._all:
            listener.started(spec)

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        for listener in self._all:
            listener.stepped(spec, step)

    def ended(self, episode: Episode) -> None:
        for listener in self._all:
            listener.ended(episode)


class OfThePlan:
    """A listener that tells another one of planned episodes only: of branches it hears nothing."""

    def __init__(self, listener: Listener):
        self._listener = listener

    def started(self, spec: EpisodeSpec) -> None:
        if not isinstance(spec.parent, str):
            self._listener.started(spec)

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        if not isinstance(spec.parent, str):
            self._listener.stepped(spec, step)

    def ended(self, episode: Episode) -> None:
        if not isinstance(episode.spec.parent, str):
            self._listener.ended(episode)


@dataclass(frozen=True)
class Result:
    """What a call of `run_all` did."""

    played: int
    """Planned episodes that ended."""
    skipped: int
    """Already scored before."""
    stopped: str = ""
    """Why the run stopped before its end; empty when it did not."""
    interrupted: bool = False
    """Whether it was told to stop."""
    elsewhere: int = 0
    """Left to another process, which was playing them."""
    branches: int = 0
    """Branches that ended."""


def owed(run: Run, planned: Sequence[EpisodeSpec]) -> list[EpisodeSpec]:
    """The planned episodes that are not over: first those that were not given up, then those that failed, then those
    that were refused. Behind them, in the same order, come their branches that are not over.
    """

    def waiting(specs: Sequence[EpisodeSpec]) -> list[EpisodeSpec]:
        left = (spec for spec in specs if not run.over(spec.id))
        return sorted(left, key=lambda spec: _given_up(run.result(spec.id)))

    return [*waiting(planned), *waiting(branches_of(run, {spec.id for spec in planned}))]


def _given_up(episode: Episode | None) -> int:
    """How late an episode is its turn again."""
    if episode is None or episode.outcome == "cancelled" or episode.error_kind in STOPPING:
        return 0
    return 2 if episode.outcome == "refused" else 1


class _Refusals:
    """Counts episodes in a row whose first call was refused, as long as no call of the run was ever answered."""

    def __init__(self, answered: bool):
        self._answered = answered
        self._row: list[str] = []

    def enough(self, episode: Episode) -> bool:
        """Takes in how an episode ended. True when the next would be refused too."""
        self._answered = self._answered or episode.steps > 0
        if self._answered or episode.outcome == "cancelled":
            return False
        self._row = [*self._row, episode.end_reason] if episode.outcome == "refused" else []
        most = UNANSWERED.get(episode.end_reason, UNANSWERED_ELSE)
        return len(self._row) >= most and len(set(self._row[-most:])) == 1


class _GoingOn:
    """Decides, from how episodes ended, when going on makes no sense."""

    def __init__(self, answered: bool):
        self._refusals = _Refusals(answered)
        self._failures = FailuresInARow()

    def reason_to_stop(self, episode: Episode) -> str:
        """Takes in how an episode ended. Returns why no other may begin; empty to continue."""
        if episode.error_kind == Rewound.__name__:
            return ""
        refused = self._refusals.enough(episode)
        if episode.outcome == "refused":  # it is about its prompt, not about the next one
            return f"The first episodes were all refused: {episode.error}" if refused else ""
        failed = self._failures.enough(_NUMBERS.sub("#", episode.error))
        if episode.error_kind in STOPPING:
            return episode.error
        return f"{SAME_FAILURES} episodes in a row ended with the same error: {episode.error}" if failed else ""


async def run_all(
    run: Run,
    planned: Sequence[EpisodeSpec],
    make_agent: Callable[[EpisodeSpec], Agent],
    pool: Pool,
    listener: Listener,
    concurrency: int = 1,
    stopping: asyncio.Event | None = None,
    make_corrector: Callable[[EpisodeSpec], Corrector | None] = lambda spec: None,
    channels: Callable[[EpisodeSpec], Channel | None] = lambda spec: None,
    sentences: str = "off",
) -> Result:
    """Plays what is owed, at most `concurrency` episodes at a time, besides those that wait for a person. A branch that
    somebody begins meanwhile comes next.

    An episode that was killed, cancelled, failed by its model or lost its workers continues after its last recorded
    step. One whose simulator failed, or whose record can no longer be repeated, begins again. Episodes that were given
    up come last. The run stops early in three cases: the model can answer no call (a bad key, a spent budget),
    `SAME_FAILURES` episodes in a row fail with the same error, or the first episodes of a run are all refused for the
    same reason (`UNANSWERED`). The same command resumes it. A refused prompt stops nothing else.

    Args:
        stopping: Once it is set, episodes in flight end after their present step, and no other begins.
        make_corrector: Makes who corrects the agent of an episode; None where nobody does.
        channels: What a person tells an episode; None for one that nobody can reach. Called when the episode begins;
            a branch is an episode of its own.
        sentences: What looks up the meaning of corrections (`corrector.sentences`).

    Raises:
        StoreError: The run folder cannot be written.
        MissingExtra, UsageError: An environment or agent cannot be made, or `concurrency` is below 1.
    """
    if concurrency < 1:
        raise UsageError(
            f"run.concurrency is the number of episodes in flight and must be at least 1, not {concurrency}."
        )
    stopping = stopping or asyncio.Event()
    waiting = Waiting(owed(run, planned))
    skipped = sum(run.scored(spec.id) for spec in planned)
    going_on = _GoingOn(any((before := run.result(spec.id)) is not None and before.steps > 0 for spec in planned))
    played = elsewhere = branches = 0
    places = Places(concurrency)

    async def play(spec: EpisodeSpec) -> str:
        nonlocal played, elsewhere, branches
        agent, corrector = make_agent(spec), make_corrector(spec)
        writer = _claim(run, spec, agent, corrector)
        if writer is None:
            elsewhere += 1
            return ""
        channel = connected(run, spec, channels(spec), can_be_told(agent, corrector), waiting.add)
        listener.started(spec)
        channel = _giving_place(channel, places)
        episode = await _play(run, spec, agent, writer, pool, listener, stopping, corrector, channel, sentences)
        listener.ended(episode)
        if isinstance(spec.parent, str):
            branches += 1
        else:
            played += 1
        return going_on.reason_to_stop(episode)

    stopped = await work_off(waiting, play, places, stopping)
    return Result(played, skipped, stopped, stopping.is_set(), elsewhere, branches)


def _giving_place(channel: Channel | None, places: Places) -> Channel | None:
    """`channel`, whose episode from now on gives its place to another one while it waits for a person."""
    if channel is not None:
        before = channel.thinking

        def thinking(goes_on: bool) -> None:
            before(goes_on)
            (places.take_back if goes_on else places.give)()

        channel.thinking = thinking
    return channel


def _claim(run: Run, spec: EpisodeSpec, agent: Agent, corrector: Corrector | None) -> EpisodeWriter | None:
    """Takes the episode in hand. It begins again if repeating it may fail again, or if the agent or its corrector
    cannot be told what it did.
    """
    before = run.result(spec.id)
    failed = before is not None and before.outcome == "infra_failure" and not _lost_workers(before)
    return run.claim(spec, again=failed or not can_be_told(agent, corrector))


def _lost_workers(before: Episode) -> bool:
    """Whether the record is good. Runs from before that error had its own name have its words."""
    return before.error_kind == WorkersLost.__name__ or bool(_LOST.search(before.error))


async def _play(
    run: Run,
    spec: EpisodeSpec,
    agent: Agent,
    writer: EpisodeWriter,
    pool: Pool,
    listener: Listener,
    stopping: asyncio.Event,
    corrector: Corrector | None,
    channel: Channel | None,
    sentences: str,
) -> Episode:
    env = pool.environment(spec.task, run.blobs)
    try:
        anew = bool(run.record.branched) and next(writer.recorded(), None) is None
        begun = Begun.of(run, spec, anew)
        return await run_episode(
            spec, env, agent, writer, listener.stepped, stopping, corrector, channel, sentences, begun
        )
    finally:
        if stopping.is_set():
            pool.hurry()
        writer.close()
        await env.close()

"""Replay: executing a record again and comparing what the environment answers, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from embodied.blobs import MemoryBlobs
from embodied.errors import EnvironmentFailure, StoreError
from embodied.rollout.worlds.environment import Answer
from embodied.rollout.worlds.workers import Pool
from embodied.store.events import cut_at
from embodied.store.run import Run
from embodied.types import EpisodeSpec, Step


def difference(step: Step, answer: Answer) -> str:
    """How `answer` differs from the recorded `step`, in words; empty when they agree."""
    pairs = {
        "observation": (step.next_hash, answer.hash),
        "reward": (step.reward, answer.reward),
        "terminated": (step.terminated, answer.terminated),
        "truncated": (step.truncated, answer.truncated),
        "progress": (step.progress, answer.progress),
    }
    differing = next((name for name, (recorded, now) in pairs.items() if recorded != now), "")
    return (
        differing
        if differing in ("", "observation")
        else f"{differing} ({pairs[differing][0]} is recorded, {pairs[differing][1]} came)"
    )


@dataclass(frozen=True)
class Verdict:
    """What replaying an episode showed."""

    spec: EpisodeSpec
    steps: int
    """Steps that agreed."""
    difference: str = ""
    """Where the first difference is and in what; empty when all agreed."""
    left_out: str = ""
    """Why it was not compared at all (an imported record that lacks too much); empty when it was."""


ReplayOne = Callable[[Run, EpisodeSpec, Pool], Awaitable[Verdict]]


async def replay_all(
    run: Run,
    specs: Sequence[EpisodeSpec],
    workers: int,
    show: Callable[[Verdict], None],
    replay_one: ReplayOne | None = None,
) -> None:
    """Replays episodes, two at a time for every worker, and shows each verdict as it comes.

    Args:
        replay_one: How one is replayed; `replay` by default. Imported records need a way of their own.
    """
    todo = iter(specs)
    replay_one = replay_one or replay

    async def replay_on() -> None:
        for spec in todo:
            show(await replay_one(run, spec, pool))

    async with Pool(workers) as pool:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(2 * workers, len(specs))):
                    group.create_task(replay_on())
        except ExceptionGroup as several:
            raise several.exceptions[0] from None


async def replay(run: Run, spec: EpisodeSpec, pool: Pool) -> Verdict:
    """Executes an episode's seed and recorded actions again, up to the first difference, or where the record is
    damaged.
    """
    env = pool.environment(spec.task, MemoryBlobs())
    steps, episode, damage = 0, None, ""
    try:
        episode = run.episode(spec.id)
    except StoreError as error:
        damage = f"the record is damaged: {error}"
    try:
        start = await env.reset(spec.seed)
        if episode is not None and episode.first_hash not in ("", start.hash):
            return Verdict(spec, 0, "reset: another observation")
        for step in run.steps(spec.id):
            what = difference(step, await env.step(step.executed, cut_at(step)))
            if what:
                return Verdict(spec, steps, f"step {step.index}: another {what}")
            steps += 1
        if episode is not None and episode.steps != steps:
            damage = f"the record is damaged: its result counts {episode.steps} steps"
        return Verdict(spec, steps, damage)
    except EnvironmentFailure as failure:
        return Verdict(spec, steps, f"step {steps}: {failure}")
    except StoreError as error:
        return Verdict(spec, steps, f"the record is damaged: {error}")
    finally:
        await env.close()

"""Replays of BALROG's records: compares what they hold, and says what they lack.

A record holds the text after every action, rewards, the flag `Done`, and the progression at the end. It lacks the first
observation, status and pictures, progress on the way, which TextWorld game was played, and how pages of NetHack's
messages were joined: there every possibility is tried.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from embodied.blobs import MemoryBlobs
from embodied.errors import EnvironmentFailure, StoreError
from embodied.games.nethack.raw import wheel
from embodied.rollout.replay import Verdict
from embodied.rollout.worlds.environment import Answer
from embodied.rollout.worlds.workers import Pool
from embodied.store.run import Run
from embodied.types import Episode, EpisodeSpec, Observation, Step, TaskSpec

COMPARED = (
    "Imported: text, reward and end of every step are compared, and the progression at the end. The record has neither"
    " the first observation nor status, pictures or progress on the way."
)
_CLOSE = 1e-9
"""Rewards and progressions of a CSV and a JSON file are equal up to this."""


async def replay_imported(run: Run, spec: EpisodeSpec, pool: Pool, data: Path | None = None) -> Verdict:
    """Executes an imported episode's seed and recorded actions again, up to the first difference.

    Args:
        run: A run made by `embodied import balrog`.
        spec: One of its episodes, with steps.
        pool: Where environments live.
        data: Folder with the published TextWorld games (`<data>/<task>/*.ulx` or `*.z8`).

    Returns:
        The verdict of the possibility that agreed furthest; `left_out` says why an episode cannot be compared.
    """
    try:
        episode = run.episode(spec.id)
    except StoreError as error:
        return Verdict(spec, 0, f"the record is damaged: {error}")
    if episode is None:
        return Verdict(spec, 0, left_out="it has no result")
    if reason := _missing(spec, episode, data):
        return Verdict(spec, 0, left_out=reason)
    try:
        steps = list(run.steps(spec.id))
    except StoreError as error:
        return Verdict(spec, 0, f"the record is damaged: {error}")
    if not steps:
        return Verdict(spec, 0, left_out="its record holds no steps")
    best = Verdict(spec, -1)
    for task, seed in _possibilities(spec, data or Path()):
        verdict = await _replay(spec, task, seed, episode, steps, pool)
        if not verdict.difference:
            return verdict
        best = max(best, verdict, key=lambda v: v.steps)
    return best


def _missing(spec: EpisodeSpec, episode: Episode, data: Path | None) -> str:
    """The facts that a comparison needs and does not have; empty if nothing is missing."""
    env = spec.task.env
    if env == "crafter":
        return "Crafter's worlds do not come from the recorded seed, and BALROG's Crafter never goes the same way twice"
    if env == "textworld":
        return (
            ""
            if data
            else "the record does not say which game was played; give the folder of the published games with --data"
        )
    if (episode.info.get("balrog") or {}).get("seed") is None:
        return "the record has no seed"
    if "Boxoban" in spec.task.task:
        return "the record does not say which Boxoban level was played"
    if env in ("nethack", "minihack") and not wheel().startswith("balrog-nle"):
        return (
            f"BALROG recorded it on NetHack 3.6.6 (balrog-nle 0.9), here is {wheel()}; install balrog-nle in an"
            " environment of its own"
        )
    return ""


def _possibilities(spec: EpisodeSpec, data: Path) -> Iterator[tuple[TaskSpec, int]]:
    """Every way in which the episode may have been begun: the task and the seed."""
    task = spec.task
    options = {key: value for key, value in task.kwargs.items() if key != "image"}  # pictures are not in the record
    if len(options) < len(task.kwargs) and task.env in ("nethack", "minihack"):
        options["text"] = "language"  # what BALROG shows beside a picture
    if task.env == "textworld":
        from embodied.games.textworld.games import folder

        # with `data` the seed chooses among the files, and does nothing else
        for number in range(len(folder(data, task.task))):
            yield replace(task, kwargs={**options, "data": str(data.resolve())}), number
    elif task.env == "nethack":
        for joiner in ("newline", "space"):
            yield replace(task, kwargs={**options, "more_joiner": joiner}), spec.seed
    else:
        yield replace(task, kwargs=options), spec.seed


async def _replay(
    spec: EpisodeSpec, task: TaskSpec, seed: int, episode: Episode, steps: list[Step], pool: Pool
) -> Verdict:
    env = pool.environment(task, MemoryBlobs())
    agreed = 0
    try:
        await env.reset(seed)
        for step, seen in zip_longest(steps, steps[1:]):
            after = seen.observation if seen is not None else episode.last or Observation("")
            answer = await env.step(step.executed)
            what = _difference(step, after, answer)
            if not what and seen is None and not _equal(episode.progress, answer.progress):
                what = f"progression ({episode.progress} is recorded, {answer.progress} came)"
            if what:
                return Verdict(spec, agreed, f"step {step.index}: another {what}")
            agreed += 1
        return Verdict(spec, agreed)
    except EnvironmentFailure as failure:
        return Verdict(spec, agreed, f"step {agreed}: {failure}")
    finally:
        await env.close()


def _difference(step: Step, after: Observation, answer: Answer) -> str:
    """How `answer` differs from the record, in words; empty when they agree."""
    if after.text != answer.observation.text:
        return "text"
    if not math.isclose(step.reward, answer.reward, abs_tol=_CLOSE):
        return f"reward ({step.reward} is recorded, {answer.reward} came)"
    done = answer.terminated or answer.truncated
    return f"end ({step.terminated} is recorded, {done} came)" if step.terminated != done else ""


def _equal(recorded: float | None, now: float | None) -> bool:
    return recorded == now or (recorded is not None and now is not None and math.isclose(recorded, now, abs_tol=_CLOSE))

"""Frames between decisions: watching changes nothing, interruptions repeat, workers show them."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import numpy as np
import pytest

from embodied.blobs import MemoryBlobs, decode_png
from embodied.envs import make
from embodied.envs.check import check
from embodied.rollout.worlds.environment import LocalEnvironment
from embodied.rollout.worlds.watching import WAITING, Projector, Shown, Watcher
from embodied.rollout.worlds.workers import Pool
from embodied.types import TaskSpec
from tests.envs.timed import Kettle

NAME = "gym:tests.envs.timed:Kettle-v0"
PLAYED = [("heat", None), ("heat", 1), ("rest", 7), ("heat", None)]
"""Actions, and where each is interrupted; 7 is behind the last frame."""


def essence(answers):
    return [(a.observation, a.hash) for a in answers], [(a.reward, a.terminated, a.frames) for a in answers[1:]]


def test_the_contract_is_kept():
    assert check(Kettle).ok, check(Kettle)


def test_a_step_runs_through_its_frames_and_draws_none(tmp_path):
    env = Kettle(str(tmp_path / "drawn"))
    env.reset(seed=0)
    assert env.step("heat")[0]["text"] == "14 degrees after 4 seconds."
    assert env.frames == 3 and not (tmp_path / "drawn").exists()


def test_frames_are_drawn_in_their_moment():
    env, seen = Kettle(), []
    env.reset(seed=0)
    env.step("heat", watch=lambda frame: seen.append((frame.seconds, int(frame.draw()[0, 0, 0]))))
    assert seen == [(1.0, 11), (1.0, 12), (1.0, 13)]


@pytest.mark.parametrize(("at", "seconds", "frames"), [(0, 1, 1), (2, 3, 3), (3, 4, 3), (None, 4, 3)])
def test_an_interruption_ends_the_step_behind_its_frame(at, seconds, frames):
    env = Kettle()
    env.reset(seed=0)
    assert env.step("heat", interrupt_at=at)[0]["text"] == f"{10 + seconds} degrees after {seconds} seconds."
    assert env.frames == frames


def test_a_snapshot_repeats_interruptions():
    env, other = Kettle(), Kettle()
    env.reset(seed=0)
    env.step("heat")
    before = env.step("heat", interrupt_at=1)[0]
    assert env.snapshot().interrupts == ((1, 1),)
    assert other.restore(env.snapshot()) == before


class Loud(Watcher):
    """Raises at the first frame."""

    def show(self, shown):
        raise RuntimeError("no screen")


async def away(task: TaskSpec, watcher: Watcher | None = None, kill: int | None = None):
    async with Pool(1) as pool:
        env = pool.environment(task, MemoryBlobs())
        env.watcher = watcher
        answers = [await env.reset(3)]
        for number, (action, at) in enumerate(PLAYED):
            if number == kill:
                os.kill(pool.workers()[0].pid, signal.SIGKILL)
            answers.append(await env.step(action, interrupt_at=at))
        if watcher is not None:  # frames may come behind the answer
            for _ in range(100):
                await asyncio.sleep(0.05)
                if len(watcher._waiting) == sum(a.frames for a in answers[1:]):
                    break
        await env.close()
        return answers


def here(task: TaskSpec):
    env = LocalEnvironment(task, MemoryBlobs())
    return [env.reset(3), *(env.step(action, interrupt_at=at) for action, at in PLAYED)]


def test_a_worker_answers_the_same_watched_or_not_and_after_it_was_lost(tmp_path):
    task = TaskSpec(NAME, "", {"drawn": str(tmp_path / "drawn")})
    expected, watcher = essence(here(task)), Watcher()
    assert [frames for *_, frames in expected[1]] == [3, 2, 3, 3]
    assert essence(asyncio.run(away(task))) == expected
    assert essence(asyncio.run(away(task, kill=3))) == expected  # the interruptions are repeated too
    assert not (tmp_path / "drawn").exists()
    assert essence(asyncio.run(away(task, watcher))) == expected
    shown = watcher.take()
    assert [(s.step, s.frame) for s in shown] == [
        (n, k) for n, frames in enumerate([3, 2, 3, 3]) for k in range(frames)
    ]
    assert [int(decode_png(s.png)[0, 0, 0]) for s in shown[:5]] == [14, 15, 16, 18, 19]
    assert {s.seconds for s in shown} == {1.0} and watcher.take() == []


def test_a_watcher_that_fails_stops_nobody():
    task = TaskSpec(NAME, "")
    assert essence(asyncio.run(away(task, Loud()))) == essence(here(task))


def test_frames_that_nobody_takes_are_dropped_and_not_drawn(tmp_path):
    """The sender waits for ever; steps do not."""
    held: list[bytes] = []
    never = threading.Event()
    projector = Projector(lambda data: (held.append(data), never.wait()))
    env = LocalEnvironment(TaskSpec(NAME, "", {"drawn": str(tmp_path / "drawn")}), MemoryBlobs())
    env.reset(3)
    for number in range(20):
        assert env.step("rest", watch=projector.watch(0, number)).frames == 3
    assert (tmp_path / "drawn").stat().st_size <= WAITING + 1
    never.set()


def test_a_watcher_keeps_the_newest():
    watcher = Watcher()
    for number in range(WAITING + 5):
        watcher.show(Shown(0, 0, number, 1.0, b""))
    assert [s.frame for s in watcher.take()] == list(range(5, WAITING + 5))


# --------------------------------------------------------------------------- corner_case_drive


def test_the_ticks_of_a_drive_are_frames():
    env, other = (make("corner_case_drive", width=160) for _ in range(2))
    assert env.reset(seed=2)[0] == other.reset(seed=2)[0]
    pictures = []
    for action in ("maintain", "slow"):
        one = env.step(action, watch=lambda frame: pictures.append(frame.draw()))
        assert one == other.step(action) and env.frames == other.frames == 4
    assert {p.shape for p in pictures} == {(90, 160, 3)} and len({p.tobytes() for p in pictures}) == 8


def test_an_interrupted_drive_is_asked_again_at_that_tick():
    env = make("corner_case_drive")
    env.reset(seed=2)
    once = env.step("maintain", interrupt_at=1)
    assert once[-1]["metrics"]["hazard_seconds" if "hazard_seconds" in once[-1]["metrics"] else "clear_seconds"] == 0.2
    env.step("maintain", interrupt_at=2)
    twice = env.restore(env.snapshot())
    other = make("corner_case_drive")
    other.reset(seed=2)
    assert twice["text"] == other.step("maintain")[0]["text"]  # 2 and 3 ticks are 5
    assert np.isclose(once[1], 0)

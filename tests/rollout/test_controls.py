"""Environments under a control: what the agent is shown, what stays, and what is recorded of it."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from embodied import envs
from embodied.agents import AgentConfig
from embodied.blobs import MemoryBlobs, decode_png
from embodied.controls import BLACK, CONTROLS, OTHER_GOAL, TWIN
from embodied.errors import NoControl, StoreError, UsageError
from embodied.request import Request
from embodied.rollout.worlds.environment import LocalEnvironment, Start, check_environment
from embodied.session import prepare
from embodied.splits import SPLITS, another_seed, first_seed
from embodied.store.codec import encode
from embodied.store.run import Run
from embodied.types import TaskSpec
from tests.rollout.playing import Hashing, content, make_run, play
from tests.rollout.test_replay import verdicts

GOTO = TaskSpec("babyai", "BabyAI-MixedTrainLocal-v0/goto", {"image": True})
TURNS = ["turn left", "turn left", "go forward", "turn right"]


class World:
    """A `LocalEnvironment` whose pictures can be looked at."""

    def __init__(self, task: TaskSpec):
        self._blobs = MemoryBlobs()
        self._env = LocalEnvironment(task, self._blobs)

    def play(self, seed: int, actions: list[str]) -> tuple[Start, list[tuple[str, np.ndarray]], list[float | None]]:
        """The start; text and picture of each observation; and the progress after each action."""
        start = self._env.reset(seed)
        answers = [self._env.step(action) for action in actions]
        seen = [o for o in (start.observation, *(a.observation for a in answers))]
        self._env.close()
        return start, [(o.text, self._picture(o.image.digest)) for o in seen], [a.progress for a in answers]

    def _picture(self, digest: str) -> np.ndarray:
        return decode_png(self._blobs.get(digest))


def test_a_black_picture_has_the_size_of_the_picture_and_the_text_stays():
    _, own, progress = World(GOTO).play(5, TURNS)
    start, black, same = World(replace(GOTO, control=BLACK)).play(5, TURNS)
    assert [text for text, _ in black] == [text for text, _ in own] and same == progress
    assert all(not picture.any() and picture.shape == own[0][1].shape for _, picture in black)
    assert start.info["control"] == {"name": BLACK}


def test_a_shuffled_picture_is_of_another_episode_in_which_the_same_is_done():
    plain, own, progress = World(GOTO).play(5, TURNS)
    start, shown, same = World(replace(GOTO, control=TWIN)).play(5, TURNS)
    _, twin, _ = World(GOTO).play(start.info["control"]["seed"], TURNS)
    assert [text for text, _ in shown] == [text for text, _ in own] and same == progress
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(shown, twin, strict=True))
    assert start.mission == plain.mission and start.hash != plain.hash


def test_the_last_picture_of_a_twin_that_has_ended_stays():
    env = LocalEnvironment(replace(GOTO, control=TWIN), MemoryBlobs())
    for seed in range(5, 30):
        twin = envs.make(GOTO.env, GOTO.task, expert=True)
        observation, _ = twin.reset(seed=env.reset(seed).info["control"]["seed"])
        ended = over = False
        while not ended and not over:
            answer = env.step(observation["expert"])
            observation, _, ended, _, _ = twin.step(answer.executed)
            over = answer.terminated or answer.truncated
        if not over:
            break
    pictures = {env.step(action).observation.image.digest for action in ("turn left", "turn right", "turn right")}
    assert ended and pictures == {answer.observation.image.digest}


def test_a_shuffled_instruction_is_that_of_another_episode():
    plain, own, progress = World(GOTO).play(5, TURNS)
    start, shown, same = World(replace(GOTO, control=OTHER_GOAL)).play(5, TURNS)
    about = start.info["control"]
    other, *_ = World(GOTO).play(about["seed"], [])
    assert start.mission.goal == other.mission.goal != plain.mission.goal == about["own_goal"]
    assert replace(start.mission, goal="") == replace(plain.mission, goal="") and same == progress
    assert all(a == c and np.array_equal(b, d) for (a, b), (c, d) in zip(shown, own, strict=True))


def test_a_control_that_says_nothing_is_refused():
    baba = TaskSpec("babaisai", "env/goto_win", {"image": True})
    with pytest.raises(NoControl, match="32 other episodes have the same instruction"):
        check_environment(replace(baba, control=OTHER_GOAL))
    for control in CONTROLS:
        check_environment(replace(GOTO, control=control))
    for control in (BLACK, TWIN):
        check_environment(replace(baba, control=control))


@pytest.mark.parametrize("split", SPLITS)
def test_another_episode_is_of_the_same_split(split):
    ranges = {"test": range(1 << 30), "train": range(1 << 30, 2 << 30), "dev": range(2 << 30, 3 << 30)}
    first = first_seed(split, 0, GOTO.env, GOTO.task)
    others = {another_seed(first + index, "x", attempt) for index in range(20) for attempt in range(20)}
    assert len(others) == 400 and all(other in ranges[split] for other in others)


@pytest.mark.parametrize("control", CONTROLS)
def test_the_same_bytes_with_any_number_of_workers_and_in_a_replay(tmp_path, control):
    task = TaskSpec(GOTO.env, GOTO.task, {"max_steps": 5, "image": True}, control)
    found = []
    for workers in (1, 2):
        run, specs = make_run(tmp_path / str(workers), 4, task)
        play(run, specs, AgentConfig(policy="naive"), Hashing(), workers, workers)
        found.append(content(run.root))
    assert found[0] == found[1]
    assert [(v.steps, v.difference) for v in verdicts(run)] == [(run.episode(s.id).steps, "") for s in specs]


def test_without_a_control_nothing_is_another_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert b"control" not in encode(GOTO)
    assert msgspec.json.decode(encode(replace(GOTO, control=TWIN)), type=TaskSpec).control == TWIN

    def job(*words: str, out: str | None = None):
        return prepare(Request("random", ("babyai",), task="goto", episodes=1, image=True, out=out, words=words))

    plain = job()
    assert job("run.control=none").record.identity == plain.record.identity
    under = [job(f"run.control={control}") for control in CONTROLS]
    assert len({j.record.identity for j in (plain, *under)}) == 4 == len({j.root for j in (plain, *under)})
    assert len({j.specs[0].id for j in (plain, *under)}) == 4
    assert {j.specs[0].seed for j in under} == {plain.specs[0].seed}
    Run.create(plain.root, plain.record)
    with pytest.raises(StoreError, match=r"run\.control is 'none' there and 'black_picture' here"):
        job("run.control=black_picture", out=str(plain.root))
    with pytest.raises(UsageError, match="no control named 'dark'"):
        job("run.control=dark")

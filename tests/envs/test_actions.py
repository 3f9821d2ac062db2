"""Actions that change from step to step: validity, records, hashes, workers, vector environments, agents."""

from __future__ import annotations

import asyncio

import gymnasium
import msgspec
import pytest

from embodied.agents.vocabulary import present
from embodied.blobs import MemoryBlobs
from embodied.envs.check import check
from embodied.envs.spaces import Choice, FreeText, Phrases
from embodied.rollout.worlds.environment import LocalEnvironment, observation_hash
from embodied.rollout.worlds.workers import Pool
from embodied.store.codec import decode, encode
from embodied.types import Mission, Observation, TaskSpec
from tests.agents.play import Replies, act, make
from tests.envs.changing import ACTIONS, Shelf

TASK = TaskSpec("gym:tests.envs.changing:Shelf-v0", "")
PLAYED = ["wait", "take cup", "take cup", "take lamp"]
MISSION = Mission("Clear the shelf.", ACTIONS, default_action="wait")
LEFT = Observation("On the shelf: lamp.", actions=("wait", "take lamp"))


def test_the_contract_is_kept():
    assert check(Shelf).ok, check(Shelf)


def test_what_cannot_be_chosen_now_is_not_valid():
    env = Shelf()
    assert env.reset(seed=0)[0]["actions"] == tuple(ACTIONS)
    observation, *_, info = env.step("take cup")
    assert observation["actions"] == ("wait", "take lamp") and info["valid"]
    observation, *_, info = env.step("take cup")
    assert (info["valid"], info["executed"], observation["text"]) == (False, "wait", "On the shelf: lamp.")
    observation, _, terminated, *_ = env.step("take lamp")
    assert terminated and observation["actions"] == tuple(ACTIONS)


def test_a_snapshot_brings_the_actions_back():
    env, other = Shelf(), Shelf()
    env.reset(seed=0)
    env.step("take cup")
    assert other.restore(env.snapshot())["actions"] == ("wait", "take lamp")
    assert other.step("take cup")[-1]["valid"] is False


def test_records_and_hashes_mention_only_what_changed():
    env = LocalEnvironment(TASK, MemoryBlobs())
    start = env.reset(0)
    assert start.observation.actions is msgspec.UNSET and b"actions" not in encode(start.observation)
    assert start.hash == observation_hash({"text": start.observation.text})
    answer = env.step("take cup")
    assert answer.observation.actions == ("wait", "take lamp")
    assert answer.hash != observation_hash({"text": answer.observation.text})
    line = encode(answer.observation)
    assert decode(line, Observation, "here") == answer.observation


def test_a_worker_answers_as_the_environment_does_here():
    here = LocalEnvironment(TASK, MemoryBlobs())
    expected = [here.reset(0), *map(here.step, PLAYED)]

    async def away():
        async with Pool(1) as pool:
            env = pool.environment(TASK, MemoryBlobs())
            answers = [await env.reset(0)]
            for action in PLAYED:
                answers.append(await env.step(action))
            await env.close()
            return answers

    answers = asyncio.run(away())
    assert [(a.observation, a.hash) for a in answers] == [(a.observation, a.hash) for a in expected]
    assert [a.valid for a in answers[1:]] == [True, True, False, True]


@pytest.mark.parametrize("shared", [True, False])
def test_vector_environments_carry_the_actions(shared):
    together = gymnasium.make_vec(
        "Shelf-v0", num_envs=2, vectorization_mode="async", vector_kwargs={"shared_memory": shared}
    )
    try:
        first, _ = together.reset(seed=[0, 1])
        assert tuple(first["actions"]) == (tuple(ACTIONS), ("wait", "take cup"))
        second, *_, info = together.step(["take cup", "take lamp"])
        assert tuple(second["actions"]) == (("wait", "take lamp"), ("wait", "take cup"))
        assert list(info["valid"]) == [True, False]
        assert first["actions"][0] == tuple(ACTIONS) and isinstance(first["actions"], tuple)  # a copy, not a view
    finally:
        together.close()


@pytest.mark.parametrize("of", [Choice(ACTIONS), FreeText()])
def test_samples_lie_in_the_space(of):
    space, other = Phrases(of, seed=3), Phrases(of, seed=3)
    space.seed(5)
    other.seed(5)
    samples = [space.sample() for _ in range(20)]
    assert all(space.contains(s) for s in samples) and samples == [other.sample() for _ in range(20)]
    assert not space.contains(("wait", "wait")) and not space.contains("wait")


# --------------------------------------------------------------------------- agents


def test_glosses_are_the_missions():
    assert present(MISSION, Observation("")) is MISSION
    assert present(MISSION, LEFT).actions == {"wait": "do nothing", "take lamp": "take the lamp"}


def test_a_model_is_told_and_its_answer_is_read_by_the_step():
    model = Replies("take lamp", "take cup", "take cup")
    agent = make("naive", MISSION, model)
    assert act(agent, LEFT).action == "take lamp"
    asked = model.asked[0][0][-1].parts[0].text
    assert "The actions you can choose from now: wait, take lamp.\n\nAnswer with one of the actions" in asked
    assert not act(agent, LEFT).parsed
    assert act(agent, Observation("On the shelf: cup, lamp.", step=2)).action == "take cup"
    assert "choose from now" not in model.asked[2][0][-1].parts[0].text


def test_chance_chooses_from_the_step_alone_and_repeats():
    one, other = make("random", MISSION), make("random", MISSION)
    drawn = [act(one, LEFT).action for _ in range(30)]
    assert set(drawn) == set(LEFT.actions) and drawn == [act(other, LEFT).action for _ in range(30)]


def test_a_person_is_told_and_numbers_count_in_the_step(monkeypatch, capsys):
    lines = iter(["take cup", "2"])
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    assert act(make("human", MISSION), LEFT).action == "take lamp"
    shown = capsys.readouterr().out
    assert "You can choose now: wait, take lamp." in shown and "'take cup' is not an action" in shown

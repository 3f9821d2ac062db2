"""random, scripted and expert."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from embodied import agents
from embodied.agents import AgentConfig
from embodied.errors import UsageError
from embodied.types import EpisodeSpec, Mission, Observation, TaskSpec
from tests.agents.play import DUNGEON, ROOM, STORY, act, make

SEE = Observation("You see Henderson's chest, a non-euclidean key and an ax.")


def test_random_is_uniform_and_repeatable():
    def choices(seed: int) -> list[str]:
        agent = make("random", ROOM, seed=seed)
        return [act(agent, SEE).action for _ in range(400)]

    assert choices(0) == choices(0) != choices(1)
    counts = Counter(choices(0))
    assert set(counts) == set(ROOM.actions)
    assert all(70 < n < 130 for n in counts.values())  # 100 expected, three standard deviations are 26


def test_random_knows_the_whole_vocabulary():
    agent = make("random", DUNGEON)
    assert {act(agent, SEE).action for _ in range(3000)} == set(DUNGEON.actions)


def test_random_commands_use_words_in_sight():
    agent = make("random", STORY)
    actions = {act(agent, SEE).action for _ in range(500)}
    assert {a for a in actions if a.startswith("go ")} == {"go north", "go east", "go south", "go west"}
    assert {a for a in actions if a.startswith("take ")} == {
        f"take {w}" for w in ("you", "see", "henderson", "chest", "non", "euclidean", "key", "and")
    }
    assert "look" in actions


def test_random_commands_where_nothing_is_said():
    assert (
        act(make("random", Mission("Win.", {"take <thing>": ""}, free_text=True)), Observation("")).action == "take it"
    )
    assert act(make("random", Mission("Win.", free_text=True, default_action="help")), SEE).action == "help"


def test_scripted_plays_its_script_then_the_default():
    agent = make("scripted", ROOM, script=["toggle", "fly"])
    assert [act(agent, Observation("", step=step)).action for step in range(4)] == [
        "toggle",
        "fly",
        "go forward",
        "go forward",
    ]


def test_expert_plays_what_the_environment_says():
    decision = act(make("expert", ROOM), Observation("a wall", expert="turn left"))
    assert (decision.action, decision.parsed, decision.calls) == ("turn left", True, ())


def test_expert_without_expert():
    with pytest.raises(UsageError, match=r"env\.expert=true"):
        act(make("expert", ROOM), SEE)


def test_where_an_expert_says_nothing_the_default_action_is_played():
    spec = EpisodeSpec("one", TaskSpec("textworld", "coin_collector", {"expert": True}), 0, 0, 0)
    agent = agents.build(AgentConfig(policy="expert"), spec=spec)
    agent.begin(ROOM, np.random.default_rng(0))
    assert act(agent, SEE).action == ROOM.default_action


@pytest.mark.parametrize("policy", ["random", "scripted", "expert"])
def test_they_need_no_model_and_take_all_calls(policy):
    assert not agents.needs_model(policy)
    agent = agents.build(AgentConfig(policy=policy))
    agent.hear("Left!")
    agent.end("finished")


@pytest.mark.parametrize(
    ("text", "said"),
    [("a" * 4_001, "4001 characters"), ("a\x1b[2Jb", "control a terminal"), ("a\ud800", "control a terminal")],
)
def test_instructions_that_no_prompt_may_hold_are_refused(text, said):
    with pytest.raises(UsageError, match=said):
        agents.check(agents.AgentConfig(instructions=text))


def test_instructions_are_for_agents_that_ask_a_model():
    with pytest.raises(UsageError, match=r"agents that ask a model"):
        agents.build(agents.AgentConfig("random", instructions="Go."))

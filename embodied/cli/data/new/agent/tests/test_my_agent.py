"""MyAgent decides what its model says."""

import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from embodied.agents import AgentConfig, Kit
from embodied.blobs import MemoryBlobs
from embodied.errors import UsageError
from embodied.models import ModelConfig, build
from embodied.types import Mission, Observation

from my_agent import MyAgent

MISSION = Mission("Find the door.", {"go left": "", "go right": ""}, default_action="go left")


def agent(*replies):
    model = build(ModelConfig("scripted", "cycle", script=list(replies)), MemoryBlobs())
    made = MyAgent(Kit(AgentConfig(policy="my_agent"), model))
    made.begin(MISSION, np.random.default_rng(0))
    return made


@pytest.mark.parametrize(("reply", "action"), [("go right", "go right"), ("I GO LEFT, then go right.", "go left")])
async def test_it_takes_the_first_action_in_the_reply(reply, action):
    decision = await agent(reply).act(Observation("A corridor."))
    assert (decision.action, decision.parsed, len(decision.calls)) == (action, True, 1)


async def test_a_reply_without_an_action_is_not_parsed():
    decision = await agent("Hm.").act(Observation("A corridor."))
    assert (decision.action, decision.parsed) == ("Hm.", False)


def test_it_needs_a_model():
    with pytest.raises(UsageError, match="--model"):
        MyAgent(Kit(AgentConfig(policy="my_agent")))


def test_the_entry_point_names_the_agent():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["embodied.agents"]
    module, _, attribute = points["my_agent"].partition(":")
    assert getattr(import_module(module), attribute) is MyAgent

"""`agent.follow`: the model is asked only where nobody said what to do."""

from __future__ import annotations

import pytest

from embodied import agents
from embodied.agents.config import AgentConfig, HistoryConfig
from embodied.blobs import MemoryBlobs
from embodied.errors import UsageError
from embodied.models.config import ModelConfig
from embodied.models.scripted import Scripted
from embodied.seeding import generator
from embodied.types import Mission, Observation

MISSION = Mission("Go to the ball.", {"turn left": "", "turn right": "", "wait": ""}, default_action="wait")


async def test_it_follows_and_its_history_knows():
    model = Scripted(ModelConfig(provider="scripted", name="cycle", script=["turn right"]), MemoryBlobs())
    agent = agents.build(AgentConfig(follow=True, history=HistoryConfig(text=4)), model)
    agent.begin(MISSION, generator(0))
    first = await agent.act(Observation("a ball", step=0))
    assert first.action == "turn right" and len(first.calls) == 1
    agent.follow("turn left")
    told = await agent.act(Observation("a wall", step=1))
    assert told.action == "turn left" and not told.calls
    agent.hear("look at the ball")
    last = await agent.act(Observation("a door", step=2))
    prompt = "\n".join(part.text for message in last.calls[0].messages for part in message.parts)
    assert "turn left" in prompt and "a wall" in prompt and "look at the ball" in prompt


def test_an_agent_without_a_model_needs_no_such_setting():
    with pytest.raises(UsageError, match="follow is for agents"):
        agents.build(AgentConfig(policy="random", follow=True))

"""How much of each prompt repeats the one before, on a real game: what was recorded, and what a server's prompt cache
would see.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from embodied import agents, envs
from embodied.agents import AgentConfig
from embodied.agents.config import HistoryConfig
from embodied.agents.prompt import common
from embodied.models.services.wire import alternate, plain
from embodied.types import Decision, Message, Observation, Reply, Settings, Usage

STEPS = 50


class Wandering:
    """A model that wanders about, and counts a token for four characters."""

    name = "test/wandering"

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        characters = sum(len(p.text) for m in messages for p in m.parts)
        return Reply(
            str(self._rng.choice(["turn left", "turn right", "go forward"])),
            usage=Usage(input=characters // 4, output=2),
        )

    async def aclose(self) -> None:
        pass


async def wander(history: HistoryConfig) -> list[Decision]:
    """An episode of BabyAI that never reaches its goal."""
    env = envs.make("babyai", "BabyAI-MixedTrainLocal-v0/pickup", max_steps=STEPS)
    seen, _ = env.reset(seed=3)
    agent = agents.build(AgentConfig(history=history), Wandering())
    agent.begin(env.mission, np.random.default_rng(0))
    decisions = []
    for step in range(STEPS):
        decisions.append(await agent.act(Observation(seen["text"], step=step)))
        seen, *_ = env.step(decisions[-1].action)
    env.close()
    return decisions


def rendered(messages: Sequence[Message]) -> str:
    """As a chat template writes it, for the model to go on."""
    return (
        "".join(f"<|im_start|>{m.role}\n{plain(m.parts)}<|im_end|>\n" for m in alternate(messages))
        + "<|im_start|>assistant\n"
    )


def on_the_wire(decisions: list[Decision]) -> list[float]:
    texts = [rendered(d.calls[0].messages) for d in decisions]
    return [common(a, b) / len(b) for a, b in itertools.pairwise(texts)]


@pytest.mark.parametrize(("policy", "low", "high"), [("window", 0.2, 0.6), ("blocks", 0.85, 1.0)])
def test_what_is_recorded_is_what_a_cache_would_see(policy, low, high):
    pytest.importorskip("minigrid")
    decisions = asyncio.run(wander(HistoryConfig(policy)))
    usages = [d.calls[0].reply.usage for d in decisions]
    recorded = [u.repeated / u.input for u in usages]
    assert recorded[0] == 0.0
    # The marks between messages, which only the template knows, are a tenth of this game's short prompts.
    assert recorded[1:] == pytest.approx(on_the_wire(decisions), abs=0.13)
    assert low <= np.mean(recorded[20:]) <= high
    assert low <= np.mean(on_the_wire(decisions)[19:]) <= high

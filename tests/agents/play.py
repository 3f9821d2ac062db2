"""A model of prepared replies, small missions, and an episode played by hand: what the tests of agents share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from embodied import agents
from embodied.agents import AgentConfig
from embodied.agents.base import Agent
from embodied.types import Decision, Image, Message, Mission, Observation, Reply, Settings

ROOM = Mission(
    goal="Open the red door.",
    actions={
        "turn left": "turn a quarter to the left",
        "turn right": "turn a quarter to the right",
        "go forward": "take one step",
        "toggle": "",
    },
    intro="You are in a room.",
    tips=("Face the door first.",),
    default_action="go forward",
    max_steps=64,
)
STORY = Mission(
    goal="Find the non-euclidean safe.",
    actions={
        "go <dir>": "walk north, east, south or west",
        "take ...": "take a thing you see",
        "look": "describe the room",
    },
    intro="You are in a text adventure.",
    default_action="look",
    free_text=True,
)
LETTERS = {letter: f"{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"}
DUNGEON = Mission(
    goal="Go down.",
    actions={
        **{way: f"move {way}" for way in ("north", "east", "south", "west", "northeast")},
        **{f"far {way}": f"move far {way}" for way in ("north", "east", "northeast")},
        "pickup": "pick up things here",
        "up": "go up",
        "eat": "eat something",
        "-": "the minus sign",
        " ": "the space bar",
        **LETTERS,
        **{letter.upper(): letter.upper() for letter in LETTERS},
        **{digit: digit for digit in "0123456789"},
    },
    default_action="eat",
)


class Replies:
    """A model that gives prepared replies in turn and keeps what it was asked."""

    name = "test/replies"

    def __init__(self, *replies: str | Reply):
        self._replies = iter(replies)
        self.asked: list[tuple[tuple[Message, ...], Settings]] = []

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        self.asked.append((tuple(messages), settings))
        reply = next(self._replies)
        return Reply(reply) if isinstance(reply, str) else reply

    async def aclose(self) -> None:
        pass


def make(
    policy: str,
    mission: Mission,
    model: Replies | None = None,
    seed: int = 0,
    settings: Settings | None = None,
    **config: Any,
) -> Agent:
    """An agent at the beginning of an episode."""
    agent = agents.build(AgentConfig(policy=policy, **config), model, settings)
    agent.begin(mission, np.random.default_rng(seed))
    return agent


def act(agent: Agent, observation: Observation) -> Decision:
    return asyncio.run(agent.act(observation))


def play(agent: Agent, mission: Mission, observations: Iterable[Observation]) -> list[Decision]:
    """Plays `observations` in turn, with `executed` and `valid` as an environment would fill them in."""
    decisions: list[Decision] = []
    for step, o in enumerate(observations):
        valid = not decisions or decisions[-1].parsed
        executed = None if not decisions else decisions[-1].action if valid else mission.default_action
        decisions.append(act(agent, Observation(o.text, o.status, o.image, o.expert, step, executed, valid)))
    return decisions


def picture(step: int) -> Image:
    return Image(f"{step:064x}", 8, 8)


def shown(messages: Iterable[Message]) -> str:
    """Messages as a page to read: a heading for each role, pictures as `[picture n]`."""
    return "".join(
        f"## {m.role}\n"
        + "".join(f"[picture {int(p.digest, 16)}]\n" if isinstance(p, Image) else f"{p.text}\n" for p in m.parts)
        for m in messages
    )

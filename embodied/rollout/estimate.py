"""What a run will use, before it is played: the real agent plays a few steps with a stand-in for its model."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from embodied import agents
from embodied.agents import AgentConfig
from embodied.agents.prompt import size
from embodied.agents.random import RandomAgent
from embodied.blobs import MemoryBlobs
from embodied.models.config import ModelConfig
from embodied.models.prices import Price
from embodied.rollout.worlds.environment import LocalEnvironment
from embodied.seeding import generator
from embodied.types import Decision, EpisodeSpec, Message, Observation, Reply, Settings, Usage
from embodied.variables import resolved_task

REHEARSED = 40
"""Steps played of one episode of every environment: enough to fill a history of 16 and to see it evicted."""
SHORTEST = (0.1, 500)
"""The assumed least length of an episode: a tenth of its step limit, or so many steps if that is less."""
CHARACTERS_A_TOKEN = (4.5, 2.5)
"""Plain English, and maps, numbers and lists, with the tokenizers of the last years."""
REPLY = (4, 16)
"""Tokens of an answer that holds only the action."""
THOUGHT = (40, 400)
"""Tokens of an answer that is asked to think first."""
REASONED = (100, 2000)
"""Tokens of an answer of a model that reasons on its own."""
_REASONING = re.compile(r"(.*/)?(o\d|gpt-[5-9])")


@dataclass(frozen=True)
class Range:
    """Least and most."""

    low: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)


@dataclass(frozen=True)
class Estimate:
    """Of one environment, or of a whole run."""

    env: str
    episodes: int
    steps: Range
    """Of all episodes together; a call each."""
    input: Range
    """Tokens."""
    output: Range
    """Tokens."""
    dollars: Range | None
    """None where the price is not known."""


class Rehearsal:
    """Stands in for a model: plays at random, and counts characters for tokens."""

    name = "rehearsal"
    chooses = True

    def __init__(self, policy: RandomAgent, first: Observation):
        self._policy = policy
        self.observation = first

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        characters = sum(size(part) for message in messages for part in message.parts)
        decision = await self._policy.act(self.observation)
        return Reply(decision.action, usage=Usage(input=round(characters)))

    async def aclose(self) -> None:
        pass


def estimate(
    agent: AgentConfig, model: ModelConfig, specs: Sequence[EpisodeSpec], price: Price | None
) -> list[Estimate]:
    """Estimates for every environment of `specs`, and the whole last.

    The least is short episodes in plain words whose repeated beginnings the provider bills as cached; the most is
    episodes that last as long as they may, in tokens half as long, with nothing cached. A step is assumed to be one
    call that succeeds the first time.

    Args:
        agent: The agent, which asks a model.
        model: The model, which is not called.
        specs: The episodes to play.
        price: Of the model; None when it is not known.
    """
    by_env: dict[str, list[EpisodeSpec]] = {}
    for spec in specs:
        by_env.setdefault(spec.task.env, []).append(spec)
    found = [_of_environment(agent, env, mine, price, _reply(agent, model)) for env, mine in by_env.items()]
    return [*found, _whole(found)]


def _reply(agent: AgentConfig, model: ModelConfig) -> Range:
    """Tokens of a reply, thoughts included."""
    reasons = model.reasoning_effort or model.thinking_tokens or _REASONING.match(model.name)
    low, high = REASONED if reasons else THOUGHT if "cot" in agent.policy else REPLY
    high = max(high, model.thinking_tokens or 0)
    limit = model.max_tokens or high
    return Range(min(low, limit), min(high, limit))


def _of_environment(
    agent: AgentConfig, env: str, specs: list[EpisodeSpec], price: Price | None, reply: Range
) -> Estimate:
    usages, limit = asyncio.run(_rehearse(agent, specs[0]))
    settled = usages[len(usages) // 2 :]
    steps = Range(max(1, min(round(SHORTEST[0] * limit), SHORTEST[1])) * len(specs), limit * len(specs))
    low = _used(usages, steps.low, reply.low, CHARACTERS_A_TOKEN[0])
    high = _used(settled, steps.high, reply.high, CHARACTERS_A_TOKEN[1])
    dollars = None if price is None else Range(price.cost(low), price.cost(replace(high, cached=0)))
    return Estimate(env, len(specs), steps, Range(low.input, high.input), Range(low.output, high.output), dollars)


def _used(prompts: list[Usage], steps: float, reply: float, characters: float) -> Usage:
    """What `steps` calls use whose prompts are, on average, like `prompts`, which are counted in characters."""
    calls = steps / characters
    return Usage(
        round(fmean(p.input for p in prompts) * calls),
        round(reply * steps),
        cached=round(fmean(p.repeated for p in prompts) * calls),
    )


async def _rehearse(config: AgentConfig, spec: EpisodeSpec) -> tuple[list[Usage], int]:
    """The prompts of the first steps of an episode, in characters, and its step limit."""
    blobs = MemoryBlobs()
    env = LocalEnvironment(resolved_task(spec.task), blobs)
    try:
        start = env.reset(spec.seed)
        policy = RandomAgent(agents.Kit(config))
        policy.begin(start.mission, generator(spec.agent_seed))
        model = Rehearsal(policy, start.observation)
        agent = agents.build(config, model, spec=spec, blobs=blobs)
        agent.begin(start.mission, generator(spec.agent_seed))
        limit = start.mission.max_steps or REHEARSED
        prompts: list[Usage] = []
        for _ in range(min(REHEARSED, limit)):
            decision = await agent.act(model.observation)
            prompts += _asked(decision, all_calls=config.format is not None)
            answer = env.step(decision.action)
            if answer.terminated or answer.truncated:
                # where nothing else ends it, an episode is as long as this one
                limit = limit if start.mission.max_steps else len(prompts)
                break
            model.observation = answer.observation
        return prompts or [Usage()], limit
    finally:
        env.close()


def _asked(decision: Decision, all_calls: bool) -> list[Usage]:
    """The prompts of a step as one: of its first call, or of all where every step has as many (a thought, a choice)."""
    usages = [call.reply.usage for call in (decision.calls if all_calls else decision.calls[:1])]
    total = Usage(sum(u.input for u in usages), repeated=sum(u.repeated for u in usages))
    return [total] if usages else []


def _whole(found: list[Estimate]) -> Estimate:
    def total(ranges: list[Range]) -> Range:
        return sum(ranges, Range(0, 0))

    dollars = None if any(e.dollars is None for e in found) else total([e.dollars for e in found if e.dollars])
    return Estimate(
        "all",
        sum(e.episodes for e in found),
        total([e.steps for e in found]),
        total([e.input for e in found]),
        total([e.output for e in found]),
        dollars,
    )

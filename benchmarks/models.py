"""Prompts and the local model, each figure a ratio of two measurements made side by side in one run.

- how much of a prompt repeats the one before, with `window` and with `blocks` (characters, as recorded, and the model's
  tokens)
- prompt tokens that are computed with prefix reuse over those without, on one episode
- tokens generated per second with 8 live episodes over one at a time: with replies of equal length, and as the model
  ends them, where a batch lasts as long as its longest reply

The model is the embedded one, through transformers. The game is BabyAI.

    python benchmarks/models.py [--steps 50] [--reply 64] [--threads 2] [--only prefix,prefill,batch]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import time
from collections.abc import Sequence

import numpy as np

from embodied import agents, envs
from embodied.agents import AgentConfig
from embodied.agents.config import HistoryConfig
from embodied.blobs import MemoryBlobs
from embodied.models import ModelConfig
from embodied.models.base import Model
from embodied.models.local.decoding import Ending
from embodied.models.local.prefixes import common
from embodied.models.local.transformers import Transformers
from embodied.types import Decision, Message, Observation, Reply, Settings, Usage

TASK = "BabyAI-MixedTrainLocal-v0/pickup"
LIVE = 8
ROUNDS = 3
SETTLED = 20
"""Steps after which a history has seen evictions."""


class Wanderer:
    """Stands in for a model: walks about at random, so that the episode lasts."""

    name = "benchmark/wanderer"

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        characters = sum(len(part.text) for message in messages for part in message.parts)
        return Reply(str(self._rng.choice(["turn left", "turn right", "go forward"])), usage=Usage(input=characters))

    async def aclose(self) -> None:
        pass


async def play(config: AgentConfig, model: Model, settings: Settings, seed: int, steps: int) -> list[Decision]:
    """Plays an episode until its end, or for so many steps."""
    env = envs.make("babyai", TASK, max_steps=steps)
    seen, _ = env.reset(seed=seed)
    agent = agents.build(config, model, settings)
    agent.begin(env.mission, np.random.default_rng(seed))
    decisions: list[Decision] = []
    for step in range(steps):
        decisions.append(await agent.act(Observation(seen["text"], step=step)))
        seen, _, terminated, truncated, _ = env.step(decisions[-1].action)
        if terminated or truncated:
            break
    env.close()
    return decisions


def prompts_of(policy: str, steps: int) -> tuple[list[Sequence[Message]], list[float]]:
    """The prompts of one long episode, and the share of each that repeats the one before, as recorded."""
    decisions = asyncio.run(play(AgentConfig(history=HistoryConfig(policy)), Wanderer(), Settings(), 3, steps))
    usages = [d.calls[0].reply.usage for d in decisions]
    return [d.calls[0].messages for d in decisions], [u.repeated / u.input for u in usages]


def loaded(**options: object) -> Transformers:
    return Transformers(ModelConfig("transformers", "smollm2", **options), MemoryBlobs())


def prefix(model: Transformers, steps: int) -> None:
    for policy in ("window", "blocks"):
        prompts, recorded = prompts_of(policy, steps)
        tokens = [np.asarray(model._job(messages, Settings()).tokens) for messages in prompts]
        shares = [common(a, b) / len(b) for a, b in itertools.pairwise(tokens)]
        print(
            f"{policy:7} prompt that repeats the one before, after step {SETTLED}:"
            f" {statistics.fmean(recorded[SETTLED:]):.3f} of its characters,"
            f" {statistics.fmean(shares[SETTLED - 1 :]):.3f} of its tokens",
            flush=True,
        )


def prefill(model: Transformers, steps: int) -> None:
    for policy in ("window", "blocks"):
        prompts, _ = prompts_of(policy, steps)
        model._packed.prefixes.clear()
        usages = [
            model.generate_batch([(messages, Settings(temperature=0.0, max_tokens=1))])[0].usage for messages in prompts
        ]
        computed, asked = sum(u.input - u.cached for u in usages), sum(u.input for u in usages)
        print(
            f"{policy:7} prompt tokens computed with prefix reuse over without: {computed}/{asked} ="
            f" {computed / asked:.3f}",
            flush=True,
        )


def batch(reply: int, threads: int | None, equal: bool, steps: int = 3) -> None:
    model = loaded(threads=threads)
    if equal:
        model._packed._ending = Ending(frozenset(), model._ending.padding)
    config = AgentConfig("cot", history=HistoryConfig("blocks", thought=0))
    settings = Settings(temperature=1.0, max_tokens=reply)

    async def episodes(seeds: Sequence[int]) -> int:
        model.live(len(seeds))
        played = await asyncio.gather(*(play(config, model, settings, seed, steps) for seed in seeds))
        return sum(call.reply.usage.output for decisions in played for d in decisions for call in d.calls)

    async def rate(first: int, width: int) -> tuple[float, float]:
        model._packed.prefixes.clear()
        wall, cpu = time.monotonic(), time.process_time()
        tokens = await episodes(range(first, first + width))
        return tokens / (time.monotonic() - wall), tokens / (time.process_time() - cpu)

    async def rounds() -> list[tuple[float, float]]:
        await episodes([100])  # warms up
        found = []
        for first in range(0, ROUNDS * LIVE, LIVE):
            one, many = await rate(first, 1), await rate(first, LIVE)
            found.append((many[0] / one[0], many[1] / one[1]))
            print(f"1 live: {one[0]:.1f} tokens a second; {LIVE} live: {many[0]:.1f}", flush=True)
        await model.aclose()
        return found

    wall, cpu = (statistics.median(ratios) for ratios in zip(*asyncio.run(rounds()), strict=True))
    replies = f"replies of {reply} tokens" if equal else f"replies as the model ends them, at most {reply} tokens"
    print(
        f"{LIVE} live over 1, {replies}: {wall:.2f} times the tokens a second, {cpu:.2f} times a CPU second (medians)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--reply", type=int, default=64)
    parser.add_argument(
        "--threads", type=int, help="Threads of the model, for --only batch; PyTorch's choice by default."
    )
    parser.add_argument("--only", default="prefix,prefill,batch")
    options = parser.parse_args()
    wanted = options.only.split(",")
    if "prefix" in wanted:
        prefix(loaded(), options.steps)
    if "prefill" in wanted:
        prefill(loaded(), options.steps)
    if "batch" in wanted:
        for equal in (True, False):
            batch(options.reply, options.threads, equal)


if __name__ == "__main__":
    main()

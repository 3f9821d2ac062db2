"""Plays a small run with a corrector and a person who speaks, in a process of its own, to be killed:
`python -m tests.rollout.talking RUN SEED`. What was said and accepted is appended to RUN.said first thing.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from embodied import agents
from embodied.agents import AgentConfig
from embodied.rollout.channel import Channel
from embodied.rollout.control import Receipt, Speak
from embodied.rollout.runner import run_all
from embodied.rollout.worlds.workers import Pool
from embodied.types import Correction, EpisodeSpec, Step, TaskSpec
from tests.rollout.playing import TASK, Hashing, Quiet, make_run

EPISODES, STEPS = 6, 60


class Often:
    """A corrector that speaks in every third step, by its number."""

    def begin(self, mission, rng) -> None: ...

    async def review(self, observation, decision):
        if observation.step % 3 == 0:
            return Correction(text=f"Mind {observation.step}.", how="critic", by="critic", lasts=2)

    def recall(self, step) -> None: ...

    def end(self, outcome) -> None: ...


def main(root: Path, seed: int) -> None:
    rng = random.Random(seed)
    run, specs = make_run(root, EPISODES, TaskSpec(TASK.env, TASK.task, {"max_steps": STEPS}))
    channels = {spec.id: Channel() for spec in specs}
    said = root.with_suffix(".said").open("a", buffering=1)

    class Told(Quiet):
        def stepped(self, spec: EpisodeSpec, step: Step) -> None:
            if rng.random() < 0.2:
                words = f"{spec.id} {seed} {step.index}"
                receipt: Receipt = channels[spec.id].submit(Speak(words, lasts=rng.randint(1, 3)))
                if receipt.status != "refused":
                    said.write(words + "\n")

    async def play() -> None:
        async with Pool(2) as pool:
            await run_all(
                run,
                specs,
                lambda spec: agents.build(AgentConfig(policy="naive"), Hashing(), spec=spec, blobs=run.blobs),
                pool,
                Told(),
                4,
                None,
                lambda spec: Often(),
                channels=lambda spec: channels[spec.id],
            )

    asyncio.run(play())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

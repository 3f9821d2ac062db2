"""What a channel costs, and how soon words have an effect.

    nice -n 10 python benchmarks/channel.py [--pairs 9] [--only paused,loop,effect]

Writes benchmarks/channel.json.

- **paused**: seven episodes of the vision-language agent that ships, answered in batches in this process. Once alone,
  and once beside an eighth that is paused from its beginning until the seven have ended. Tokens of the seven a second,
  and a CPU second of this process: other programs on the machine disturb the former.
- **loop**: CPU seconds a step of the episode loop with a channel that nobody uses, over that without one, in an
  environment and with an agent that cost nothing.
- **effect**: words are said at random moments of real episodes. How many environment steps begin between the moment
  and the first decision that heard them: the step in flight, if any, does not count; 0 is the next decision.

Both sides of a pair are measured one after the other, in changing order. Everything but the seconds is a function of
the seeds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from embodied import agents
from embodied.agents import AgentConfig
from embodied.rollout.channel import Channel
from embodied.rollout.control import End, Pause, Speak
from embodied.rollout.episode import run_episode
from embodied.rollout.plan import plan
from embodied.rollout.runner import run_all
from embodied.rollout.worlds.environment import Answer, Start
from embodied.rollout.worlds.workers import Pool
from embodied.store.record import RunRecord
from embodied.store.run import Run
from embodied.types import Episode, EpisodeSpec, Json, Mission, Observation, Step, TaskSpec

RESULT = Path(__file__).with_suffix(".json")
ENVIRONMENTS = (
    *("nethack", "minihack", "babyai", "crafter", "textworld", "babaisai", "patheval", "patheval_loop", "codalm"),
    *("corner_case_drive", "grounding3d", "highway"),
)


def compared(found: dict[str, list[float]]) -> Json:
    """The second list over the first, in pairs; the first pair warmed up."""
    first, second = ([value for value in values[1:]] for values in found.values())
    each = [y / x for x, y in zip(first, second, strict=True)]
    return {
        **{name: float(f"{median(values[1:]):.4g}") for name, values in found.items()},
        "ratio": round(median(each), 3),
        "from": round(min(each), 3),
        "to": round(max(each), 3),
        "each": [round(one, 3) for one in each],
    }


def ratios(measure: dict[str, Callable[[], float]], pairs: int) -> Json:
    """The second measurement over the first, in pairs."""
    (first, a), (second, b) = measure.items()
    found: dict[str, list[float]] = {first: [], second: []}
    for number in range(pairs + 1):
        values = {first: a(), second: b()} if number % 2 else {second: b(), first: a()}
        for name, value in values.items():
            found[name].append(value)
    return {"pairs": pairs, **compared(found)}


# --------------------------------------------------------------------------- one paused, seven running


class Seven:
    """A listener that measures until the seven have ended, and then ends the paused one."""

    def __init__(self, paused: Channel | None):
        self.paused, self.left, self.tokens = paused, 7, 0
        self.start = self.seconds = self.cpu = 0.0

    def started(self, spec: EpisodeSpec) -> None:
        if not self.start:
            self.start, self.cpu = time.perf_counter(), time.process_time()

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        pass

    def ended(self, episode: Episode) -> None:
        if episode.outcome == "cancelled":
            return
        self.left -= 1
        self.tokens += episode.usage.input + episode.usage.output
        if self.left:
            return
        self.seconds, self.cpu = time.perf_counter() - self.start, time.process_time() - self.cpu
        if self.paused is not None:
            self.paused.submit(End())


def tokens_a_second(paused: bool, steps: int, by_cpu: list[float]) -> float:
    """Tokens a second; those a CPU second are added to `by_cpu`."""
    from embodied.request import Request
    from embodied.rollout import playing
    from embodied.session import prepare
    from embodied.versions import find

    with tempfile.TemporaryDirectory() as folder:
        options = {"model.batch": 8, "model.threads": 1, "run.workers": 1}
        request = Request(
            agent="tinyvlm-base",
            version=find("tinyvlm-base"),
            env=("babyai",),
            task="pick_up_seq_go_to",
            episodes=8,
            steps=steps,
            out=f"{folder}/run",
            options=options,
            corrector="desk",
        )
        job = prepare(request, say=lambda text: None)
        first, *seven = job.specs
        channel = Channel() if paused else None
        if channel is not None:
            channel.submit(Pause())
        listener = Seven(channel)

        @contextmanager
        def watch(run: Run, specs: Any, price: Any) -> Iterator[Seven]:
            yield listener

        played = replace(job, specs=[first, *seven] if paused else seven)
        asyncio.run(playing.play(played, watch, channels=lambda spec: channel if spec == first else None))
        assert not listener.left, "an episode failed"
        by_cpu.append(listener.tokens / listener.cpu)
        return listener.tokens / listener.seconds


# --------------------------------------------------------------------------- the loop


class Instant:
    """An environment that costs nothing."""

    def __init__(self, steps: int):
        self.left = steps

    async def reset(self, seed: int) -> Start:
        return Start(Observation("nothing"), "", Mission("Wait.", {"wait": ""}, default_action="wait"), {})

    async def step(self, action: str) -> Answer:
        self.left -= 1
        seen = Observation("nothing", step=1)
        return Answer(seen, "", 0.0, False, not self.left, 0.0, False, "wait", True, {}, 0.0)


class Nothing:
    """A writer of an episode that writes nothing, so that the loop itself is measured."""

    left = ()

    def recorded(self) -> Iterator[Step]:
        return iter(())

    def append(self, step: Step) -> None:
        pass

    def note(self, event: object) -> None:
        pass

    def finish(self, episode: Episode) -> None:
        pass


def loop(connected: bool, writes: bool, steps: int) -> float:
    """CPU microseconds a step."""
    specs = plan([(TaskSpec("babyai", "BabyAI-MixedTrainLocal-v0/goto"), 1)], 0, "benchmark")
    agent = agents.build(AgentConfig(policy="constant", script=("wait",)))
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", RunRecord("benchmark", {}, specs))
        writer: Any = run.claim(specs[0]) if writes else Nothing()
        env: Any = Instant(steps)

        async def play() -> float:
            before = time.process_time()
            channel = Channel() if connected else None
            await run_episode(specs[0], env, agent, writer, lambda spec, step: None, channel=channel)
            return 1e6 * (time.process_time() - before) / steps

        return asyncio.run(play())


# --------------------------------------------------------------------------- from words to their effect


class Mumbling:
    """A model that thinks for a moment."""

    name = "mumbling"

    def __init__(self, rng: random.Random):
        self._rng = rng

    async def generate(self, messages: Any, settings: Any) -> Any:
        from embodied.types import Reply

        await asyncio.sleep(0.02 * self._rng.random())
        return Reply("well")

    async def aclose(self) -> None:
        pass


async def effects(env: str, episodes: int, steps: int) -> Counter[int]:
    """Environment steps between words and the first decision that heard them -> how often."""
    rng, found = random.Random(env), Counter[int]()
    from embodied.catalog import ENTRIES

    specs = plan([(TaskSpec(env, ENTRIES[env].tasks[0], {"max_steps": steps}), episodes)], 1, "benchmark")
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", RunRecord("benchmark", {}, specs))
        channels = {spec.id: Channel() for spec in specs}

        class Quiet:
            def __getattr__(self, name: str) -> Callable[..., None]:
                return lambda *told: None

        async def person() -> None:
            while True:
                await asyncio.sleep(0.03 * rng.random())
                channels[rng.choice(specs).id].submit(Speak(rng.choice(("turn left", "look", "Path 1", "mind"))))

        speaking = asyncio.create_task(person())
        async with Pool(1) as pool:
            await run_all(
                run,
                specs,
                lambda spec: agents.build(AgentConfig(policy="naive"), Mumbling(rng), spec=spec, blobs=run.blobs),
                pool,
                Quiet(),
                episodes,
                channels=lambda spec: channels[spec.id],
            )
        speaking.cancel()
        for channel in channels.values():
            for receipt in channel.control.receipts:
                if isinstance(receipt.command, Speak) and receipt.applied is not None:
                    found[receipt.applied - receipt.opened] += 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--steps", type=int, default=16, help="Steps of the episodes of `paused`.")
    parser.add_argument("--only", default="paused,loop,effect")
    options = parser.parse_args()
    made: Json = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    wanted = options.only.split(",")
    machine = {"command": "python " + " ".join(sys.argv), "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    if "loop" in wanted:
        for name, writes in (("loop, nothing is written", False), ("loop, steps are written", True)):
            both = {
                "us a step without": lambda writes=writes: loop(False, writes, 3000),
                "us a step with": lambda writes=writes: loop(True, writes, 3000),
            }
            made[name] = {**machine, **ratios(both, options.pairs)}
            print(name, made[name])
    if "effect" in wanted:
        made["effect"] = {**machine, "steps to effect": {}}
        for env in ENVIRONMENTS:
            found = asyncio.run(effects(env, 4, 12))
            made["effect"]["steps to effect"][env] = {str(k): n for k, n in sorted(found.items())}
            print(env, dict(found))
    if "paused" in wanted:
        both = {
            "tokens a second of seven alone": lambda: tokens_a_second(False, options.steps, by_cpu["alone"]),
            "tokens a second beside one paused": lambda: tokens_a_second(
                True, options.steps, by_cpu["beside one paused"]
            ),
        }
        by_cpu: dict[str, list[float]] = {"alone": [], "beside one paused": []}
        made["paused"] = {**machine, "model": "tinyvlm-base, batch 8, 1 thread", **ratios(both, options.pairs)}
        made["paused"]["tokens a CPU second"] = compared(by_cpu)
        print("paused", made["paused"])
    RESULT.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()

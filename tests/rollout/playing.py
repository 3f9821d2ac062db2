"""What the tests of runs share: plans, agents, a model of prepared replies, and what a run folder holds apart from
timings.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from embodied import agents
from embodied.agents import AgentConfig
from embodied.agents.base import Agent
from embodied.correctors.base import Corrector
from embodied.rollout.plan import identity, plan
from embodied.rollout.runner import Result, run_all
from embodied.rollout.worlds.workers import Pool, ProcessWorker, Worker
from embodied.store.run import Run, RunRecord
from embodied.types import EpisodeSpec, Message, Reply, Settings, TaskSpec, Usage

TASK = TaskSpec("babyai", "BabyAI-MixedTrainLocal-v0/goto", {"max_steps": 12})
FAULTY = "gym:tests.rollout.faulty:Faulty-v0"
TIMINGS = ("seconds", "agent_seconds", "env_seconds", "created", "checksum")
"""Keys that differ between equal runs; a checksum is also of the timings."""


class Saying:
    """A model that says (or raises) one thing after another, and the last one for ever."""

    name = "saying"

    def __init__(self, script: list[str | Exception]):
        self._script = list(script)
        self.asked = 0

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        self.asked += 1
        word = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(word, Exception):
            raise word
        return Reply(word)

    async def aclose(self) -> None:
        pass


class Hashing:
    """A model whose replies depend on every word and picture of the prompt and on the seed, so that what differs once
    differs ever after.
    """

    name = "hashing"
    words = (
        "turn left",
        "turn right",
        "go forward",
        "pickup",
        "ACTION: toggle",
        "I think.\nACTION: go forward",
        "nothing that is an action",
    )

    def __init__(self) -> None:
        self.asked = 0

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        self.asked += 1
        digest = hashlib.sha256(repr((tuple(messages), settings)).encode()).digest()
        return Reply(self.words[digest[0] % len(self.words)], usage=Usage(input=1000 + digest[1], output=digest[2]))

    async def aclose(self) -> None:
        pass


class Quiet:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def started(self, spec: EpisodeSpec) -> None:
        self.heard.append(f"started {spec.index}")

    def stepped(self, spec, step) -> None:
        self.heard.append("step")

    def ended(self, episode) -> None:
        self.heard.append(f"ended {episode.outcome}")


def make_run(root: Path, episodes: int = 2, task: TaskSpec = TASK) -> tuple[Run, tuple[EpisodeSpec, ...]]:
    config = {"task": task.task, "kwargs": task.kwargs}
    specs = plan([(task, episodes)], 7, identity(config))
    return Run.create(root, RunRecord(identity(config), config, specs)), specs


def play(
    run: Run,
    specs,
    config: AgentConfig | None = None,
    model=None,
    concurrency: int = 1,
    workers: int = 1,
    step_seconds: float = 60.0,
    at_step: Callable[[int, Pool, asyncio.Event], None] = lambda steps, pool, stopping: None,
    make_agent: Callable[[EpisodeSpec], Agent] | None = None,
    launch: Callable[[], Awaitable[Worker]] = ProcessWorker.launch,
    make_corrector: Callable[[EpisodeSpec], Corrector | None] = lambda spec: None,
    sentences: str = "off",
) -> Result:
    """Plays what is owed. `at_step` is called after every step with the number of steps so far, the pool, and the event
    that stops the run.
    """
    config = config or AgentConfig(policy="random")
    make_agent = make_agent or (lambda spec: agents.build(config, model, spec=spec, blobs=run.blobs))

    async def playing() -> Result:
        stopping = asyncio.Event()
        async with Pool(workers, step_seconds, launch=launch) as pool:

            class Counting(Quiet):
                def stepped(self, spec, step) -> None:
                    super().stepped(spec, step)
                    at_step(self.heard.count("step"), pool, stopping)

            made, heard = make_corrector, Counting()
            return await run_all(run, specs, make_agent, pool, heard, concurrency, stopping, made, sentences=sentences)

    return asyncio.run(playing())


def stop_at(step: int) -> Callable[[int, Pool, asyncio.Event], None]:
    """Interrupts a run after so many steps."""

    def at_step(steps: int, pool: Pool, stopping: asyncio.Event) -> None:
        if steps == step:
            stopping.set()

    return at_step


def content(root: Path) -> dict[str, object]:
    """Every file of a run but earlier attempts, timings aside: what must be equal, byte for byte, for two runs of the
    same.
    """
    files = {str(path.relative_to(root)): path for path in sorted(root.rglob("*")) if path.is_file()}
    return {
        name: _timeless(path)
        for name, path in files.items()
        if "attempt-" not in name and not name.startswith("run.json.")
    }


def _timeless(path: Path) -> object:
    if path.suffix not in (".json", ".jsonl"):
        return path.read_bytes()
    lines = [path.read_text()] if path.suffix == ".json" else path.read_text().splitlines()
    return [json.dumps(_without_timings(json.loads(line))) for line in lines]


def _without_timings(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_timings(v) for k, v in value.items() if k not in TIMINGS}
    return [_without_timings(v) for v in value] if isinstance(value, list) else value

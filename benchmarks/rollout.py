"""The runner in ratios: how close a run comes to the latency of its model, what a live episode costs in memory, how
fast a run is resumed.

    python benchmarks/rollout.py [--steps 200] [--only latency,memory,resume,channel]

latency: 32 episodes of BabyAI against a server on this machine that answers every call after 100 ms: wall time over the
least possible, the longest
    chain of calls; with what goes before and after the calls (starting workers, 32 resets, writing).
memory: peak memory of a worker with five live episodes less that of one with a single episode, divided by four, for
each game; 50 random steps each.
resume: `embodied resume` of a run of 1,000 scored episodes.
channel: CPU of the loop a step with a channel that nobody uses, over that without one, in an environment and with an
agent that cost nothing: the loop and the record alone; the median of nine pairs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from embodied import agents, models
from embodied.agents import AgentConfig
from embodied.blobs import MemoryBlobs
from embodied.catalog import ENTRIES
from embodied.models import ModelConfig
from embodied.rollout.channel import Channel
from embodied.rollout.episode import run_episode
from embodied.rollout.plan import plan
from embodied.rollout.runner import run_all
from embodied.rollout.worlds.environment import Answer, Start
from embodied.rollout.worlds.workers import Environment, Pool
from embodied.seeding import generator
from embodied.store.run import Run, RunRecord
from embodied.types import Mission, Observation, TaskSpec

LATENCY = 0.1
EPISODES = 32
BABYAI = "BabyAI-MixedTrainLocal-v0/goto"


# --------------------------------------------------------------------------- latency


async def serve() -> None:
    """An OpenAI-compatible server that says "turn left" 100 ms after it was asked; prints its port."""
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choice = {"index": 0, "message": {"role": "assistant", "content": "turn left"}, "finish_reason": "stop"}
    body = json.dumps(
        {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    ).encode()
    response = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length")
                )
                await reader.readexactly(length)
                await asyncio.sleep(LATENCY)
                writer.write(response)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Quiet:
    """A listener that does not."""

    def started(self, spec) -> None: ...

    def stepped(self, spec, step) -> None: ...

    def ended(self, episode) -> None: ...


def clocks() -> tuple[float, float, float]:
    """Seconds of wall time, of CPU, and of waiting for a core, of this process."""
    waited = Path("/proc/self/schedstat")
    return (
        time.perf_counter(),
        time.process_time(),
        int(waited.read_text().split()[1]) / 1e9 if waited.exists() else 0.0,
    )


async def play(root: Path, url: str, steps: int) -> tuple[int, list[float]]:
    """Plays 32 episodes side by side; returns the longest chain of calls, and what `clocks` say of it."""
    task = TaskSpec("babyai", BABYAI, {"max_steps": steps})
    specs = plan([(task, EPISODES)], 0, "benchmark")
    run = Run.create(root, RunRecord("benchmark", {}, specs))
    config = ModelConfig(provider="openai", name="m", base_url=url, api_key_env="BENCHMARK_KEY")
    model = models.build(config, run.blobs)  # before the clock: imports the provider's library
    before = clocks()
    async with Pool(os.cpu_count() or 1) as pool:
        await run_all(
            run,
            specs,
            lambda spec: agents.build(AgentConfig(), model, config.settings(), spec=spec),
            pool,
            Quiet(),
            EPISODES,
        )
    took = [after - start for start, after in zip(before, clocks(), strict=True)]
    await model.aclose()
    assert all(run.scored(spec.id) for spec in specs)
    return max(episode.steps for episode in run.episodes()), took


def latency(steps: int) -> None:
    os.environ["BENCHMARK_KEY"] = "none"
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True) as server,
    ):
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        chain, (wall, spent, waited) = asyncio.run(play(Path(folder) / "run", url, steps))
        server.terminate()
    calls = chain * EPISODES
    print(
        f"latency: {EPISODES} episodes of {chain} calls in {wall:.2f} s over {chain * LATENCY:.1f} s: ratio"
        f" {wall / (chain * LATENCY):.3f} (target <= 1.10)"
    )
    print(
        f"         {1000 * spent / calls:.2f} ms of CPU a step in this process; {waited:.1f} s of the wall time it"
        " waited for a core (other programs)"
    )


# --------------------------------------------------------------------------- memory


def peak(pid: int) -> int:
    """Peak resident memory of a process and its children, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    own = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    children = [int(c) for task in Path(f"/proc/{pid}/task").iterdir() for c in (task / "children").read_text().split()]
    return own + sum(map(peak, children))


async def live(name: str, episodes: int, image: bool) -> int:
    """Peak memory of a worker in which so many episodes are live."""
    entry = ENTRIES[name]
    async with Pool(1) as pool:
        task = TaskSpec(name, entry.tasks[0], {"image": True} if image else {})
        environments = [pool.environment(task, MemoryBlobs()) for _ in range(episodes)]
        for seed, environment in enumerate(environments):
            await wander(environment, seed)
        return peak(pool.workers()[0].pid)


async def wander(environment: Environment, seed: int) -> None:
    agent = agents.build(AgentConfig(policy="random"))
    start = await environment.reset(seed)
    agent.begin(start.mission, generator(seed))
    observation: Observation = start.observation
    for _ in range(50):
        answer = await environment.step((await agent.act(observation)).action)
        observation = answer.observation
        if answer.terminated or answer.truncated:
            break


def memory() -> None:
    for name, entry in ENTRIES.items():
        for image in (False, True) if entry.picture else (False,):
            one, five = (asyncio.run(live(name, n, image)) for n in (1, 5))
            label = f"{name} with pictures" if image else name
            print(
                f"memory: {label:24} {(five - one) / 4 / 2**20:6.1f} MB for each further live episode"
                f" ({one / 2**20:.0f} MB for the first, worker and all)",
                flush=True,
            )


# --------------------------------------------------------------------------- resume


def resume(episodes: int = 1000) -> None:
    embodied = (sys.executable, "-m", "embodied")
    with tempfile.TemporaryDirectory() as folder:
        words = (
            "--env",
            "babyai",
            "--task",
            BABYAI,
            "--agent",
            "random",
            "--episodes",
            str(episodes),
            "--steps",
            "2",
            "--out",
            f"{folder}/run",
        )
        subprocess.run([*embodied, "eval", *words], check=True, stdout=subprocess.DEVNULL)
        start, before = time.perf_counter(), os.times()
        subprocess.run([*embodied, "resume", f"{folder}/run"], check=True, stdout=subprocess.DEVNULL)
        wall, after = time.perf_counter() - start, os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        nothing = time.perf_counter()
        subprocess.run([*embodied, "--version"], check=True, stdout=subprocess.DEVNULL)
        nothing = time.perf_counter() - nothing
    print(
        f"resume: {episodes} scored episodes in {wall:.2f} s, {cpu:.2f} s of CPU (target < 2 s); `embodied --version`"
        f" takes {nothing:.2f} s"
    )


# --------------------------------------------------------------------------- channel


class Instant:
    """An environment that costs nothing, and never ends before its last step."""

    def __init__(self, steps: int):
        self.left = steps

    async def reset(self, seed: int) -> Start:
        return Start(Observation("nothing"), "", Mission("Wait.", {"wait": ""}, default_action="wait"), {})

    async def step(self, action: str) -> Answer:
        self.left -= 1
        seen = Observation("nothing", step=1)
        return Answer(seen, "", 0.0, False, not self.left, 0.0, False, "wait", True, {}, 0.0)


async def loop(root: Path, channel: Channel | None, steps: int) -> float:
    """CPU seconds a step."""
    specs = plan([(TaskSpec("babyai", BABYAI), 1)], 0, "benchmark")
    run = Run.create(root, RunRecord("benchmark", {}, specs))
    writer = run.claim(specs[0])
    agent = agents.build(AgentConfig(policy="constant", script=("wait",)))
    before = time.process_time()
    await run_episode(specs[0], Instant(steps), agent, writer, lambda spec, step: None, None, channel=channel)
    return (time.process_time() - before) / steps


def channel(steps: int = 3000) -> None:
    ratios, plain = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(9):
            without = asyncio.run(loop(Path(folder) / f"without-{number}", None, steps))
            inert = asyncio.run(loop(Path(folder) / f"inert-{number}", Channel(), steps))
            ratios.append(inert / without)
            plain.append(without)
    print(
        f"channel: {1e6 * median(plain):.0f} us of CPU a step without one; ratio with one that nobody uses"
        f" {median(ratios):.3f} (from {min(ratios):.3f} to {max(ratios):.3f}), or"
        f" {1e6 * median(plain) * (median(ratios) - 1):.1f} us"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200, help="Calls of each episode in the benchmark of latency.")
    parser.add_argument("--only", default="latency,memory,resume,channel")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve())
        return
    wanted = arguments.only.split(",")
    if "latency" in wanted:
        latency(arguments.steps)
    if "memory" in wanted:
        memory()
    if "resume" in wanted:
        resume()
    if "channel" in wanted:
        channel()


if __name__ == "__main__":
    main()

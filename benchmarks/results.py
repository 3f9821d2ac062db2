"""Score, compare, report and leaderboard over 1,000,000 steps in 5,000 episodes, generated through the store's own API.

Five runs of ten tasks with a hundred seeds each, 200 steps an episode. Each command runs in a process of its own: CPU
seconds (its own, imports included), wall seconds, peak memory. Prints a table; asserts nothing.

    python benchmarks/results.py
    python benchmarks/results.py --episodes 500 --folder /tmp/runs   # smaller; the runs are kept and used again
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from embodied.rollout.plan import identity
from embodied.seeding import generator
from embodied.store.run import Run, RunRecord
from embodied.types import (
    Call,
    Decision,
    Episode,
    EpisodeSpec,
    Message,
    Mission,
    Observation,
    Reply,
    Step,
    TaskSpec,
    Text,
    Usage,
)

RUNS, TASKS = 5, 10
ACTIONS = ("north", "east", "south", "west", "search")
MISSION = Mission("Find the way out of the cellar.", dict.fromkeys(ACTIONS, "one step"), default_action="search")
INSTRUCTION = Message("user", (Text("You are in a cellar. " * 20),))


def generate(root: Path, number: int, episodes: int, steps: int) -> Run:
    """One run; what is there already is kept."""
    config = {
        "agent": {"policy": "naive"},
        "model": {"provider": "openai", "name": ("gpt-5", "gpt-4o", "gpt-4.1", "gpt-5-mini", "gpt-4o-mini")[number]},
    }
    each = episodes // RUNS // TASKS
    tasks = [TaskSpec(f"cellar{n % 3}", f"task {n}") for n in range(TASKS)]
    specs = tuple(EpisodeSpec(f"{t.env}-{n}-{i:04d}", t, i, i, i) for n, t in enumerate(tasks) for i in range(each))
    run = Run.create(
        root,
        RunRecord(identity(config), config, specs, {"numpy": np.__version__}, "2026-01-01T00:00:00+00:00", "cellars"),
    )
    for spec in specs:
        writer = run.claim(spec)
        if writer is not None:
            with closing(writer):
                play(writer, spec, number, steps)
    return run


def play(writer, spec: EpisodeSpec, number: int, steps: int) -> None:
    """One episode: a step of about 1 kB with one model call each."""
    rng = generator(number, "play", spec.id)
    reached = float(np.clip(rng.normal(0.3 + 0.08 * number, 0.25), 0, 1))
    actions = rng.integers(len(ACTIONS), size=steps)
    usage = Usage(900, 4)
    for n, drawn in enumerate(actions):
        seen = f"{n} steps down. " + "A barrel stands by the north wall; a door leads east. " * 5
        prompt = (INSTRUCTION, Message("user", (Text(f"Current Observation:\n{seen}"),)))
        action = ACTIONS[drawn]
        valid = n % 20 != 7
        decision = Decision(
            action, parsed=valid, calls=(Call(prompt, Reply(action, usage=usage, seconds=0.4, model="m")),)
        )
        info = {"metrics": {"depth": 1.0}}
        writer.append(
            Step(
                n,
                Observation(seen, step=n),
                decision,
                action,
                valid,
                0.0,
                n == steps - 1,
                False,
                reached * n / steps,
                info,
                "0" * 64,
                0.4,
                0.001,
            )
        )
    total = Usage(900 * steps, 4 * steps)
    won = reached == 1
    end = Observation("The end.", step=steps)
    writer.finish(
        Episode(
            spec,
            "finished",
            steps,
            reached,
            won,
            reached,
            steps // 20,
            total,
            80.0,
            {"depth": 3.0},
            last=end,
            mission=MISSION,
        )
    )


def measure(what: str, *arguments: str) -> None:
    """Runs a command; its CPU, wall time and peak memory."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    code = (
        "import resource, sys; from embodied.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{what:44} {cpu:7.1f} s CPU {time.perf_counter() - start:7.1f} s wall"
        f" {int(done.stderr.split()[-1]) / 1024:7.0f} MiB peak",
        flush=True,
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--episodes", type=int, default=5000)
    options.add_argument("--steps", type=int, default=200)
    options.add_argument("--folder", type=Path, help="Keep the generated runs here.")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = given.folder or Path(temporary)
        start = time.process_time()
        roots = [str(generate(root / f"run{n}", n, given.episodes, given.steps).root) for n in range(RUNS)]
        print(
            f"{given.episodes * given.steps:,} steps in {given.episodes:,} episodes of {RUNS} runs; written in"
            f" {time.process_time() - start:.0f} s CPU",
            flush=True,
        )
        measure("score, one run (a fifth)", "score", roots[0])
        measure("compare, two runs", "compare", *roots[:2])
        measure(f"compare, all {RUNS} runs, ten pairs", "compare", *roots)
        measure(
            f"leaderboard, all {RUNS} runs, no replays",
            "leaderboard",
            *roots,
            "--replays",
            "0",
            "--out",
            str(root / "site"),
        )
        measure(f"leaderboard, all {RUNS} runs, with replays", "leaderboard", *roots, "--out", str(root / "site"))
        measure("report, one run (a fifth)", "report", roots[0], "--out", str(root / "report.html"))


if __name__ == "__main__":
    main()

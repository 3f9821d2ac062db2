"""What the suite costs: steps a CPU second of tinyvlm on BabyAI through the whole suite, over the same model in a loop.

    nice -n 10 python benchmarks/stack.py [--agent FOLDER] [--rounds 3] [--episodes 6] [--steps 20] [--out FILE]

benchmarks/stack.json holds the figures that docs/models.md shows. Four ways play the same episodes, one episode at a
time and 16 together:

- **suite**: `embodied.evaluate`: environments in a worker process, agent, prompts, layers of the model, records on
  disk.
- **loop**: what a user would write in one file: the environment, the model folder's own processor, and transformers'
  `generate`, all in one process. Nothing is recorded.
- **forward**: as in training: one pass of the model for each action, prompts made from numbers. No processor, no
  `generate`. It shows what the model itself takes.
- **world**: the environment alone, with the actions that `forward` took.

One thread. A step's CPU seconds are those of the process and of all its children, from the first episode's start to the
last one's end; what goes before and after (loading the model, starting the worker, reading the run) is given apart. The
ways take turns, and each figure is a median over the rounds. All ways must take the same actions, else the benchmark
ends with an error. It reads /proc, so it needs Linux.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from embodied import envs
from embodied.agents.versions import AgentVersion
from embodied.catalog import ENTRIES
from embodied.rollout.plan import plan
from embodied.types import TaskSpec
from embodied.versions import find

BATCHES = (1, 16)
TICKS = os.sysconf("SC_CLK_TCK")
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


# --------------------------------------------------------------------------- the clock


def cpu_seconds(pid: int | str = "self") -> float:
    """CPU seconds of a process, of its children that have ended, and of those that live, with theirs."""
    try:
        numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):  # it has just ended: its parent counts it now
        return 0.0
    return sum(map(int, numbers[11:15])) / TICKS + sum(map(cpu_seconds, children))


# --------------------------------------------------------------------------- what is played


@dataclass(frozen=True)
class Played:
    """What one way did."""

    actions: dict[str, list[str]]
    """Episode -> what was executed."""
    cpu: float
    """CPU seconds of the episodes."""


@dataclass
class Seat:
    """An episode in the loop."""

    name: str
    env: Any
    picture: Any
    """(112, 112, 3) uint8."""
    actions: list[str] = field(default_factory=list)


Choose = Callable[[Sequence[Seat]], list[str]]


def seats(count: int, steps: int) -> Iterator[Seat]:
    """Starts the suite's episodes one after another, in its order."""
    for spec in plan([(TaskSpec("babyai", task), count) for task in ENTRIES["babyai"].tasks], 0, "benchmark"):
        env = envs.make("babyai", spec.task.task, image=True, max_steps=steps)
        observation, _ = env.reset(seed=spec.seed)
        yield Seat(f"{spec.task.task} {spec.seed}", env, observation["image"])


def play(choose: Choose, count: int, steps: int, batch: int) -> Played:
    """Plays all episodes in this process, at most `batch` at a time."""
    envs.make("babyai", image=True).reset(seed=0)  # imports the simulator, as the suite's worker has when it begins
    start = cpu_seconds()
    coming, playing, actions = seats(count, steps), [], {}
    while True:
        while len(playing) < batch and (seat := next(coming, None)) is not None:
            playing.append(seat)
            actions[seat.name] = seat.actions
        if not playing:
            return Played(actions, cpu_seconds() - start)
        for seat, action in zip(playing, choose(playing), strict=True):
            observation, _, terminated, truncated, info = seat.env.step(action)
            seat.actions.append(str(info["executed"]))
            seat.picture = None if terminated or truncated else observation["image"]
        playing = [seat for seat in playing if seat.picture is not None]


# --------------------------------------------------------------------------- the four ways


class Clock:
    """A listener that notes the time of the first start and of the last end."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def started(self, spec: Any) -> None:
        self.times = self.times or [cpu_seconds()]

    def stepped(self, spec: Any, step: Any) -> None:
        pass

    def ended(self, episode: Any) -> None:
        self.times[1:] = [cpu_seconds()]


def suite(agent: Path, count: int, steps: int, batch: int) -> Played:
    import embodied

    clock = Clock()
    options = {"model.batch": batch, "model.threads": 1, "run.workers": 1}
    with tempfile.TemporaryDirectory() as folder:
        done = embodied.evaluate(
            "babyai",
            str(agent),
            episodes=count,
            steps=steps,
            out=f"{folder}/run",
            options=options,
            listeners=[clock],
            trust=True,
        )
        actions = {
            f"{spec.task.task} {spec.seed}": [step.executed for step in done.run.steps(spec.id)]
            for spec in done.record.planned
        }
    return Played(actions, clock.times[1] - clock.times[0])


def loop(agent: Path, count: int, steps: int, batch: int) -> Played:
    import torch
    import transformers

    model: Any = transformers.LlavaForConditionalGeneration.from_pretrained(weights(agent), dtype=torch.float32).eval()
    processor: Any = transformers.AutoProcessor.from_pretrained(weights(agent))
    processor.tokenizer.padding_side = "left"

    def chat(seat: Seat) -> str:
        turns = [{"role": "user", "content": f"Your goal: {seat.env.mission.goal}"}]
        turns += [{"role": "assistant", "content": action} for action in seat.actions]
        turns += [{"role": "user", "content": [{"type": "image"}]}]
        return processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)

    def choose(playing: Sequence[Seat]) -> list[str]:
        inputs = processor(
            text=[chat(seat) for seat in playing],
            images=[[seat.picture] for seat in playing],
            padding=True,
            return_tensors="pt",
            add_special_tokens=False,
        )
        with torch.inference_mode():
            tokens = model.generate(**inputs, max_new_tokens=2, do_sample=False)
        return processor.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)

    return play(choose, count, steps, batch)


def forward(agent: Path, count: int, steps: int, batch: int) -> Played:
    import torch

    from embodied.train.tinyvlm.architecture import load
    from embodied.train.tinyvlm.learning import Student
    from embodied.train.tinyvlm.lessons import Notebook

    student = Student(load(weights(agent)), torch.device("cpu"))
    student.model.eval()
    notebook = Notebook.of(student.built)

    def choose(playing: Sequence[Seat]) -> list[str]:
        pictures = [seat.picture for seat in playing]
        return student.choose(pictures, [notebook.prefix(seat.env.mission.goal, seat.actions) for seat in playing])

    return play(choose, count, steps, batch)


def world(agent: Path, count: int, steps: int, batch: int) -> Played:
    known = forward(agent, count, steps, batch).actions
    return play(lambda playing: [known[s.name][len(s.actions)] for s in playing], count, steps, batch)


def weights(agent: Path) -> Path:
    """The model folder of an agent that has one part."""
    (model,) = (agent / "parts").iterdir()
    return model


WAYS = {"suite": suite, "loop": loop, "forward": forward, "world": world}


# --------------------------------------------------------------------------- results


def measured(agent: Path, count: int, steps: int, rounds: int) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """Each way with each batch, in turn, so many times; before, each way once with few steps."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = {(way, batch): [] for batch in BATCHES for way in WAYS}
    for way in WAYS:
        WAYS[way](agent, 1, 2, 1)
    for _ in range(rounds):
        for way, batch in found:
            before = cpu_seconds()
            played = WAYS[way](agent, count, steps, batch)
            row = {
                "steps": sum(map(len, played.actions.values())),
                "cpu": played.cpu,
                "around": cpu_seconds() - before - played.cpu,
                "actions": hashlib.sha256(json.dumps(played.actions, sort_keys=True).encode()).hexdigest(),
            }
            found[way, batch].append(row)
            print(way, batch, row, flush=True)
    return found


def summary(found: dict[tuple[str, int], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """A row for each batch."""
    rows = []
    for batch in BATCHES:
        each = {way: [1000 * f["cpu"] / f["steps"] for f in found[way, batch]] for way in WAYS}
        times = {
            f"suite over {way}": [a / b for a, b in zip(each["suite"], each[way], strict=True)]
            for way in ("loop", "forward")
        }
        rows.append(
            {
                "batch": batch,
                "steps": found["suite", batch][0]["steps"],
                "steps a CPU second": {way: round(1000 / statistics.median(ms), 1) for way, ms in each.items()},
                "CPU ms a step": {way: round(statistics.median(ms), 2) for way, ms in each.items()},
                "ratios of CPU a step": {name: round(statistics.median(r), 2) for name, r in times.items()},
                "of each round": {name: [round(x, 2) for x in r] for name, r in times.items()},
                "CPU seconds around": {
                    way: round(statistics.median(f["around"] for f in found[way, batch]), 1)
                    for way in ("suite", "loop", "forward")
                },
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agent", default="tinyvlm", help="Folder of a tinyvlm; the shipped one by default.")
    parser.add_argument("--episodes", type=int, default=6, help="Of each of the five tasks.")
    parser.add_argument("--steps", type=int, default=20, help="Steps of an episode at most.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="File that takes the result.")
    options = parser.parse_args()
    agent = find(options.agent)
    if agent is None:
        parser.error(f"there is no agent {options.agent!r}: name a folder that `embodied train tinyvlm` made")
    with tempfile.TemporaryDirectory() as user:
        os.environ.update(ONE_THREAD, XDG_CACHE_HOME=user, XDG_STATE_HOME=user)
        import torch

        torch.set_num_threads(1)
        found = measured(agent.folder, options.episodes, options.steps, options.rounds)
    if len({run["actions"] for runs in found.values() for run in runs}) > 1:
        raise SystemExit("The ways took different actions, so their steps are not comparable.")
    result = about(agent, options) | {"rows": summary(found)}
    print(json.dumps(result["rows"], indent=1))
    if options.out is not None:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def about(agent: AgentVersion, options: argparse.Namespace) -> dict[str, Any]:
    """What the figures hold for."""
    return {
        "command": f"python benchmarks/stack.py --agent FOLDER --episodes {options.episodes} --steps {options.steps}"
        f" --rounds {options.rounds}",
        "agent": f"{agent.record.name} {agent.hash[:12]}",
        "versions": {name: version(name) for name in ("torch", "transformers", "gymnasium", "minigrid")},
        "threads": 1,
        "rounds": options.rounds,
        "same actions": True,
    }


if __name__ == "__main__":
    main()

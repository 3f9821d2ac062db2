"""How well tinyvlm plays, training seed by training seed, beside its controls and its teacher.

python benchmarks/tinyvlm.py train --env babyai --seeds 0 1 2 --out runs/tinyvlm       # one core, in turn
python benchmarks/tinyvlm.py measure --env babyai --out runs/tinyvlm                   # writes benchmarks/tinyvlm.json

`train` makes `OUT/<env>-<seed>` with `embodied train tinyvlm`, and writes the CPU seconds beside it. `measure` plays
the first episodes of the test split in this process, all in step. That plays what the suite plays
(tests/train/test_tinyvlm.py); `embodied ablate` does the same through the suite, and takes longer.

The conditions: the agent; with the goal of the next episode of its task that has another; with black pictures; a
routine that never looks, where we know one that is better than chance; random actions; the world's expert. Differences
are paired by episode, with 95 % intervals. BabyAI's routine reads texts: benchmarks/babyai_blind.py.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from embodied.agents.versions import load
from embodied.eval.intervals import difference_interval, interval
from embodied.eval.statistics import Stratum, known_mean, stratify
from embodied.seeding import derive
from embodied.splits import first_seed
from embodied.train.tinyvlm import architecture
from embodied.train.tinyvlm.learning import Student
from embodied.train.tinyvlm.lessons import Notebook
from embodied.train.tinyvlm.playing import Room, Seat, World
from embodied.train.tinyvlm.worlds import plan

RESULT = Path(__file__).with_suffix(".json")
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "babyai": [{"distractors": 0}, {"distractors": 3}],
    "crafter": [{"max_steps": 300}],
}
"""Options of each table; one table without options for the other environments."""
AGENT, GOAL, BLACK, ROUTINE = "agent", "another goal", "black picture", "blind routine"
RANDOM, EXPERT = "random", "expert"
Scores = dict[tuple[str, str], dict[str, list[float]]]
"""(environment, task) -> metric -> a value for each episode."""


def train(env: str, seeds: list[int], out: Path) -> None:
    """Trains what is not there yet. A training that went on after a kill has no CPU seconds."""
    for seed in seeds:
        folder, note = out / f"{env}-{seed}", out / f"{env}-{seed}.json"
        if (folder / "agent.json").exists():
            continue
        whole, before = not folder.exists(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = ["-m", "embodied", "train", "tinyvlm", "--env", env, "--seed", str(seed), "--out", str(folder)]
        subprocess.run([sys.executable, *command], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        note.write_text(json.dumps({"cpu_seconds": round(seconds) if whole else None}) + "\n")


class Sweep:
    """Baba Is AI: into a corner, then row after row, and so on from there. It looks at nothing."""

    def __init__(self, rng: random.Random):
        self._actions = self._sweep()

    @staticmethod
    def _sweep() -> Iterator[str]:
        turned = {"up": "down", "down": "up", "left": "right", "right": "left"}
        vertical, horizontal = "up", "left"
        while True:
            yield from [vertical] * 5 + [horizontal] * 5
            vertical, horizontal = turned[vertical], turned[horizontal]
            for _ in range(6):
                yield from [horizontal] * 5 + [vertical]
                horizontal = turned[horizontal]

    def act(self, status: str) -> str:
        return next(self._actions)


class RightHand:
    """MiniHack: a hand on the wall at the right. It knows only whether its last step moved it."""

    ways = ("north", "east", "south", "west")

    def __init__(self, rng: random.Random):
        self._heading, self._tries = rng.randrange(4), 0
        self._chosen: int | None = None
        self._place = ""

    def act(self, status: str) -> str:
        found = re.search(r"Position: \d+\|\d+", status)
        place = found[0] if found else ""
        if self._chosen is not None:
            moved = place != self._place
            self._heading, self._tries = (self._chosen, 0) if moved else (self._heading, self._tries + 1)
        self._place, self._chosen = place, (self._heading + 1 - self._tries) % 4  # right, ahead, left, back
        return self.ways[self._chosen]


ROUTINES: dict[str, type[Sweep] | type[RightHand]] = {"babaisai": Sweep, "minihack": RightHand}


def played(student: Student, world: World, each: int, condition: str) -> Scores:
    """Plays the first `each` episodes of every task of the test split."""
    notebook, room = Notebook.of(student.built), Room(world)
    seats = [room.seat(t, 0, first_seed("test", 0, world.env, t) + i) for t in world.tasks for i in range(each)]
    goals = [s.goal for s in seats]
    if condition == GOAL:
        goals = [g for task in world.tasks for g in _shuffled([s.goal for s in seats if s.task == task])]
    rng, over = random.Random(derive(0, "control", condition)), [False] * len(seats)
    blind = [ROUTINES[world.env](rng) for _ in seats] if condition == ROUTINE else []
    found: Scores = {(world.env, t): {"progress": [0.0] * each} for t in world.tasks}
    while not all(over):
        playing = [i for i, done in enumerate(over) if not done]
        if condition == RANDOM:
            actions = [rng.choice(seats[i].env.action_space.phrases) for i in playing]  # type: ignore[union-attr]
        elif condition == ROUTINE:
            actions = [blind[i].act(seats[i].observation.get("status", "")) for i in playing]
        elif condition == EXPERT:
            actions = [seats[i].observation["expert"] for i in playing]
        else:
            pictures = [seats[i].observation["image"] for i in playing]
            shown = [np.zeros_like(p) for p in pictures] if condition == BLACK else pictures
            actions = student.choose(shown, [notebook.prefix(goals[i], seats[i].actions) for i in playing])
        for i, action in zip(playing, actions, strict=True):
            if (info := _step(seats[i], action)) is not None:
                over[i] = True
                task = found[world.env, seats[i].task]
                task["progress"][i % each] = float(info["progress"])
                for name, value in info.get("metrics", {}).items():
                    task.setdefault(name, [0.0] * each)[i % each] = float(value)
    return found


def _step(seat: Seat, action: str) -> dict[str, Any] | None:
    """Executes an action; the last info at the end of the episode."""
    seat.observation, _, terminated, truncated, info = seat.env.step(action)
    seat.actions.append(str(info["executed"]))
    return info if terminated or truncated else None


def _shuffled(goals: Sequence[str]) -> list[str]:
    """For each episode of a task the goal of the next one that has another. Raises `StopIteration`: all are alike."""
    turned = [[*goals[i + 1 :], *goals[:i]] for i in range(len(goals))]
    return [next(g for g in others if g != own) for own, others in zip(goals, turned, strict=True)]


def _strata(scores: Scores, metric: str) -> list[Stratum]:
    return stratify({task: found[metric] for task, found in scores.items()})


def table(student: Student, world: World, each: int) -> dict[str, Any]:
    """Every condition: its score, and the agent's paired lead."""
    conditions = [AGENT, *([GOAL] if student.built.shape.reads_goals else []), BLACK]
    conditions += [*([ROUTINE] if world.env in ROUTINES else []), RANDOM, EXPERT]
    scores = {condition: played(student, world, each, condition) for condition in conditions}
    rows: dict[str, Any] = {}
    for condition, found in scores.items():
        mine, own = _strata(scores[AGENT], "progress"), _strata(found, "progress")
        row: dict[str, Any] = {"score": round(known_mean(own), 4), "interval": _rounded(interval(own))}
        row["tasks"] = {task: round(float(np.mean(f["progress"])), 4) for (_, task), f in found.items()}
        if all("first_object_named" in f for f in found.values()):
            row["first_object_named"] = round(known_mean(_strata(found, "first_object_named")), 4)
        if condition != AGENT:
            row["lead"] = round(known_mean(mine) - known_mean(own), 4)
            row["lead_interval"] = _rounded(difference_interval(mine, own, paired=True))
        rows[condition] = row
    return {"episodes": each * len(world.tasks), "conditions": rows}


def _rounded(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else [round(value, 4) for value in pair]


def measure(env: str, out: Path, each: int) -> None:
    """Measures every agent of the environment in the folder."""
    whole: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    (world,) = plan(env).worlds
    for folder in sorted(path.parent for path in out.glob(f"{env}-*/agent.json")):
        version, note = load(folder), out / f"{folder.name}.json"
        student = Student(architecture.load(version.part("model")), torch.device("cpu"))
        seconds = json.loads(note.read_text())["cpu_seconds"] if note.exists() else None
        for options in VARIANTS.get(env, [{}]):
            name = " ".join([env, *(f"{key}={value}" for key, value in options.items())])
            used = version.record.lineage.used
            key = f"seed {used['seed']}" if version.record.name == plan(env).name else version.record.name
            if whole.get(name, {}).get(key, {}).get("agent") == version.label:
                continue
            row = {"agent": version.label, "training": {**used, "cpu_seconds": seconds}}
            row |= table(student, replace(world, variants=(options,), limits={}), each)
            whole.setdefault(name, {})[key] = row
            RESULT.write_text(json.dumps(whole, indent=1) + "\n")
            print(name, version.label, {c: (r["score"], r.get("lead")) for c, r in row["conditions"].items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("train", "measure"))
    parser.add_argument("--env", default="babyai")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/tinyvlm"))
    parser.add_argument("--episodes", type=int, default=40, help="Of each task.")
    words = parser.parse_args()
    torch.set_num_threads(1)
    words.out.mkdir(parents=True, exist_ok=True)
    if words.stage == "train":
        train(words.env, words.seeds, words.out)
    else:
        measure(words.env, words.out, words.episodes)


if __name__ == "__main__":
    main()

"""What a memory is worth without a model: the agent `template` with and without it, and with controls.

    python benchmarks/memories.py babyai textworld patheval_loop --runs runs/memories

Random play, corrected by the oracle, is abstracted by rules. Every condition plays the same dev episodes. Each result
goes to `benchmarks/memories.json` when it is known. The same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

import embodied
from embodied.agents.versions import AgentRecord, AgentVersion, load, write
from embodied.errors import EmbodiedError, UsageError
from embodied.eval.compare import compare_two
from embodied.eval.results import read as results
from embodied.seeding import derive
from embodied.store.run import Run
from embodied.train.memories import learn
from embodied.types import Json, Message, Reply

EPISODES = {"babyai": (3, 10), "textworld": (4, 10), "babaisai": (4, 10), "patheval_loop": (6, 20), "highway": (2, 4)}
"""World -> training episodes of each task for each source, and dev episodes of each task."""
TASKS = {"textworld": "coin_collector", "babaisai": "env/goto_win"}
"""World -> the one task that is played, where it is not all: a game of treasure_hunter takes half a minute to make."""
SEED_TRAIN, SEED_DEV = 11, 7
NONE, FULL = "none", "full"
LEARNERS: Mapping[str, Mapping[str, Json]] = {
    "raw": {"raw": True, "human": False},
    "without the human phase": {"human": False},
    FULL: {"corrector": "oracle"},
}
OUT = Path(__file__).with_suffix(".json")


class Playground:
    """A `Practice` over `embodied.evaluate`, on one core."""

    corrector = ""

    def __init__(self, env: str, folder: Path, runs: Sequence[Run], settings: Mapping[str, Json], seed: int = 0):
        self.env, self.folder, self.runs, self.seed = env, folder, list(runs), seed
        self.settings = {**learn.defaults, **settings}  # type: ignore[attr-defined]  # a function with settings
        self.device, self.threads = "cpu", 1
        self.work = folder / "work"
        self.work.mkdir(parents=True, exist_ok=True)

    def play(
        self,
        agent: AgentVersion | str,
        episodes: int,
        *,
        name: str,
        corrector: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Run:
        return embodied.evaluate(
            self.env,
            agent.folder if isinstance(agent, AgentVersion) else agent,
            task=TASKS.get(self.env),
            split="train",
            episodes=episodes,
            seed=derive(self.seed, "practice", name.split("/")[0], bits=31),
            corrector=corrector,
            out=self.folder / "practice" / name,
            options={"run.workers": 1, **(options or {})},
        ).run

    def ask(self, prompts: Sequence[Sequence[Message]], *, name: str) -> list[Reply]:
        raise UsageError("There is no model.")

    def say(self, text: str) -> None:
        print(f"  {text}", file=sys.stderr)


class Table:
    """The JSON file, written after every condition."""

    def __init__(self, worlds: Sequence[str]):
        known = json.loads(OUT.read_text()) if OUT.exists() else {}
        self.worlds: dict[str, Any] = known.get("worlds", {})
        self.command = f"python benchmarks/memories.py {' '.join(worlds)}"

    def keep(self, world: str, condition: str, row: Mapping[str, Any]) -> None:
        train, dev = EPISODES[world]
        settings = {"train_episodes": train, "dev_episodes": dev, "seed": SEED_DEV}
        entry = self.worlds.setdefault(world, {**settings, "conditions": {}})
        entry["conditions"][condition] = row
        print(world, condition, row, file=sys.stderr, flush=True)
        OUT.write_text(json.dumps({"command": self.command, "worlds": self.worlds}, indent=1) + "\n")

    def has(self, world: str, condition: str) -> bool:
        return condition in self.worlds.get(world, {}).get("conditions", {})


def main() -> None:
    """Plays every condition of the worlds that are named."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("worlds", nargs="+", choices=EPISODES)
    arguments.add_argument("--runs", type=Path, default=Path("/tmp/memories"))
    chosen = arguments.parse_args()
    table = Table(chosen.worlds)
    for world in chosen.worlds:
        measure(world, chosen.runs / world, table)
    for world in chosen.worlds:
        others = [w for w in chosen.worlds if w != world and (chosen.runs / w / FULL / "agent.json").exists()]
        if others:
            another_world(world, others[0], chosen.runs, table)


def measure(world: str, work: Path, table: Table) -> None:
    """The conditions of one world."""
    work.mkdir(parents=True, exist_ok=True)
    train, _ = EPISODES[world]
    parent = made(work / "parent", AgentRecord("random", {"agent.policy": "random", "image": False}), {})
    none = scored(world, parent, NONE, work, table)
    collected = embodied.evaluate(
        world,
        parent.folder,
        task=TASKS.get(world),
        split="train",
        episodes=train,
        seed=SEED_TRAIN,
        corrector="oracle",
        out=work / "collect",
        options={"run.workers": 1},
    ).run
    for name in (FULL, "without the human phase", "raw"):
        folder = work / name.replace(" ", "-")
        practice = Playground(world, work / f"learn-{folder.name}", [collected], {"episodes": train, **LEARNERS[name]})
        try:
            version = load(folder) if folder.exists() else learn(practice, parent, folder)
        except EmbodiedError as error:  # a world whose random play never succeeds has nothing to keep
            table.keep(world, name, {"nothing_learned": str(error)})
            continue
        scored(world, version, name, work, table, none, {"learned": version.record.lineage.used})  # type: ignore[union-attr]  # was just learnt
    if (work / FULL).exists():
        for control in ("random", "shuffled"):
            options = {"agent.memory.retrieval": control}
            scored(world, load(work / FULL), f"full, {control} retrieval", work, table, none, options=options)
    scored(world, "expert", "expert", work, table, none)


def another_world(world: str, other: str, runs: Path, table: Table) -> None:
    """The agent of one world with the memory of another one."""
    mine, theirs = load(runs / world / FULL), load(runs / other / FULL)
    record = msgspec.structs.replace(mine.record, parts={})
    version = made(runs / world / f"memory-of-{other}", record, {"memory": theirs.part("memory")})
    none = Run(runs / world / f"dev-{NONE}")
    options = {"agent.memory.any_world": True}
    scored(world, version, f"memory of {other}", runs / world, table, none, options=options)


def made(folder: Path, record: AgentRecord, parts: Mapping[str, Path]) -> AgentVersion:
    """A version that was written before, or is now."""
    return load(folder) if folder.exists() else write(folder, record, parts)


def scored(
    world: str,
    agent: AgentVersion | str,
    name: str,
    work: Path,
    table: Table,
    none: Run | None = None,
    more: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Run:
    """Plays the dev episodes, unless they were, and keeps the mean progress with its interval."""
    out = work / f"dev-{name.replace(' ', '-').replace(',', '')}"
    done = embodied.evaluate(
        world,
        agent.folder if isinstance(agent, AgentVersion) else agent,
        task=TASKS.get(world),
        split="dev",
        episodes=EPISODES[world][1],
        seed=SEED_DEV,
        out=out,
        options={"run.workers": 1, **(options or {})},
    )
    if table.has(world, name):
        return done.run
    gain = compare_two(results(done.run), results(none)) if none is not None else None
    row = {
        "progress": _rounded(done.progress),
        "interval": [_rounded(end) for end in done.total.interval or ()],
        "episodes": done.total.scored,
        "steps": sum(episode.steps for episode in done.run.episodes()),
        "tasks": {score.name: _rounded(score.progress) for score in done.scores.tasks},
    }
    if gain is not None:
        row["gain"] = _rounded(gain.difference)
        row["gain_interval"] = [_rounded(end) for end in gain.interval or ()]
    table.keep(world, name, {**row, **(more or {})})
    return done.run


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


if __name__ == "__main__":
    main()

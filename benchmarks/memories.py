"""What a memory is worth without a model: the agent `template` with and without it, and with controls.

    python benchmarks/memories.py babyai textworld highway

Random play, corrected by the oracle, is abstracted by rules. Every condition plays the same dev episodes. Results go to
`benchmarks/memories.json`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

import embodied
from embodied.agents.versions import AgentRecord, AgentVersion, write
from embodied.errors import UsageError
from embodied.seeding import derive
from embodied.store.run import Run
from embodied.train.memories import learn
from embodied.types import Json, Message, Reply

EPISODES = {"babyai": (6, 10), "textworld": (4, 12), "highway": (10, 25)}
"""World -> training episodes of each task for each source, and dev episodes of each task."""
OUT = Path(__file__).with_suffix(".json")


class Playground:
    """A `Practice` over `embodied.evaluate`."""

    def __init__(self, env: str, folder: Path, runs: Sequence[Run], settings: Mapping[str, Json], seed: int = 0):
        self.env, self.folder, self.runs, self.seed = env, folder, list(runs), seed
        self.settings = {**learn.defaults, **settings}  # type: ignore[attr-defined]
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
        seed = derive(self.seed, "practice", name.split("/")[0], bits=31)
        folder = agent.folder if isinstance(agent, AgentVersion) else agent
        out = self.folder / "practice" / name
        return embodied.evaluate(
            self.env,
            folder,
            split="train",
            episodes=episodes,
            seed=seed,
            corrector=corrector,
            out=out,
            options=dict(options or {}),
        ).run

    def ask(self, prompts: Sequence[Sequence[Message]], *, name: str) -> list[Reply]:
        raise UsageError("There is no model.")

    def say(self, text: str) -> None:
        print(f"  {text}", file=sys.stderr)


def main() -> None:
    """Plays every condition of the worlds that are named."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("worlds", nargs="+", choices=EPISODES)
    arguments.add_argument("--work", type=Path, default=Path("/tmp/memories"))
    chosen = arguments.parse_args()
    found: dict[str, Any] = json.loads(OUT.read_text()) if OUT.exists() else {"command": "", "worlds": {}}
    for world in chosen.worlds:
        found["worlds"][world] = measured(world, chosen.work)
        found["command"] = "python benchmarks/memories.py " + " ".join(found["worlds"])
        OUT.write_text(json.dumps(found, indent=1) + "\n")
    for world in chosen.worlds:
        versions = {w: chosen.work / w / "full" for w in found["worlds"]}
        other = next((w for w in versions if w != world and (versions[w] / "agent.json").exists()), None)
        if other is not None:
            version = borrowed(chosen.work / world, versions[world], versions[other])
            found["worlds"][world]["conditions"][f"memory of {other}"] = scored(
                world, version, chosen.work / world / "dev-other", {"agent.memory.any_world": True}
            )
            OUT.write_text(json.dumps(found, indent=1) + "\n")


def measured(world: str, work: Path) -> dict[str, Any]:
    """The conditions of one world."""
    began = time.monotonic()
    train, _ = EPISODES[world]
    work = work / world
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    parent = write(work / "parent", AgentRecord("random", {"agent.policy": "random", "image": False}), {})
    collected = embodied.evaluate(
        world, parent.folder, split="train", episodes=train, seed=11, corrector="oracle", out=work / "collect"
    ).run
    learners: dict[str, dict[str, Any]] = {
        "raw": {"raw": True, "human": False, "episodes": train},
        "without the human phase": {"human": False, "episodes": train},
        "full": {"episodes": train, "corrector": "oracle"},
        "full, whole episodes": {"episodes": train, "corrector": "oracle", "unit": "episode"},
    }
    rows: dict[str, Any] = {"none (random play)": scored(world, parent, work / "dev-none")}
    versions = {}
    for name, settings in learners.items():
        folder = work / name.replace(" ", "-").replace(",", "")
        practice = Playground(world, work / f"learn-{folder.name}", [collected], settings)
        versions[name] = learn(practice, parent, folder)
        row = scored(world, versions[name], work / f"dev-{folder.name}")
        rows[name] = {**row, "learned": versions[name].record.lineage.used}
        print(world, name, row, file=sys.stderr)
    for control in ("random", "shuffled"):
        options = {"agent.memory.retrieval": control}
        rows[f"full, {control} retrieval"] = scored(world, versions["full"], work / f"dev-{control}", options)
    rows["expert"] = scored(world, "expert", work / "dev-expert")
    return {"train_episodes": train, "conditions": rows, "seconds": round(time.monotonic() - began)}


def scored(
    world: str, agent: AgentVersion | str, out: Path, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Mean progress on the dev episodes, with its interval."""
    folder = agent.folder if isinstance(agent, AgentVersion) else agent
    done = embodied.evaluate(
        world, folder, split="dev", episodes=EPISODES[world][1], seed=7, out=out, options=dict(options or {})
    )
    interval = done.total.interval
    return {
        "progress": None if done.progress is None else round(done.progress, 4),
        "interval": None if interval is None else [round(end, 4) for end in interval],
        "episodes": done.total.scored,
        "tasks": {score.name: round(score.progress or 0.0, 3) for score in done.scores.tasks},
    }


def borrowed(work: Path, version: Path, other: Path) -> AgentVersion:
    """A version with the memory of another world."""
    mine, theirs = embodied.agents.versions.load(version), embodied.agents.versions.load(other)
    shutil.rmtree(work / "borrowed", ignore_errors=True)
    record = msgspec.structs.replace(mine.record, parts={})
    return write(work / "borrowed", record, {"memory": theirs.part("memory")})


if __name__ == "__main__":
    main()

"""What each environment's experts earn from the start, and after ten random actions (patheval_loop: three).

python benchmarks/experts.py [--env highway ...] [--episodes 10]     # writes benchmarks/experts.json

An expert that serves as corrector must advise from wherever play leads. The episodes are the first of the test split.
The random actions are those of the agent `random`. Episodes that they end are counted apart.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import UNSET

from embodied import envs
from embodied.agents.random import draw
from embodied.agents.vocabulary import present
from embodied.catalog import ENTRIES
from embodied.seeding import derive, generator
from embodied.splits import first_seed
from embodied.types import Observation

RESULT = Path(__file__).with_suffix(".json")
NOISE = 10
"""Random actions."""
FEWER = {"patheval_loop": 3}
"""Of these where an episode is short: patheval_loop has 12 decisions."""


def play(env: Any, seed: int, noise: int) -> dict[str, Any]:
    """One episode: `noise` random actions, then the expert's advice."""
    rng = generator(derive(seed, "experts", noise))
    observation, info = env.reset(seed=seed)
    over, step, advice, silent = False, 0, "", 0
    while not over:
        if step < noise:
            seen = Observation(observation["text"], actions=observation.get("actions", UNSET))
            action = draw(rng, present(env.mission, seen), seen)
        else:
            action = advice = observation["expert"]
            silent += not advice
        observation, _, terminated, truncated, info = env.step(action or env.default_action)
        over, step = terminated or truncated, step + 1
    return {
        "early": step <= noise,
        "progress": info["progress"] or 0.0,
        "success": bool(info["success"]),
        "steps": step,
        "end": "" if info["success"] else str(info.get("end_reason", "")),
        "gave_up": not info["success"] and step > noise and advice in ("", env.default_action),
    }


def row(name: str, expert: str, task: str, episodes: int) -> dict[str, Any]:
    """What an expert earns on a task."""
    env = envs.make(name, task, expert=expert if len(ENTRIES[name].experts) > 1 else True)
    first, began = first_seed("test", 0, name, task), time.process_time()
    found: dict[str, Any] = {"env": name, "expert": expert, "task": task, "episodes": episodes}
    for noise in (0, FEWER.get(name, NOISE)):
        played = [play(env, first + index, noise) for index in range(episodes)]
        going = [episode for episode in played if not episode["early"]]
        found["after_random" if noise else "from_start"] = {
            "ended_before": len(played) - len(going),
            "cases": len(going),
            "won": sum(episode["success"] for episode in going),
            "else": dict(sorted(Counter(episode["end"] for episode in going if episode["end"]).items())),
            "gave_up": sum(episode["gave_up"] for episode in going),
            "progress": round(float(np.mean([episode["progress"] for episode in going])), 3) if going else None,
            "steps": round(float(np.mean([episode["steps"] for episode in going])), 1) if going else None,
        }
    env.close()
    print(f"{name:18}{expert:14}{task:45}", found["from_start"], found["after_random"], flush=True)
    return {**found, "cpu_seconds": round(time.process_time() - began, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", nargs="*", default=[name for name in ENTRIES if ENTRIES[name].experts])
    parser.add_argument("--episodes", type=int, default=10)
    given = parser.parse_args()
    rows = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else []
    rows = [one for one in rows if one["env"] not in given.env]
    for name in given.env:
        for expert in ENTRIES[name].experts:
            rows += [row(name, expert, task, given.episodes) for task in ENTRIES[name].tasks]
    order = list(ENTRIES)
    rows.sort(key=lambda one: order.index(one["env"]))
    command = "python benchmarks/experts.py --episodes 10 (babaisai: 3)"
    RESULT.write_text(json.dumps({"command": command, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

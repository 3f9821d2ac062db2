"""What Crafter's experts reach, beside random actions: achievements after so many steps, and which.

python benchmarks/crafter_experts.py [--episodes 30]     # writes benchmarks/crafter_experts.json

The episodes are the first of the test split. `settler after 10` plays ten random actions first.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from embodied import envs
from embodied.catalog import entry
from embodied.seeding import generator
from embodied.splits import first_seed

RESULT = Path(__file__).with_suffix(".json")
STEPS = (300, 500, 2000)
PLAYERS = (("settler", 0), ("settler", 10), ("surveyor", 0), ("random", 2000))
"""Each with how many random actions it plays first."""


def reached(player: str, wander: int, seed: int) -> Iterator[set[str]]:
    """The achievements unlocked after each step of an episode."""
    env = envs.make("crafter", expert=False if player == "random" else player)
    phrases = env.mission.actions
    rng = generator(seed, "crafter experts")
    observation, _ = env.reset(seed=seed)
    over, step = False, 0
    while not over:
        action = list(phrases)[rng.integers(len(phrases))] if step < wander else observation["expert"]
        observation, _, terminated, truncated, info = env.step(action)
        over, step = terminated or truncated, step + 1
        yield {name for name, count in info["metrics"].items() if count}


def row(player: str, wander: int, episodes: int) -> dict[str, object]:
    """The means of one player."""
    began = time.process_time()
    first = first_seed("test", 0, "crafter", "default")
    played = [[*reached(player, wander, first + index)] for index in range(episodes)]
    seconds = time.process_time() - began
    after = {steps: [episode[min(steps, len(episode)) - 1] for episode in played] for steps in STEPS}
    counts = {steps: [len(found) for found in sets] for steps, sets in after.items()}
    return {
        "player": player if wander in (0, max(STEPS)) else f"{player} after {wander}",
        "achievements": {
            str(steps): {
                "mean": round(float(np.mean(count)), 2),
                "standard_error": round(float(np.std(count, ddof=1) / len(count) ** 0.5), 2),
            }
            for steps, count in counts.items()
        },
        "mean_steps": round(float(np.mean([len(episode) for episode in played])), 1),
        "cpu_ms_a_step": round(1000 * seconds / sum(len(episode) for episode in played), 3),
        "rates_after_500": {
            name: round(float(np.mean([name in found for found in after[500]])), 2)
            for name in sorted(set().union(*after[500]))
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=30)
    episodes: int = parser.parse_args().episodes
    rows = []
    for player, wander in PLAYERS:
        rows.append(row(player, wander, episodes))
        print(rows[-1]["player"], rows[-1]["achievements"], flush=True)
    result = {
        "environment": entry("crafter").id,
        "command": f"python benchmarks/crafter_experts.py --episodes {episodes}",
        "rows": rows,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

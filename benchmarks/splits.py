"""How often episodes of the train and dev splits begin as one of the test split does, by environment and task.

    nice python benchmarks/splits.py [--only babyai,highway]

Writes benchmarks/splits.json. Of each task, `episodes` episodes of the test split (suite seed 0) stand against as many
of train, of dev, and of the test split of another suite seed (`fresh`): that is what chance alone gives.

- `look alike`: episodes whose goal and first observation (text, status, picture) some test episode has too.
- `same item`: episodes whose item (`embodied.splits.item_of`) some test episode has too, where items have names.
- `same world` (BabyAI): the whole board, goal and place are the same, also where the agent cannot see.

All numbers are a function of the seeds. Games of TextWorld take seconds to minutes each to make.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from embodied import envs
from embodied.catalog import ENTRIES, Entry
from embodied.rollout.worlds.environment import observation_hash
from embodied.splits import Split, first_seed, item_of, options_of

RESULT = Path(__file__).with_suffix(".json")
EPISODES = {
    "babyai": 1000,
    "babaisai": 100,
    "nethack": 50,
    "minihack": 50,
    "crafter": 50,
    "highway": 20,
    "patheval_loop": 10,
    "grounding3d": 10,
    "textworld": 2,
}
"""Environment -> episodes of a task and split; fewer where they take long."""
VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "babyai": ({}, {"distractors": 3}),
    "minihack": ({}, {"picture": "tiles"}),
}
"""Other options that are measured beside the default: MiniHack's tiles leave out the line with the hero's numbers."""
AGAINST: tuple[tuple[str, Split, int], ...] = (("train", "train", 0), ("dev", "dev", 0), ("fresh", "test", 1))
"""Name, split and suite seed of what is set against the test split of suite seed 0."""


def starts(e: Entry, task: str, split: Split, suite: int, count: int, options: dict[str, Any]) -> Iterator[dict]:
    """The first moments of `count` episodes: what they look like, what they are about."""
    made = envs.make(e.name, task, **options, **options_of(split, e, {}, {}))
    first = first_seed(split, suite, e.name, task)
    for index in range(count):
        observation, info = made.reset(seed=first + index)
        goal, digest = made.mission.goal, observation_hash(observation)
        if "picture" in options:  # the map alone
            digest = observation_hash({"image": observation["image"]})
        found = {"look alike": (goal, digest)}
        if any(info.get(key) is not None for key in e.item_keys):
            found["same item"] = item_of(e.name, info, goal, digest)
        if e.name == "babyai":
            level = made._level.unwrapped  # type: ignore[attr-defined]  # the whole board is told nowhere
            found["same world"] = (level.grid.encode().tobytes(), tuple(level.agent_pos), level.agent_dir, goal)
        yield found
    made.close()


def measured(e: Entry, task: str, count: int, options: dict[str, Any]) -> dict[str, Any]:
    """Percent of episodes by what they share with a test episode."""
    shown = {**options, **({"image": True} if e.picture else {})}
    test = list(starts(e, task, "test", 0, count, shown))
    row: dict[str, Any] = {"env": e.name, "task": task, "options": options, "episodes": count}
    row["different"] = {kind: len({one[kind] for one in test}) for kind in test[0]}
    for name, split, suite in AGAINST:
        others = list(starts(e, task, split, suite, count, shown))
        row[name] = {
            kind: round(100 * sum(one[kind] in {t[kind] for t in test} for one in others) / count, 1)
            for kind in test[0]
        }
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="environments, separated by commas")
    chosen = parser.parse_args()
    rows = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else []
    for e in ENTRIES.ours.values():
        # The published splits of patheval and codalm are the data's own; patheval's train split is made by hand.
        if (
            "train" not in e.splits
            or e.name in ("patheval", "codalm")
            or e.name not in (chosen.only or e.name).split(",")
        ):
            continue
        rows = [row for row in rows if row["env"] != e.name]
        began = time.process_time()
        for options in VARIANTS.get(e.name, ({},)):
            for task in (task for task in e.tasks if task not in e.test_only):
                rows.append(measured(e, task, EPISODES[e.name], options))
        print(f"{e.name}: {time.process_time() - began:.0f} CPU seconds", flush=True)
        order = list(ENTRIES.ours)
        rows.sort(key=lambda row: order.index(row["env"]))
        command = "python benchmarks/splits.py"
        RESULT.write_text(json.dumps({"command": command, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

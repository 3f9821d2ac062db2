"""Which way of learning pays: improvements with several learners and training seeds, and their learning curves.

    nice -n 10 python benchmarks/improve.py --folder FOLDER [--only paper:0,recommended:0]

Writes benchmarks/improve.json. `corrections` fine-tunes tinyvlm-base on BabyAI's five tasks with three distractors; in
each round the agent plays 10 training episodes of each task with the oracle, and the expert demonstrates 1,000 of each.
A training seed is the suite seed of collecting and learning, and so of the test, too: each has its own test episodes. A
stopped script goes on where it was if it is told the same folder.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import embodied

RESULT = Path(__file__).with_suffix(".json")
TRAINING = {"demonstrations": 1000, "rate": 0.0005, "updates": 1200, "batch": 64}
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"preset": "paper", "held_out": 0.0, **TRAINING},
    "recommended": {"preset": "recommended", **TRAINING},
    "defaults": {"preset": "recommended"},
}


def measured(preset: str, seed: int, rounds: int, folder: Path) -> dict[str, Any]:
    """One improvement, as the rows of its curve."""
    begun = time.process_time()
    curve = embodied.improve(
        "babyai",
        "tinyvlm-base",
        "corrections",
        corrector="oracle",
        rounds=rounds,
        episodes=10,
        dev=20,
        test=40,
        seed=seed,
        out=folder / f"{preset}-{seed}",
        settings=PRESETS[preset],
        options={"env.distractors": 3, "run.concurrency": 16},
    )
    rows = [
        {
            "version": point.label.split("@")[0],
            "round": point.round,
            "decided": point.decided,
            "score": point.score,
            "interval": point.interval,
            "gain": point.gain,
            "gain_interval": point.gain_interval,
            "p": point.gain_p,
            "scored": point.episodes,
            "corrections": point.spent.corrections,
            "episodes": point.spent.episodes,
        }
        for point in curve.points
    ]
    verdicts = [done.verdict for done in curve.rounds if done.verdict is not None]
    gates = [{"parent": v.parent, "child": v.child, "p": v.p, "pairs": v.pairs} for v in verdicts]
    return {
        "preset": preset,
        "seed": seed,
        "settings": PRESETS[preset],
        "rows": rows,
        "gates": gates,
        "why": [done.why for done in curve.rounds],
        "known": list(curve.leaks),
        "refused": curve.refused,
        "cpu_seconds_of_this_process": round(time.process_time() - begun),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", default="paper:0,paper:1,paper:2,recommended:0")
    args = parser.parse_args()
    for name in args.only.split(","):
        preset, _, seed = name.partition(":")
        found = measured(preset, int(seed), args.rounds, args.folder)
        kept = json.loads(RESULT.read_text()) if RESULT.exists() else {"command": __doc__.splitlines()[2].strip()}
        kept["cores"] = os.cpu_count()
        kept[f"{preset}, seed {seed}"] = found
        RESULT.write_text(json.dumps(kept, indent=1) + "\n")
        print(name, [(row["decided"], row["score"]) for row in found["rows"]], flush=True)


if __name__ == "__main__":
    main()

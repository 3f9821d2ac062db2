"""What words are worth: an agent alone, corrected by the oracle, and the expert alone, on the same episodes.

    nice -n 10 python benchmarks/correctors.py [--episodes 30] [--out benchmarks/correctors.json]

Each row is one agent on one environment. The oracle speaks always; it is silent on half of the disagreements; and a
fifth of its corrections is wrong. All columns play the same seeds, and each difference to the agent alone is paired,
with a 95 % interval.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import embodied
from embodied.eval.compare import compare_two
from embodied.eval.results import read
from embodied.rollout.counts import CORRECTIONS, FOLLOWED

PAIRS = (("babyai", "goto", "random"), ("babaisai", "env/goto_win", "random"), ("babyai", "goto", "tinyvlm"))
HELP: dict[str, dict[str, Any]] = {
    "corrected": {"corrector": "oracle"},
    "silence 0.5": {"corrector": "oracle", "options": {"corrector.silence": 0.5}},
    "wrong 0.2": {"corrector": "oracle", "options": {"corrector.wrong": 0.2}},
}


def measure(env: str, task: str | None, agent: str, episodes: int, folder: Path) -> dict[str, Any]:
    """One row: scores in percent, and corrections an episode."""

    def play(name: str, agent: str, **more: Any) -> tuple[Any, dict[str, Any]]:
        done = embodied.evaluate(env, agent, task=task, episodes=episodes, out=folder / name, **more)
        results = read(done.run)
        ended = [e for e in results.ended.values() if e.progress is not None]
        row = {
            "episodes": len(ended),
            "progress": round(100 * sum(e.progress or 0 for e in ended) / len(ended), 1),
            "success": round(100 * sum(bool(e.success) for e in ended) / len(ended), 1),
            "steps": round(sum(e.steps for e in ended) / len(ended), 1),
        }
        for key in (CORRECTIONS, FOLLOWED):
            row[f"{key} an episode"] = round(sum(e.counts.get(key, 0) for e in ended) / len(ended), 2)
        return results, row

    alone, first = play("alone", agent)
    columns = {"alone": first, "expert alone": play("expert", "expert")[1]}
    for name, more in HELP.items():
        results, row = play(name.replace(" ", "-"), agent, **more)
        if (found := compare_two(results, alone)) is not None:
            row["gain"] = round(100 * found.difference, 1)
            row["gain 95 %"] = found.interval and [round(100 * x, 1) for x in found.interval]
            row["p"] = round(found.p, 4)
        columns[name] = row
    return {"env": env, "task": task, "agent": agent, "columns": columns}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--episodes", type=int, default=30)
    arguments.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    given = arguments.parse_args()
    rows = []
    for env, task, agent in PAIRS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(env, task, agent, given.episodes, Path(folder)))
        print(json.dumps(rows[-1], indent=1), flush=True)
        command = f"python benchmarks/correctors.py --episodes {given.episodes}"
        given.out.write_text(json.dumps({"command": command, "seed": 0, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

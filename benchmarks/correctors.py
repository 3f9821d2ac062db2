"""What words are worth: an agent alone, corrected by the oracle, and the expert alone, on the same episodes.

    nice -n 10 python benchmarks/correctors.py [--episodes 30] [--runs FOLDER] [--only babyai:smollm2]

Writes benchmarks/correctors.json. Each row is one agent on one environment. The oracle speaks always; it is silent on
half of the disagreements; and a fifth of its corrections is wrong. All columns of a row play the same seeds, and each
difference to the agent alone is paired, with a 95 % interval. A stopped script goes on where it was if it is told the
same folder of runs.

SmolLM2 is slow on a CPU. It is held to the list of actions where there is one, and its episodes are cut short
(`run.steps`), in all columns of its row alike: its scores are not those of the whole environment. tinyvlm was never
taught to read corrections: it plays once as it is, and once with `agent.follow=true`. It knows one environment only.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import embodied
from embodied.eval.compare import compare_two
from embodied.eval.results import Results, read
from embodied.rollout.counts import CORRECTIONS, FOLLOWED

CHOICE = {"agent.format": "choice"}
FOLLOW = {"agent.follow": True}


@dataclass(frozen=True)
class Row:
    """An agent on a task."""

    env: str
    task: str | None
    agent: str
    options: dict[str, Any] = field(default_factory=dict)
    """Of all columns."""
    format: dict[str, Any] = field(default_factory=dict)
    """Of the agent's columns; the expert knows no such setting."""

    @property
    def follows(self) -> bool:
        return bool(self.format.get("agent.follow"))


ROWS = (
    Row("babyai", "goto", "random"),
    Row("babyai", None, "tinyvlm-base"),
    Row("babyai", None, "tinyvlm-base", {}, FOLLOW),
    Row("babaisai", "env/goto_win", "random"),
    Row("babaisai", "env/goto_win", "tinyvlm-babaisai"),
    Row("patheval_loop", None, "random"),
    Row("corner_case_drive", None, "random"),
    Row("textworld", None, "random"),
    Row("babyai", "goto", "smollm2", {"run.steps": 16}, CHOICE),
    Row("babaisai", "env/goto_win", "smollm2", {"run.steps": 10}, CHOICE),
    Row("patheval_loop", None, "smollm2", {}, CHOICE),
    Row("textworld", "coin_collector", "smollm2", {"run.steps": 24}),
    Row("corner_case_drive", None, "smollm2", {}, CHOICE),
)
HELP: dict[str, dict[str, Any]] = {
    "corrected": {},
    "silence 0.5": {"corrector.silence": 0.5},
    "wrong 0.2": {"corrector.wrong": 0.2},
}


def measure(row: Row, episodes: int, folder: Path) -> dict[str, Any]:
    """One row: scores in percent, and corrections an episode."""
    folder = folder / f"{row.env}-{(row.task or 'all').replace('/', '-')}-{row.agent}{'-follow' * bool(row.follows)}"

    def play(name: str, agent: str, **more: Any) -> tuple[Results, dict[str, Any]]:
        options = row.options | (row.format if agent != "expert" else {}) | more.pop("options", {})
        done = embodied.evaluate(
            row.env, agent, task=row.task, episodes=episodes, out=folder / name, options=options, **more
        )
        results = read(done.run)
        ended = [e for e in results.ended.values() if e.progress is not None]
        column = {
            "episodes": len(ended),
            "progress": round(100 * sum(e.progress or 0 for e in ended) / len(ended), 1),
            "success": round(100 * sum(bool(e.success) for e in ended) / len(ended), 1),
            "steps": round(sum(e.steps for e in ended) / len(ended), 1),
        }
        for key in (CORRECTIONS, FOLLOWED):
            column[f"{key} an episode"] = round(sum(e.counts.get(key, 0) for e in ended) / len(ended), 2)
        return results, column

    alone, first = play("alone", row.agent)
    columns = {"alone": first, "expert alone": play("expert", "expert")[1]}
    for name, options in HELP.items():
        results, column = play(name.replace(" ", "-"), row.agent, corrector="oracle", options=options)
        if (found := compare_two(results, alone)) is not None:
            column["gain"] = round(100 * found.difference, 1)
            column["gain 95 %"] = found.interval and [round(100 * x, 1) for x in found.interval]
            column["p"] = round(found.p, 4)
        columns[name] = column
    return asdict(row) | {"columns": columns}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--episodes", type=int, default=30, help="of each task")
    arguments.add_argument("--runs", type=Path, help="keep the runs here, and continue those that are there")
    arguments.add_argument("--only", default="", metavar="ENV:AGENT", help="the rows of one environment and agent")
    arguments.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    given = arguments.parse_args()
    rows = json.loads(given.out.read_text())["rows"] if given.out.exists() else []
    for row in ROWS:
        if given.only not in ("", f"{row.env}:{row.agent}"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            measured = measure(row, given.episodes, given.runs or Path(folder))
        print(json.dumps(measured, indent=1), flush=True)
        key = ("env", "task", "agent", "options", "format")
        rows = [r for r in rows if any(r.get(k) != measured[k] for k in key)] + [measured]
        command = f"python benchmarks/correctors.py --episodes {given.episodes}"
        given.out.write_text(json.dumps({"command": command, "seed": 0, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

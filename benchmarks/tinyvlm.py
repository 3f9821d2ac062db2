"""How well tinyvlm plays, training seed by training seed, beside its controls and its teacher.

python benchmarks/tinyvlm.py train --env babyai --seeds 0 1 2 --out runs/tinyvlm       # one core, in turn
python benchmarks/tinyvlm.py measure --env babyai --out runs/tinyvlm                   # writes benchmarks/tinyvlm.json

`train` makes `OUT/<env>-<seed>` with `embodied train tinyvlm` and writes the CPU seconds beside it. `measure` plays
each with `embodied ablate` on episodes of the test split, and the expert on the same episodes, and adds a table of the
environment to the JSON. Both go on where they were stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

RESULT = Path(__file__).with_suffix(".json")
EMBODIED = [sys.executable, "-m", "embodied"]
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
VARIANTS: dict[str, list[list[str]]] = {
    "babyai": [["env.distractors=0"], ["env.distractors=3"]],
    "crafter": [["env.max_steps=300"]],
}
"""Further words of each table; one table without words for the other environments."""
EXPERTS = {"minihack": "explorer", "crafter": "settler"}
"""Who taught it, where that is not the environment's first expert."""


def cpu() -> float:
    """CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def train(env: str, seeds: list[int], out: Path) -> None:
    """Trains what is not there yet. A training that went on after a kill has no CPU seconds."""
    for seed in seeds:
        folder, note = out / f"{env}-{seed}", out / f"{env}-{seed}.json"
        if (folder / "agent.json").exists():
            continue
        whole, before = not folder.exists(), cpu()
        command = [*EMBODIED, "train", "tinyvlm", "--env", env, "--seed", str(seed), "--out", str(folder)]
        subprocess.run(command, check=True, env=ONE_THREAD)
        note.write_text(json.dumps({"cpu_seconds": round(cpu() - before, 1) if whole else None}) + "\n")


def said(words: list[str]) -> Any:
    """What a command prints as JSON."""
    done = subprocess.run([*EMBODIED, *words, "--json"], check=True, env=ONE_THREAD, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def measure(env: str, out: Path, each: int) -> None:
    """Plays every agent of the environment under its controls."""
    found: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for folder in sorted(path for path in out.glob(f"{env}-*") if (path / "agent.json").exists()):
        for words in VARIANTS.get(env, [[]]):
            name = " ".join([env, *words])
            runs = out / "runs" / folder.name / (words[0] if words else "plain")
            common = ["--env", env, "--episodes", str(each), *words]
            agent = said(["agents", "show", str(folder)])
            tasks = agent["agent"].get("tasks", {}).get(env)
            played = said(["ablate", "--agent", str(folder), "--out", str(runs), *common])
            expert = said(
                [
                    *("eval", "--agent", "expert", "--out", str(out / "runs" / "expert" / name.replace(" ", "-"))),
                    *(["--task", ",".join(tasks)] if tasks else []),
                    *([f"agent.expert={EXPERTS[env]}"] if env in EXPERTS else []),
                    *common,
                ]
            )
            note = out / f"{folder.name}.json"
            seconds = json.loads(note.read_text())["cpu_seconds"] if note.exists() else None
            row = {"agent": agent["label"], "training_cpu_seconds": seconds, **agent["agent"]["lineage"]["used"]}
            row |= {"conditions": played, "expert": expert}
            found.setdefault(name, {})[f"seed {row['seed']}"] = row
            RESULT.write_text(json.dumps(found, indent=1) + "\n")
            print(f"{name}, {agent['label']}: done")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("train", "measure"))
    parser.add_argument("--env", default="babyai")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/tinyvlm"))
    parser.add_argument("--episodes", type=int, default=40, help="Of each task.")
    words = parser.parse_args()
    words.out.mkdir(parents=True, exist_ok=True)
    if words.stage == "train":
        train(words.env, words.seeds, words.out)
    else:
        measure(words.env, words.out, words.episodes)


if __name__ == "__main__":
    main()

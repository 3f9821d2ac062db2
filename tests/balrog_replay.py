"""Replays the public BALROG records through our environments and says where the two part.

    python -m tests.balrog_replay --env babyai,babaisai,textworld

A record is the JSON and CSV of one episode of the leaderboard. How it becomes a replay:

- Seed: `env.reset(seed=record["seed"])` under `rules="balrog"`. Records without a seed (one TextWorld episode) depend
  on the game alone.
- Action: the CSV has what the model said. Where the row's observation opens with BALROG's notice on an invalid action,
  the executed action is the one the notice names; otherwise the environment decides, as it does for every phrase.
- Observation: the CSV has the text after the row's action, behind that notice. What `reset` returned is not recorded.
- TextWorld: the manifest names the game file. NetHack: the manifest says how pages of a long message were joined, and a
  record made with images has the text BALROG shows beside them.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import embodied.envs

OURS = {"nle": "nethack"}
"""BALROG's environment name -> ours, where they differ."""

_NOTICE = re.compile(
    r"\A\n\nYour previous output (?:did not contain a valid action\.|action: .*? is not a valid action\.)"
    r" Defaulted to action: (?P<executed>[^\n]*)\n(?:\nObservation:\n)?",
    re.DOTALL,
)
_FIELD_LIMIT = 10**9


@dataclass(frozen=True)
class Row:
    """One step of a record."""

    action: str
    """What to hand to the environment."""
    text: str
    """The observation's text after the action, without the notice."""
    reward: float
    done: bool


@dataclass(frozen=True)
class Record:
    """One recorded episode."""

    env: str
    """Our name of the environment."""
    task: str
    name: str
    """`<submission>__<run>`."""
    seed: int
    """0 where the record has none."""
    progression: float
    rows: tuple[Row, ...]
    kwargs: dict[str, Any]
    """Constructor options."""
    options: dict[str, Any]
    """Options of `reset`."""


@dataclass
class Replay:
    """What came of one record. The replay ends where the record or the environment's episode ends."""

    record: Record
    rows: int
    """Rows of the record."""
    replayed: int = 0
    observations: int = 0
    """Rows whose observation text was equal; likewise the next two."""
    rewards: int = 0
    dones: int = 0
    progression: float = 0.0
    """Ours, at the end."""
    difference: str = ""
    """The first difference, in words."""

    @property
    def exact(self) -> bool:
        return self.rows == self.observations == self.rewards == self.dones and self.progression_equal

    @property
    def progression_equal(self) -> bool:
        return abs(self.progression - self.record.progression) < 1e-9

    def __str__(self) -> str:
        counts = f"{self.rows} rows: observations {self.observations}, rewards {self.rewards}, done {self.dones} equal"
        progression = f"progression {self.progression:.4f}, recorded {self.record.progression:.4f}"
        verdict = "exact " if self.exact else "DIFFERS"
        return f"{verdict:8}{self.record.env:10}{self.record.task} {self.record.name}: {counts}; {progression}"


def manifest(root: Path, env: str | None = None) -> list[dict[str, Any]]:
    """The manifest's entries, of one of our environments or of all."""
    entries = json.loads((root / "manifest.json").read_text())
    return [e for e in entries if env is None or OURS.get(e["env"], e["env"]) == env]


def load(root: Path, entry: dict[str, Any]) -> Record:
    """Reads the record that an entry of the manifest names."""
    path = root / "records" / entry["env"] / entry["task"] / f"{entry['submission']}__{entry['run']}.json"
    meta = json.loads(path.read_text())
    env = OURS.get(entry["env"], entry["env"])
    kwargs: dict[str, Any] = {}
    if entry.get("more_joiner"):
        kwargs["more_joiner"] = entry["more_joiner"]
    if env == "nethack" and meta["agent"].get("max_image_history", 0) > 0:
        kwargs["text"] = "language"  # what BALROG shows beside a picture; no picture is needed to compare it
    options = {"game": str(root / "games" / entry["game"])} if entry.get("game") else {}
    rows = tuple(_rows(path.with_suffix(".csv")))
    return Record(
        env,
        entry["task"],
        f"{entry['submission']}__{entry['run']}",
        meta.get("seed") or 0,
        meta["progression"],
        rows,
        kwargs,
        options,
    )


def _rows(path: Path) -> Iterator[Row]:
    csv.field_size_limit(_FIELD_LIMIT)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, escapechar="\u02d8"):
            text, action = row["Observation"] or "", row["Action"] or ""
            if notice := _NOTICE.match(text):
                text, action = text[notice.end() :], notice["executed"]
            yield Row(action, text, float(row["Reward"]), row["Done"] == "True")


def replay(record: Record) -> Replay:
    """Runs `record` through our environment."""
    env = embodied.envs.make(record.env, record.task, rules="balrog", **record.kwargs)
    result = Replay(record, rows=len(record.rows))
    try:
        _, info = env.reset(seed=record.seed, options=record.options)
        for i, row in enumerate(record.rows):
            observation, reward, terminated, truncated, info = env.step(row.action)
            result.replayed += 1
            result.observations += observation["text"] == row.text
            result.rewards += abs(reward - row.reward) < 1e-9
            result.dones += (terminated or truncated) == row.done
            ours, theirs = (observation["text"], reward, terminated or truncated), (row.text, row.reward, row.done)
            if ours != theirs and not result.difference:
                result.difference = _difference(i, row.action, ours, theirs)
            if terminated or truncated:
                break
        result.progression = info["progress"]
    finally:
        env.close()
    if not result.difference and result.replayed < result.rows:
        result.difference = f"our episode ended after {result.replayed} of {result.rows} rows"
    return result


def _difference(row: int, action: str, ours: tuple, theirs: tuple) -> str:
    named = [
        f"{what}\n  recorded: {b!r}\n  ours:     {a!r}"
        for what, a, b in zip(("text", "reward", "done"), ours, theirs, strict=True)
        if a != b
    ]
    return f"row {row}, action {action!r}: " + "\n".join(named)


def main(argv: list[str] | None = None) -> int:
    """The command line. Returns 1 when any record differs, else 0."""
    here = Path(__file__).parents[2] / "shared/data/balrog"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="babyai,babaisai,textworld", help="our names, separated by commas")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("EMBODIED_BALROG_DATA", here)),
        help="folder with manifest.json",
    )
    parser.add_argument("--filter", default="", help="only records whose task or name contains this")
    args = parser.parse_args(argv)
    total = exact = 0
    for env in args.env.split(","):
        entries = [e for e in manifest(args.data, env) if args.filter in f"{e['task']} {e['submission']}__{e['run']}"]
        results = []
        for entry in entries:
            results.append(replay(load(args.data, entry)))
            print(results[-1], flush=True)
            if not results[-1].exact:
                print("  first difference:", results[-1].difference or "the final progression", flush=True)
        good = sum(r.exact for r in results)
        print(f"{env}: {good}/{len(results)} exact")
        total, exact = total + len(results), exact + good
    print(f"total: {exact}/{total} exact")
    return 0 if exact == total > 0 else 1


if __name__ == "__main__":
    sys.exit(main())

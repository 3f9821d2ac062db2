"""What BALROG's files are called and what is in them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from embodied.errors import StoreError
from embodied.eval.balrog import NAMES
from embodied.store.checks import is_task

OURS = {theirs: ours for ours, theirs in NAMES.items()}
"""BALROG's name of an environment -> ours, where they differ."""
ENVIRONMENTS = ("babyai", "babaisai", "textworld", "crafter", "nle", "minihack")
"""BALROG's names, in the order of its configuration."""

COLUMNS = ("Step", "Action", "Reasoning", "Observation", "Reward", "Done")
"""Of a trajectory. An observation is the one after the action; what `reset` returned is not recorded."""
ESCAPE = "\u02d8"
FIELD_LIMIT = 10**9
"""A NetHack observation with its reasoning outgrows csv's default."""

DEFAULT_ACTIONS = {
    "babyai": "go forward",
    "babaisai": "idle",
    "crafter": "Noop",
    "nle": "esc",
    "minihack": "north",
    "textworld": "help",
}
"""What BALROG executes in place of an invalid action."""
END_STATUS = {-1: "aborted", 0: "", 1: "death", 2: "success"}
"""MiniHack's numeric `end_reason`."""

NOTICE = re.compile(
    r"\A\n\nYour previous output (?:did not contain a valid action\.|action: .*? is not a valid action\.)"
    r" Defaulted to action: (?P<executed>[^\n]*)\n(?:\nObservation:\n)?",
    re.DOTALL,
)
"""What stands before the observation after an invalid action; two wordings have been in use."""


def notice(executed: str) -> str:
    """The notice as BALROG writes it today."""
    return f"\n\nYour previous output did not contain a valid action. Defaulted to action: {executed}\n\nObservation:\n"


def step_limit(env: str, task: str) -> int:
    """BALROG's step limit (balrog/config/config.yaml, and the levels' own)."""
    if env == "babyai":
        return 64 if task.endswith(("/goto", "/pickup")) else 128
    return {"babaisai": 100, "textworld": 80, "crafter": 2_000, "nle": 100_000, "minihack": 100}.get(env, 10**9)


def episode_path(root: Path, env: str, task: str, index: int) -> Path:
    """Where an episode lies, without suffix; `env` is BALROG's name. Raises `StoreError` for a task that would lie
    outside `root`.
    """
    if not (env and task and is_task(env) and is_task(task)):
        raise StoreError(f"{env} {task!r} cannot be a folder of a submission.")
    return root / env / task / f"{task}_run_{index:02d}"


def episode_files(folder: Path) -> list[Path]:
    """The JSON files of an environment's episodes, in order of their paths. No link is followed."""
    files = (Path(top) / name for top, _, names in os.walk(folder) for name in names)
    return sorted(p for p in files if re.search(r"_run_\d{1,9}\.json\Z", p.name))


def submissions(path: Path) -> list[Path]:
    """`path` itself where it is a submission, else the submissions in it, at any depth; empty where there is none. No
    link is followed.
    """
    if (path / "summary.json").is_file() or any(
        (path / env).is_dir() and episode_files(path / env) for env in ENVIRONMENTS
    ):
        return [path]
    return [
        s for child in sorted(path.iterdir()) if child.is_dir() and not child.is_symlink() for s in submissions(child)
    ]

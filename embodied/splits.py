"""Which episodes may teach and which may test: three disjoint ranges of environment seeds.

`test` is what every published score was played on. `train` teaches; `dev` decides what is kept. An environment whose
seeds choose among finitely many published items says so in the catalog: all of its published items are `test`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from embodied.catalog import ENTRIES, Entry
from embodied.errors import UsageError
from embodied.seeding import derive

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
_WIDTH = 1 << 30
_FIRST: dict[Split, int] = {"test": 0, "train": _WIDTH, "dev": 2 * _WIDTH}
MOST = 1 << 20
"""Episodes of a task in one split; the ranges are kept apart by as many seeds."""


def check_split(name: str) -> Split:
    """`name` as a split. Raises `UsageError` where there is none of that name."""
    for split in SPLITS:
        if name == split:
            return split
    raise UsageError(f"There is no split named {name!r}. --split is one of {', '.join(SPLITS)}.")


def first_seed(split: Split, seed: int, env: str, task: str) -> int:
    """The environment's seed of episode 0 of a task; episode k has the k-th seed after it.

    Args:
        split: Which range. For `test` the seeds are those of every run recorded before there were splits.
        seed: The suite seed.
        env: Command-line name.
        task: Task name.

    Raises:
        UsageError: No such split.
    """
    first = derive(seed, "episode", env, task, bits=30)
    if check_split(split) == "test":
        return first
    # The seeds of `test` may go on behind its range, by at most MOST.
    return _FIRST[split] + min(max(first, MOST), _WIDTH - MOST - 1)


def another_seed(seed: int, *path: str | int) -> int:
    """A seed of the same range as `seed`, derived from it and `path`: of another episode of the same split."""
    first = derive(seed, *path, bits=30)
    if seed < _FIRST["train"] + MOST:
        return first
    split: Split = "train" if seed < _FIRST["dev"] else "dev"
    return _FIRST[split] + min(max(first, MOST), _WIDTH - MOST - 1)


def split_of(config: Mapping[str, Any]) -> str:
    """The split that a recorded configuration names: `test` where it names none, as before there were splits."""
    run = config.get("run")
    return str((run.get("split") if isinstance(run, dict) else None) or "test")


def item_of(env: str, info: Mapping[str, Any], goal: str, first_hash: str) -> str:
    """What an episode was about, as one line that two episodes share when they are about the same.

    Args:
        env: Command-line name.
        info: What the reset told (`Episode.info`).
        goal: `Mission.goal`.
        first_hash: Of the first observation (`Episode.first_hash`); it depends on whether there was a picture.
    """
    keys = ENTRIES[env].item_keys if env in ENTRIES else ()
    named = {key: info[key] for key in keys if info.get(key) is not None}
    return f"{env} {json.dumps(named or {'goal': goal, 'start': first_hash}, sort_keys=True)}"


def check_tasks(split: Split, entry: Entry, tasks: Iterable[str]) -> None:
    """Raises `UsageError` for a task that has no such split."""
    if split != "test" and (same := [task for task in tasks if task in entry.test_only]):
        raise UsageError(
            f"{entry.name} {same[0]} has no {split} split, as every seed gives the same episode: name other tasks with"
            " --task."
        )


def options_of(split: Split, entry: Entry, options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an environment with which it plays a split.

    Args:
        split: The split; for `test` there are none.
        entry: The environment.
        options: What is chosen, defaults among it.
        defaults: The options' defaults.

    Returns:
        What has to be set.

    Raises:
        UsageError: The environment has no such split, or an option says something else.
    """
    if split == "test":
        return {}
    if split not in entry.splits:
        having = ", ".join(e.name for e in ENTRIES.ours.values() if split in e.splits)
        raise UsageError(
            f"{entry.name} has no {split} split: all that it can play is its test items. These have one: {having}."
        )
    needed = {option: value for of, option, value in entry.split_options if of == split}
    if options.get("data") is not None and "split" not in needed:
        raise UsageError(
            f"The published files of {entry.name} are all of the test split: leave out --data, or --split {split}."
        )
    for option, value in needed.items():
        if options.get(option, value) not in (value, defaults.get(option)):
            raise UsageError(
                f"--split {split} sets env.{option}={value} of {entry.name}: leave out env.{option}={options[option]}."
            )
    return needed

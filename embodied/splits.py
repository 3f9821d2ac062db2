"""Which episodes may teach and which may test: three disjoint ranges of environment seeds.

`test` is what every published score was played on. `train` teaches; `dev` decides what is kept. An environment whose
seeds choose among finitely many published items says so in the catalog: all of its published items are `test`.
"""

from __future__ import annotations

from typing import Literal

from embodied.errors import UsageError
from embodied.seeding import derive

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
_WIDTH = 1 << 30
_FIRST: dict[Split, int] = {"test": 0, "train": _WIDTH, "dev": 2 * _WIDTH}
MOST = 1 << 20
"""Episodes of a task in one split; the ranges are kept apart by as many seeds."""


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
    if split not in _FIRST:
        raise UsageError(f"There is no split named {split!r}. --split is one of {', '.join(SPLITS)}.")
    first = derive(seed, "episode", env, task, bits=30)
    return first if split == "test" else _FIRST[split] + min(first, _WIDTH - MOST - 1)

"""Plays a small run in a process of its own, to be killed: `python -m tests.rollout.driver RUN`."""

from __future__ import annotations

import sys
from pathlib import Path

from embodied.types import TaskSpec
from tests.rollout.playing import TASK, make_run, play

EPISODES, STEPS = 12, 100


def main(root: Path) -> None:
    run, specs = make_run(root, EPISODES, TaskSpec(TASK.env, TASK.task, {"max_steps": STEPS}))
    play(run, specs, concurrency=4, workers=2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

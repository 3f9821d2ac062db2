"""Plays a small run in which somebody goes back, in a process of its own, to be killed:
`python -m tests.rollout.branching_driver RUN`. Another call continues.
"""

from __future__ import annotations

import sys
from pathlib import Path

from embodied.rollout.control import Branch, Rewind
from embodied.types import TaskSpec
from tests.rollout.playing import TASK, make_run
from tests.rollout.test_branching import playing

COMMANDS = {(0, 20): Branch(10), (0, 30): Rewind(25), (1, 15): Branch(15), (2, 10): Rewind(0)}
"""Episode and step -> what somebody does after it."""


def main(root: Path) -> None:
    run, specs = make_run(root, 3, TaskSpec(TASK.env, TASK.task, {"max_steps": 40}))

    def at_step(spec, step, channel) -> None:
        command = COMMANDS.get((spec.index, step.index))
        if command is not None and not isinstance(spec.parent, str):
            channel.submit(command)

    playing(run, specs, at_step, concurrency=2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

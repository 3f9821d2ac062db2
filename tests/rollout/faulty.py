"""A Gymnasium environment that goes wrong at the step and in the way it is told:
`gym:tests.rollout.faulty:Faulty-v0`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import gymnasium
from gymnasium import spaces

LENGTH = 6
"""Steps of an episode."""


class Faulty(gymnasium.Env):
    """A counter with a seed. At step `at` it does `fault`; with `once`, a file, only where that does not exist yet.

    Args:
        fault: raise, tell (raise, and show the environment's variables), hang, exit, segfault, freeze (no sign of
            life), drift (another observation than before), nan (a reward that is not a number), or nothing.
        seeds: The episodes it happens in; empty for all.
        only: A file; nothing happens where it is not there.
        where: step; or reset, making or closing, where it happens instead.
        child: A file for the id of a process that the environment starts, and ends where it is closed.
        spared: For making: how many environments of this process are made well before.
    """

    made = 0
    """Environments of this process."""
    observation_space = spaces.Text(100)
    action_space = spaces.Discrete(3)

    def __init__(
        self,
        fault: str = "",
        at: int = 3,
        once: str = "",
        seeds: tuple[int, ...] = (),
        seconds: float = 0.0,
        where: str = "step",
        child: str = "",
        only: str = "",
        spared: int = 0,
    ):
        self._fault, self._at, self._once, self._seeds, self._seconds = fault, at, once, tuple(seeds), seconds
        self._where, self._child, self._only = where, None, only
        Faulty.made += 1
        if where == "making" and Faulty.made > spared:
            self._go_wrong()
        if child:
            deaf = "import signal, time; signal.signal(signal.SIGHUP, signal.SIG_IGN); time.sleep(600)"
            process = self._child = subprocess.Popen([sys.executable, "-c", deaf])
            Path(child).write_text(str(process.pid))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if self._where == "reset" and self._happens():
            self._go_wrong()
        self._seed, self._count, self._sum = seed, 0, int(self.np_random.integers(100))
        return f"sum {self._sum}", {}

    def step(self, action):
        time.sleep(self._seconds)
        drift, reward = 0, float(action)
        if self._where == "step" and self._count == self._at and self._happens():
            drift = self._go_wrong()
            reward = float("nan") if self._fault == "nan" else reward
        self._count += 1
        self._sum += int(action) + drift
        return (
            f"sum {self._sum}",
            reward,
            self._count == LENGTH,
            False,
            {"success": True} if self._count == LENGTH else {},
        )

    def close(self):
        if self._where == "closing":
            self._go_wrong()
        if self._child is not None:
            self._child.kill()

    def _happens(self) -> bool:
        if self._only and not Path(self._only).exists():
            return False
        if self._seeds and self._seed not in self._seeds:
            return False
        if not self._once:
            return True
        try:
            Path(self._once).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _go_wrong(self) -> int:
        match self._fault:
            case "tell":
                raise RuntimeError(" ".join(f"{name}={value}" for name, value in os.environ.items()))
            case "raise":
                raise RuntimeError("segment violated")
            case "hang":
                time.sleep(3600)
            case "exit":
                os._exit(3)
            case "segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "freeze":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "drift":
                return time.time_ns() % 1_000_000 + 1
        return 0


gymnasium.register("Faulty-v0", Faulty)

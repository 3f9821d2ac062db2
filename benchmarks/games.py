"""Steps per CPU second of every game beside its raw simulator, in one run; and the CPU seconds of a reset.

CPU time is that of this process and of the children it has waited for, so that other work on the machine matters
little. Actions are random but seeded. Resets during the measurement are not counted as steps' time.

    python benchmarks/games.py [--seconds 3] [--only nethack,crafter]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from embodied import envs

TASKS = {
    "nethack": "NetHackChallenge-v0",
    "minihack": "MiniHack-MazeWalk-15x15-v0",
    "babyai": "BabyAI-MixedTrainLocal-v0/goto",
    "crafter": "default",
    "textworld": "coin_collector",
    "babaisai": "env/two_room-break_stop-make_win",
}
COMMANDS = ("look", "inventory", "go north", "go south", "go east", "go west", "take coin")
"""What is typed into TextWorld, whose vocabulary is free."""

Step = Callable[[int], bool]
"""Takes a random integer, makes a step, returns whether the episode ended."""


def cpu() -> float:
    """CPU seconds, user and system, of this process and its present and past children (those to a hundredth)."""
    past = os.times()
    return time.process_time() + past.children_user + past.children_system + sum(_cpu_of(pid) for pid in _children())


def _children() -> list[int]:
    return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rate(step: Step, reset: Callable[[int], object], seconds: float) -> tuple[float, float]:
    """Steps per CPU second, and CPU seconds of a reset (median)."""
    numbers = np.random.default_rng(0).integers(2**31, size=1_000_000).tolist()
    resets, steps, spent = [], 0, 0.0
    reset(0)  # imports, caches, tables
    while spent < seconds:
        start = cpu()
        reset(len(resets))
        resets.append(cpu() - start)
        start = cpu()
        for _ in range(200):
            steps += 1
            if step(numbers[steps % len(numbers)]):
                break
        spent += cpu() - start
    return steps / spent, statistics.median(resets)


def ours(name: str, seconds: float, image: bool) -> tuple[float, float]:
    env = envs.make(name, TASKS[name], **({"image": True} if image else {}))
    phrases = getattr(env.action_space, "phrases", COMMANDS)

    def step(number: int) -> bool:
        _, _, terminated, truncated, _ = env.step(phrases[number % len(phrases)])
        return terminated or truncated

    try:
        return rate(step, lambda seed: env.reset(seed=seed), seconds)
    finally:
        env.close()


def raw_nethack(seconds: float) -> float:
    from nle.nethack import USEFUL_ACTIONS

    from embodied.games.nethack.raw import NetHack

    game = NetHack()
    return rate(
        lambda n: game.press(int(USEFUL_ACTIONS[n % len(USEFUL_ACTIONS)])), lambda seed: game.start(seed), seconds
    )[0]


def raw_babyai(seconds: float) -> float:
    """Minigrid's own step and observation on the same levels."""
    from minigrid.core.roomgrid import RoomGrid

    from embodied.games.babyai.levels import MixedTrainLevel

    class Level(MixedTrainLevel):
        gen_obs = RoomGrid.gen_obs  # ours makes none: text and picture come from the grid

    level = Level("goto", distractors=0, max_steps=64)

    def step(number: int) -> bool:
        _, _, terminated, truncated, _ = level.step(number % 6)
        return terminated or truncated

    return rate(step, lambda seed: level.reset(seed=seed), seconds)[0]


def raw_crafter(seconds: float) -> float:
    import crafter

    env = crafter.Env(seed=0)
    return rate(lambda n: env.step(n % 17)[2], lambda seed: env.reset(), seconds)[0]


def raw_textworld(seconds: float) -> float:
    """TextWorld's own door to the interpreter, on the same ten games, with the same limit of steps."""
    import textworld

    env = envs.make("textworld", TASKS["textworld"])
    games = []
    for seed in range(10):
        env.reset(seed=seed)
        games.append(str(env.game_file))
    env.close()
    raw, steps = textworld.start(games[0]), 0

    def reset(seed: int) -> None:
        nonlocal steps
        steps = 0
        raw.load(games[seed % len(games)])
        raw.reset()

    def step(number: int) -> bool:
        nonlocal steps
        steps += 1
        return raw.step(COMMANDS[number % len(COMMANDS)])[2] or steps == 80

    return rate(step, reset, seconds)[0]


RAW = {
    "nethack": raw_nethack,
    "minihack": raw_nethack,
    "babyai": raw_babyai,
    "crafter": raw_crafter,
    "textworld": raw_textworld,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="CPU seconds per figure")
    parser.add_argument("--only", default=",".join(TASKS), help="games, separated by commas")
    arguments = parser.parse_args()
    print(
        f"{'game':10} {'raw':>8} {'text':>8} {'of raw':>7} {'image':>8} {'reset':>9}   (steps per CPU second; CPU ms)"
    )
    for name in arguments.only.split(","):
        raw = RAW[name](arguments.seconds) if name in RAW else None
        text, reset = ours(name, arguments.seconds, image=False)
        image = ours(name, arguments.seconds, image=True)[0] if envs.entry(name).picture else None
        columns = [
            f"{raw:8.0f}" if raw else f"{'-':>8}",
            f"{text:8.0f}",
            f"{text / raw:7.2f}" if raw else f"{'-':>7}",
            f"{image:8.0f}" if image else f"{'-':>8}",
        ]
        print(f"{name:10} {' '.join(columns)} {1000 * reset:9.1f}", flush=True)


if __name__ == "__main__":
    main()

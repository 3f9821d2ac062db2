"""Decisions a CPU second of the closed loops, with and without pictures, on one core; and whether two runs give the
same bytes.

python benchmarks/driving.py [--episodes 4] [--highway]
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import time

from embodied import envs
from embodied.driving.closed_loop.env import CornerCaseDriveEnv

WORDS = ("maintain", "slow", "maintain", "yield")


def drive(env: CornerCaseDriveEnv, seeds: range) -> tuple[int, float, float, str]:
    """Decisions, CPU seconds of resets and of decisions, and a digest of all that was observed."""
    digest, decisions, resets, seconds = hashlib.sha256(), 0, 0.0, 0.0
    for seed in seeds:
        start = time.process_time()
        observation, _ = env.reset(seed=seed)
        resets += time.process_time() - start
        for word in itertools.cycle(WORDS):
            start = time.process_time()
            observation, _, terminated, truncated, _ = env.step(word)
            seconds += time.process_time() - start
            decisions += 1
            digest.update(observation["text"].encode())
            if "image" in observation:
                digest.update(observation["image"].tobytes())
            if terminated or truncated:
                break
    return decisions, resets, seconds, digest.hexdigest()


def closed_loop(name: str, episodes: int, **options) -> None:
    env, seeds = CornerCaseDriveEnv(**options), range(0, 12 * episodes, 12)
    (decisions, resets, seconds, one), (_, again, other, two) = drive(env, seeds), drive(env, seeds)
    rate, same = decisions / min(seconds, other), "equal" if one == two else "DIFFER"
    print(
        f"{name:28} {rate:7.1f} decisions/s; reset {resets / episodes:.2f} s, then {again / episodes:.3f} s; bytes"
        f" {same} on two runs"
    )


def highway() -> None:
    for task in envs.entry("highway").tasks:
        env = envs.make("highway", task=task)
        env.reset(seed=0)
        start, decisions = time.process_time(), 0
        while decisions < 15:
            *_, terminated, truncated, _ = env.step(env.default_action)
            decisions += 1
            if terminated or truncated:
                env.reset(seed=decisions)
        print(f"highway {task:20} {decisions / (time.process_time() - start):7.1f} decisions/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=4)
    parser.add_argument("--highway", action="store_true", help="highway-env's roads, too")
    options = parser.parse_args()
    closed_loop("closed loop, text", options.episodes)
    closed_loop("closed loop, 1 Hz, text", options.episodes, hz=1)
    closed_loop("closed loop, 640 x 360", options.episodes, image=True)
    if options.highway:
        highway()


if __name__ == "__main__":
    main()

"""What drivers that look at nothing earn on the driving environments: the rows that every score there is read beside.

python benchmarks/driving_floors.py corner_case_drive [--rounds 2]     # writes embodied/driving/data/floors.json, its
part of it python benchmarks/driving_floors.py highway [--seeds 50] [--task merge,exit]

Corner cases in motion: one word said always, by pair; words said at fixed times, the same on both roads, and others on
the second road than on the first (who has passed the first road knows that the second one is of the other kind).
highway-env: one phrase said always, phrases drawn at random, the rule-based driver. Everything is a function of the
seeds.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embodied.seeding import generator

FLOORS = Path(__file__).parents[1] / "embodied/driving/data/floors.json"
Program = Callable[[int], str]
"""Number of the decision on a road -> the word."""


def mean_and_error(values: Sequence[float]) -> dict[str, float]:
    """Mean and its standard error, rounded to four decimals."""
    array = np.asarray(values, dtype=np.float64)
    error = float(array.std(ddof=1) / np.sqrt(len(array))) if len(array) > 1 else 0.0
    return {"mean": round(float(array.mean()), 4), "standard_error": round(error, 4)}


def timed(word: str, begin: int, decisions: int) -> Program:
    """Goes on, says `word` for some decisions from number `begin` on, and goes on again."""
    return lambda k: word if begin <= k < begin + decisions else "maintain"


def programs() -> dict[str, Program]:
    """Drivers that look at nothing, by name: two decisions a second."""
    from embodied.driving.closed_loop.world import ACTIONS

    found: dict[str, Program] = {f"always {word}": (lambda k, word=word: word) for word in ACTIONS}
    for word, begin in itertools.product(("left", "right"), range(0, 11, 2)):
        found[f"{word} once, after {begin / 2:g} s"] = timed(word, begin, 1)
    for word, begin, decisions in itertools.product(("slow", "yield", "stop"), range(0, 11, 2), (2, 4, 8)):
        found[f"{word} for {decisions / 2:g} s, after {begin / 2:g} s"] = timed(word, begin, decisions)
    return found


def corner_cases(rounds: int) -> dict[str, Any]:
    """Every program on both roads of every pair. The order of the roads is drawn with equal chances, so its mean is
    exact.
    """
    from embodied.driving.closed_loop.env import KINDS
    from embodied.driving.closed_loop.road import DrivenRoad
    from embodied.driving.closed_loop.rule_driver import decide
    from embodied.driving.closed_loop.scenes import drive_of, pairs, start
    from embodied.driving.closed_loop.world import ACTIONS

    known = pairs()
    seeds = range(rounds * len(known))

    def ends(kind: str, seed: int, program: Program | None) -> Any:
        pair, _, earlier, share = start(known, seed)
        road = DrivenRoad(kind, drive_of(getattr(pair, kind), earlier, share, 5))
        for k in itertools.count():
            road.drive(program(k) if program else decide(road.world), 5)
            if road.over:
                return road.ending()

    def row(program: Program | None) -> dict[str, Any]:
        endings = {kind: [ends(kind, s, program) for s in seeds] for kind in KINDS}
        both = [min(pair[0].worth, pair[1].worth) for pair in zip(*endings.values(), strict=True)]
        navsim = [sum(e.parts["navsim"] for e in pair) / 2 for pair in zip(*endings.values(), strict=True)]
        worth = {kind: [e.worth for e in found] for kind, found in endings.items()}
        return {
            "score": mean_and_error(both),
            "navsim": mean_and_error(navsim),
            "pairs_won": sum(v > 0 for v in both),
            "worth": worth,
        }

    words = {f"always {word}" for word in ACTIONS}
    rows = {name: row(program) for name, program in programs().items()}
    hazard, clear = (np.array([rows[name]["worth"][kind] for name in rows]) for kind in KINDS)
    names = list(rows)
    # one program on the first road, another on the second, the order drawn with equal chances
    mixed = (np.minimum(hazard[:, None], clear[None]) + np.minimum(clear[:, None], hazard[None])) / 2
    mean = mixed.mean(axis=2)
    best = np.unravel_index(int(mean.argmax()), mean.shape)
    same = [rows[name]["score"]["mean"] for name in names]
    memorised = np.minimum(hazard, clear).max(axis=0)
    shown = {name: {k: v for k, v in rows[name].items() if k != "worth"} for name in rows if name in words}
    return {
        "environment": "embodied/CornerCaseDrive-v1",
        "command": f"python benchmarks/driving_floors.py corner_case_drive --rounds {rounds}",
        "seeds": len(seeds),
        "pairs": len(known),
        "rule_driver": {k: v for k, v in row(None).items() if k != "worth"},
        "constants": shown,
        "pairs_a_constant_wins": sorted(
            {
                known[s % len(known)].clear.name
                for s in seeds
                for n in words
                if min(rows[n]["worth"][k][s] for k in KINDS) > 0
            }
        ),
        "blind_programs": len(names),
        "best_blind_same_on_both": {
            "name": names[int(np.argmax(same))],
            "score": rows[names[int(np.argmax(same))]]["score"],
        },
        "best_blind_two_programs": {
            "first": names[best[0]],
            "second": names[best[1]],
            "score": mean_and_error(mixed[best]),
        },
        "best_blind_by_pair": {"score": mean_and_error(memorised), "seeds_won": int((memorised > 0).sum())},
    }


def highway(task: str, seeds: int) -> dict[str, Any]:
    """Every phrase of a road said always, phrases drawn at random, and the rule-based driver, on the same seeds."""
    from embodied import envs

    env = envs.make("highway", task=task, expert=True, max_steps=None)
    phrases = list(env.action_space)

    def row(choose: Callable[[dict[str, Any], np.random.Generator], str], watched: bool) -> dict[str, Any]:
        env.unwrapped._has_expert = watched  # the rule-based driver need not think where nobody asks it
        ends = []
        for seed in range(seeds):
            observation, _ = env.reset(seed=seed)
            rng, over = generator(seed, "driving_floors", "random"), False
            while not over:
                observation, _, terminated, truncated, info = env.step(choose(observation, rng))
                over = terminated or truncated
            ends.append(info)
        values = {
            "score": [i["progress"] for i in ends],
            "success": [bool(i["success"]) for i in ends],
            "collision": [i["metrics"]["collision"] for i in ends],
        }
        return {name: mean_and_error(v) for name, v in values.items()}

    rows = {f"always {p}": row(lambda o, rng, p=p: p, False) for p in phrases}
    random = row(lambda o, rng: phrases[int(rng.integers(len(phrases)))], False)
    return {"seeds": seeds, "constants": rows, "random": random, "rule_driver": row(lambda o, rng: o["expert"], True)}


def write(part: str, found: dict[str, Any]) -> None:
    known = json.loads(FLOORS.read_text(encoding="utf-8")) if FLOORS.exists() else {}
    if part == "highway":
        found = {**found, "tasks": known.get("highway", {}).get("tasks", {}) | found["tasks"]}
    FLOORS.write_text(json.dumps(known | {part: found}, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("corner_case_drive", "highway"))
    parser.add_argument("--rounds", type=int, default=2, help="of all pairs; each round begins them otherwise")
    parser.add_argument("--seeds", type=int, default=50, help="of every road of highway-env, from 0")
    parser.add_argument("--task", help="roads, separated by commas; all ten by default")
    options = parser.parse_args()
    if options.what == "corner_case_drive":
        write(options.what, corner_cases(options.rounds))
        return
    from embodied.catalog import entry

    command = "python benchmarks/driving_floors.py highway --task TASK --seeds SEEDS"
    for task in options.task.split(",") if options.task else entry("highway").tasks:
        write(
            "highway",
            {"environment": entry("highway").id, "command": command, "tasks": {task: highway(task, options.seeds)}},
        )
        print(task, flush=True)


if __name__ == "__main__":
    main()

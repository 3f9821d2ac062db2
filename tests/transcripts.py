"""Golden transcripts: episodes of our own in tests/golden/<env>.jsonl, replayed to notice any change of what an agent
sees.

    python -m tests.transcripts babyai      # writes them anew, after a change that was meant

A line is an episode: how to make the environment, the seed, what `reset` showed, and a row a step. Texts are kept
whole, pictures as hashes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import embodied.envs

GOLDEN = Path(__file__).parent / "golden"

_TOUR = [
    "inventory",
    "esc",
    "far east",
    "far south",
    "attributes",
    "more",
    "esc",
    "drop",
    "a",
    "look",
    "pickup",
    "search",
    "9",
    "kick",
    "west",
    "fly",
]
_SETTLER = """2 Move East, 1 Do, 2 Move East, 1 Do, 1 Move East, 1 Move North, 1 Do, 2 Move West, 1 Move North, 1 Do, \
2 Move South, 1 Do,
1 Place Table, 1 Make Wood Pickaxe, 1 Make Wood Sword, 12 Move West, 1 Do, 1 Move West, 1 Do, 6 Move East, 7 Move \
North, 1 Do,
1 Move South, 2 Do, 1 Place Plant, 1 Move East, 1 Place Stone, 1 Do, 1 Sleep, 1 fly"""

_FIGHT = """northwest east southwest northeast west west south south southeast southeast south northwest southwest \
northwest southeast southeast
northeast southwest northwest west northeast south southwest northeast northeast northeast south northwest west west \
north northeast northeast
west southeast east southeast north northwest east east northeast south northwest southeast north east west southeast \
southwest northeast
northwest south east east east west north east east east east southeast southeast north east southeast north south \
northeast south east northeast"""
"""Ends where two giant rats died: their corpses do not stack."""


def _spelled_out(story: str) -> list[str]:
    """`2 Move East, 1 Do` as the actions one by one."""
    counted = (part.split(maxsplit=1) for part in story.split(","))
    return [phrase for count, phrase in counted for _ in range(int(count))]


EPISODES: dict[str, list[dict[str, Any]]] = {
    "babaisai": [
        {
            "task": "env/two_room-break_stop-make_win-distr_obj_rule",
            "seed": 3,
            "kwargs": {"expert": True, "image": True},
        },
        {"task": "env/two_room-make_you-make_win", "seed": 1, "kwargs": {"expert": True, "image": True}},
        {"task": "env/two_room-make_you", "seed": 3, "kwargs": {}, "actions": ["left", "fly", "right", "down"]},
        {"task": "env/two_room-make_you", "seed": 3, "kwargs": {"rules": "balrog"}, "actions": ["down", "up", "idle"]},
    ],
    "crafter": [
        {"task": "default", "seed": 142, "kwargs": {"image": True}, "actions": _spelled_out(_SETTLER)},
        {
            "task": "default",
            "seed": 142,
            "kwargs": {"rules": "balrog", "wording": "2024-11"},
            "actions": ["Move East", "Move East", "Do", "Sleep"],
        },
    ],
    "babyai": [
        {
            "task": f"BabyAI-MixedTrainLocal-v0/{kind}",
            "seed": seed,
            "kwargs": {"expert": True, "image": True, "distractors": seed},
        }
        for seed, kind in enumerate(("goto", "pickup", "open", "putnext", "pick_up_seq_go_to"))
    ],
    "textworld": [
        {"task": "coin_collector", "seed": 0, "kwargs": {"expert": True}},
        {"task": "treasure_hunter", "seed": 0, "kwargs": {"expert": True}},
        {
            "task": "the_cooking_game",
            "seed": 0,
            "kwargs": {},
            "actions": ["goal", "help", "xyzzy", "take", "save", "look", "go north", "inventory"],
        },
        {
            "task": "the_cooking_game",
            "seed": 0,
            "kwargs": {"rules": "balrog"},
            "actions": ["goal", "help", "xyzzy", "take", "save", "go north"],
        },
    ],
    "minihack": [
        {
            "task": "MiniHack-MazeWalk-9x9-v0",
            "seed": 1,
            "kwargs": {},
            "actions": ["north", "east", "south", "west", "fly", "southeast"],
        },
        {
            "task": "MiniHack-Boxoban-Medium-v0",
            "seed": 1,
            "kwargs": {"image": True},
            "actions": ["north", "west", "south", "east"],
        },
        {
            "task": "MiniHack-Quest-Easy-v0",
            "seed": 1,
            "kwargs": {},
            "actions": ["inventory", "esc", "wield", "b", "b", "fire", "east", "down"],
        },
        {
            "task": "MiniHack-Corridor-R3-v0",
            "seed": 2,
            "kwargs": {"rules": "balrog"},
            "actions": ["kick", "east", "open", "north", "search", "a"],
        },
        {"task": "MiniHack-Room-5x5-v0", "seed": 12, "kwargs": {"text": "language"}, "actions": ["southeast"] * 4},
        {
            "task": "MiniHack-CorridorBattle-Dark-v0",
            "seed": 32,
            "kwargs": {"text": "language"},
            "actions": _FIGHT.split(),
        },
    ],
    "patheval_loop": [
        {"task": "drive", "seed": 6, "kwargs": {"expert": "shortest_path", "image": True}},
        {"task": "drive", "seed": 3, "kwargs": {"paths": 2}, "actions": ["path 1", "replan", "path 3", "path 2"]},
    ],
    "patheval": [
        {"task": "decide", "seed": 13, "kwargs": {"expert": True, "image": True}},
        {
            "task": "decide",
            "seed": 14,
            "kwargs": {"expert": True, "image": True, "view": "3d", "ids": "random", "inputs": "image+descriptors"},
        },
        {
            "task": "perceive",
            "seed": 3,
            "kwargs": {"image": True, "layout": "separate", "swap": True},
            "actions": ["Path 1"],
        },
        {
            "task": "perceive",
            "seed": 4,
            "kwargs": {"image": True, "layout": "overlay", "answer": "value"},
            "actions": ["Path 1: 300, Path 2: 250"],
        },
        {"task": "abstract", "seed": 8, "kwargs": {}, "actions": ["minimum clearance: higher"]},
        {"task": "integrate", "seed": 5, "kwargs": {"descriptor_set": "paper"}, "actions": ["both"]},
    ],
    "codalm": [
        {"task": "general_perception", "seed": 0, "kwargs": {"expert": True}},
        {
            "task": "region_perception",
            "seed": 5,
            "kwargs": {"box": "text"},
            "actions": ["It is not a dog but a traffic cone."],
        },
        {
            "task": "region_perception",
            "seed": 2,
            "kwargs": {"image": True, "zoom": 1},
            "actions": ["zoom(560, 300, 160, 90)", "A car."],
        },
        {
            "task": "driving_suggestion",
            "seed": 3,
            "kwargs": {},
            "actions": ["Stop behind it, and do not change lanes."],
        },
    ],
    "corner_case_drive": [
        {"task": "drive", "seed": 4, "kwargs": {"expert": True}},
        {
            "task": "drive",
            "seed": 7,
            "kwargs": {"image": True, "width": 320, "hz": 1},
            "actions": ["maintain", "slow", "left", "stop"],
        },
    ],
    "grounding3d": [
        {"task": "locate", "seed": 0, "kwargs": {"expert": True, "image": True}},
        {
            "task": "locate",
            "seed": 4,
            "kwargs": {"chain": "box_first"},
            "actions": ["[10, 20, 30, 40]", "x=1, y=0.8, z=20, w=1.8, h=1.5, l=4.5"],
        },
        {"task": "locate", "seed": 7, "kwargs": {"hint": "box"}, "actions": ["I cannot tell."]},
    ],
    "highway": [
        {"task": "merge", "seed": 2, "kwargs": {"expert": True, "max_steps": 6}},
        {"task": "parking", "seed": 1, "kwargs": {"expert": True, "max_steps": 6}},
    ],
    "nethack": [
        {"task": "NetHackChallenge-v0", "seed": 3, "kwargs": {}, "actions": _TOUR},
        {
            "task": "NetHackChallenge-v0",
            "seed": 4,
            "kwargs": {"rules": "balrog", "text": "language"},
            "actions": ["search", "inventory", "esc", "up", "y"],
        },
    ],
}
"""What to record; `actions` may name the actions, else the environment's expert plays."""


def play(name: str, task: str, seed: int, kwargs: dict[str, Any], actions: list[str] | None = None) -> dict[str, Any]:
    """Plays an episode and returns its transcript, plain JSON."""
    env = embodied.envs.make(name, task, **kwargs)
    observation, info = env.reset(seed=seed)
    episode = {
        "task": task,
        "seed": seed,
        "kwargs": kwargs,
        "goal": env.mission.goal,
        "first": _plain(observation),
        "info": info,
        "steps": [],
    }
    terminated = truncated = False
    while not (terminated or truncated) and (actions is None or len(episode["steps"]) < len(actions)):
        action = observation["expert"] if actions is None else actions[len(episode["steps"])]
        observation, reward, terminated, truncated, info = env.step(action)
        row = {
            "action": action,
            "observation": _plain(observation),
            "reward": reward,
            "terminated": terminated,
            "truncated": truncated,
            "info": info,
        }
        episode["steps"].append(row)
    env.close()
    return episode


def golden(name: str) -> list[dict[str, Any]]:
    """The transcripts in tests/golden/<name>.jsonl."""
    return [json.loads(line) for line in (GOLDEN / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def again(name: str, episode: dict[str, Any]) -> dict[str, Any]:
    """Plays a transcript's actions anew."""
    return play(
        name, episode["task"], episode["seed"], episode["kwargs"], [step["action"] for step in episode["steps"]]
    )


def _plain(observation: dict[str, Any]) -> dict[str, Any]:
    """As JSON brings it back."""
    return {key: _value(value) for key, value in observation.items()}


def _value(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return hashlib.sha256(value.tobytes()).hexdigest()
    return list(value) if isinstance(value, tuple) else value


if __name__ == "__main__":
    for env_name in sys.argv[1:] or EPISODES:
        lines = [json.dumps(play(env_name, **episode), ensure_ascii=False) + "\n" for episode in EPISODES[env_name]]
        (GOLDEN / f"{env_name}.jsonl").write_text("".join(lines), encoding="utf-8")
        print(f"{env_name}: {len(lines)} episodes")

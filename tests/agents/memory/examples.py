"""Memories for the tests: of real shape, with texts that repeat as those of episodes do."""

from __future__ import annotations

from typing import Any

import numpy as np

from embodied.agents.memory.record import Links, Memory, Notes, Provenance, Result, Stats, identified
from embodied.blobs import Blobs, put_frame
from embodied.seeding import generator

COLOURS, KINDS = ("red", "green", "blue", "grey"), ("ball", "key", "box", "door")
TASKS = {"babyai": ("goto", "pickup"), "textworld": ("treasure_hunter",)}


def example(**given: Any) -> Memory:
    """One memory of BabyAI, with other values for some fields."""
    values: dict[str, Any] = {
        "env": "babyai",
        "task": "goto",
        "goal": "go to the red ball",
        "observation": "a red ball 2 steps forward",
        "actions": ("go forward",),
        "status": "verified",
    }
    return identified(Memory(**values | {"id": ""} | given))


def full(blobs: Blobs) -> Memory:
    """One that has something in every field."""
    frame = generator(0, "frame").integers(0, 256, (24, 32, 3)).astype(np.uint8)
    return example(
        state="agent faces east",
        raw=("turn left", "turn right", "go forward"),
        notes=Notes(
            causal=("The ball is straight ahead.",),
            state_changes=("The agent stands beside the ball.",),
            subgoals=("Reach the ball.",),
            relevant=("the red ball",),
        ),
        lessons=("A turn that is taken back helps nothing.",),
        feedbacks=("You turned away from the ball.",),
        outcome=Result(success=True, progress=1.0, steps=1),
        provenance=Provenance(
            episode="babyai-goto-1", run="abc", seed=1 << 30, split="train", agent="random", prompt="1", by="rules"
        ),
        stats=Stats(retrieved=3, in_success=2, in_failure=1),
        links=Links(supersedes=("older",), conflicts=("other",)),
        pictures=(put_frame(blobs, frame),),
    )


def many(count: int, seed: int = 0, episodes: int | None = None) -> list[Memory]:
    """`count` memories of two environments, of `episodes` episodes; many have the same goal."""
    rng = generator(seed, "memories")
    found = []
    for number in range(count):
        env = ("babyai", "textworld")[rng.integers(2)]
        colour, kind = COLOURS[rng.integers(4)], KINDS[rng.integers(4)]
        won, lost = (int(n) for n in rng.integers(0, 5, 2))
        found.append(
            example(
                env=env,
                task=TASKS[env][rng.integers(len(TASKS[env]))],
                goal=f"go to the {colour} {kind}",
                observation=f"a {COLOURS[rng.integers(4)]} {KINDS[rng.integers(4)]} {rng.integers(9)} steps forward",
                state=f"room {rng.integers(5)}" if rng.random() < 0.5 else "",
                actions=(f"action {number}",),
                provenance=Provenance(run="r", episode=f"e{rng.integers(episodes or count)}"),
                stats=Stats(retrieved=won + lost, in_success=won, in_failure=lost),
                status=("verified", "candidate", "retired")[rng.choice(3, p=(0.7, 0.2, 0.1))],
            )
        )
    return found

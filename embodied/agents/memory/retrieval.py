"""Finds the memories that are most like a query, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from embodied.agents.memory.record import Memory, Status

Control = Literal["", "random", "shuffled"]
WEIGHTS: Mapping[str, float] = {"task": 0.5, "observation": 0.2, "state": 0.2, "picture": 0.1}


@dataclass(frozen=True)
class Retrieval:
    """How memories are found."""

    k: int = 5
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    usefulness: float = 0.0
    """Weight of the usefulness that statistics say, in [0, 1] before it is weighed."""
    statuses: tuple[Status, ...] = ("verified",)
    same_task: bool = False
    control: Control = ""
    """random: any memories that the filter lets through. shuffled: each memory with another one's vectors."""
    seed: int = 0
    """Of the controls: the episode's seed."""


@dataclass(frozen=True)
class Hit:
    """A memory that was found, and why."""

    memory: Memory
    score: float
    parts: Mapping[str, float]
    """Facet -> cosine, and `usefulness`: before the weights."""

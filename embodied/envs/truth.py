"""What an environment knows and an agent must see for itself: the objects in the picture, and which of them matter."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sight:
    """One object in an environment's picture."""

    box: tuple[int, int, int, int]
    """Left, top, right, bottom in pixels of the picture; right and bottom are outside of it."""
    words: tuple[str, ...]
    """What it is called, in words that the environment's goals use; every object has as many, in the same order
    (`("red", "ball")`)."""
    named: bool
    """Whether the goal of the episode speaks of it."""

"""Words that the descriptions of several environments share."""

from __future__ import annotations


def counted(n: int, noun: str) -> str:
    """A number of things: `1 step`, `3 steps`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def side(offset: float) -> str:
    """Where something is whose offset to the right is `offset`: `right` or `left`."""
    return "right" if offset > 0 else "left"

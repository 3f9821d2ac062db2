"""Words that the descriptions of several environments share."""

from __future__ import annotations


def side(offset: float) -> str:
    """Where something is whose offset to the right is `offset`: `right` or `left`."""
    return "right" if offset > 0 else "left"

"""Tables of an environment's own measures: what it returns, and how a cell is printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from embodied.eval.statistics import wilson
from embodied.types import Episode, Step

Cell = str | float | int | None
Replies = Callable[[Episode], Sequence[Step]]
"""Reads an episode's steps."""


@dataclass(frozen=True)
class Table:
    """A table of an environment's own measures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    """A row has a cell a column; the first is its name. A share is in [0, 1]; None for an empty cell."""
    note: str = ""
    """What a reader must know: how many, of what, by which rule."""


Analysis = Callable[[Sequence[Episode], Replies], list[Table]]


def share(successes: float, n: int) -> str:
    """A share with its 95 % Wilson interval: `0.62 [0.53, 0.70]`; `-` of nothing."""
    interval = wilson(successes, n)
    return f"{successes / n:.2f} [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else "-"


def words(cell: Cell) -> str:
    """A cell as it is printed: numbers with three digits behind the point."""
    return "-" if cell is None else f"{cell:.3f}" if isinstance(cell, float) else str(cell)

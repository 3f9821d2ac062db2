"""Plots of the leaderboard, as inline SVG whose colours come from the style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from embodied.eval.leaderboard.board import Board, BoardEntry, ScoreCell
from embodied.eval.leaderboard.parts import data
from embodied.eval.markup import Html, el
from embodied.quantities import dollars, percent

LEFT, RIGHT, ABOVE, BELOW = 52, 30, 14, 40


@dataclass(frozen=True)
class Axes:
    """Where costs and scores lie in a plot, in pixels: scores from 0 to 100 %, costs on a logarithmic axis, what cost
    nothing at its left end.
    """

    width: int
    height: int
    first: int
    """Powers of ten between which costs lie."""
    last: int
    free: bool
    """Whether something cost nothing."""

    @classmethod
    def of(cls, points: Sequence[Priced], width: int, height: int) -> Axes:
        paid = [p.cost for p in points if p.cost]
        first = math.floor(math.log10(min(paid))) if paid else 0
        last = max(math.ceil(math.log10(max(paid))), first + 1) if paid else 1
        return cls(width, height, first, last, any(not p.cost for p in points))

    @property
    def right(self) -> int:
        return self.width - RIGHT

    @property
    def ground(self) -> int:
        return self.height - BELOW

    def x(self, cost: float) -> float:
        start = LEFT + (70 if self.free else 0)
        if not cost:
            return LEFT + 26.0
        return round(
            start + 12 + (math.log10(cost) - self.first) / (self.last - self.first) * (self.right - start - 12), 1
        )

    def y(self, score: float) -> float:
        return round(self.ground - min(score, 1.0) * (self.ground - ABOVE), 1)


def span_bar(cell: ScoreCell, width: int = 92) -> Html:
    """A score on a track from 0 to 100 %, with its interval."""

    def x(value: float) -> float:
        return round(5 + min(value, 1.0) * (width - 10), 1)

    parts = [el("line", class_="track", x1=5, x2=width - 5, y1=8, y2=8)]
    if cell.interval:
        low, high = x(cell.interval[0]), x(cell.interval[1])
        parts.append(el("path", class_="interval", d=f"M{low} 4V12M{low} 8H{high}M{high} 4V12"))
    parts.append(el("circle", class_="mean", cx=x(cell.score or 0.0), cy=8, r=4))
    return el("svg", parts, viewBox=f"0 0 {width} 16", width=width, height=16, aria_hidden="true")


@dataclass(frozen=True)
class Priced:
    """An entry with a price and a score: a point of the plot."""

    entry: BoardEntry
    cost: float
    score: float

    def __str__(self) -> str:
        return f"{percent(self.score)}, {dollars(self.cost)}"


def priced(board: Board) -> list[Priced]:
    """The points of the plot, in the order of the board."""
    return [Priced(e, e.cost, e.total.score) for e in board.entries if e.cost is not None and e.total.score is not None]


def score_against_cost(board: Board, narrow: bool = False) -> Html:
    """Every entry with a price: score up from 0 to 100 %, dollars to the right on a logarithmic axis.

    Args:
        board: The board.
        narrow: For a phone: drawn at its size, points with numbers in place of names (`cost_key` names them).
    """
    points = priced(board)
    axes = Axes.of(points, *((350, 330) if narrow else (1000, 380)))
    parts = _lines_of_axes(axes, narrow)
    frontier = _frontier([p for p in points if p.entry.ranked])
    if len(frontier) > 1:
        path = "M" + "L".join(f"{axes.x(p.cost)} {axes.y(p.score)}" for p in frontier)
        parts.append(el("path", class_="frontier", d=path))
    names = [str(n) if narrow else p.entry.settings.name for n, p in enumerate(points, 1)]
    labels = _labels([(axes.x(p.cost), axes.y(p.score), name) for p, name in zip(points, names, strict=True)], axes)
    for point, (lx, ly, anchor, words) in zip(points, labels, strict=True):
        px, py = axes.x(point.cost), axes.y(point.score)
        entry, interval = point.entry, point.entry.total.interval
        whisker = (
            el("line", class_="interval", x1=px, x2=px, y1=axes.y(interval[0]), y2=axes.y(interval[1]))
            if interval
            else None
        )
        title = el("title", f"{entry.settings.name}: {point}")
        label = el("text", words, class_="name", x=lx, y=ly, text_anchor=anchor)
        class_ = "point" if entry.ranked else "point unranked"
        parts.append(el("g", title, whisker, el("circle", cx=px, cy=py, r=5.5), label, class_=class_, **data(entry)))
    said = "; ".join(f"{p.entry.settings.name} {percent(p.score)} for {dollars(p.cost)}" for p in points)
    size = {"viewBox": f"0 0 {axes.width} {axes.height}", "width": axes.width if narrow else "100%"}
    return el(
        "svg",
        parts,
        **size,
        role="img",
        class_="narrow" if narrow else "broad",
        aria_label=f"Score against cost of the run: {said}",
    )


def cost_key(board: Board) -> Html:
    """What the numbers of the narrow plot stand for."""
    items = (el("li", p.entry.settings.name, el("span", f" {p}"), **data(p.entry)) for p in priced(board))
    return el("ol", items, class_="narrow key")


def _lines_of_axes(axes: Axes, narrow: bool) -> list[Html]:
    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1) if narrow else (0, 0.2, 0.4, 0.6, 0.8, 1):
        at = axes.y(share)
        parts.append(el("line", class_="axis", x1=LEFT, x2=axes.right, y1=at, y2=at))
        parts.append(el("text", percent(share, 0), x=LEFT - 8, y=at + 4, text_anchor="end"))
    powers = range(axes.first, axes.last + 1)
    for power in powers[:: 1 + len(powers) // 5] if narrow else powers:
        at = axes.x(10.0**power)
        parts.append(el("line", class_="tick", x1=at, x2=at, y1=axes.ground, y2=axes.ground + 5))
        parts.append(el("text", f"${10.0**power:,.{max(0, -power)}f}", x=at, y=axes.ground + 19, text_anchor="middle"))
    if axes.free:
        parts.append(el("text", "free", x=axes.x(0), y=axes.ground + 19, text_anchor="middle"))
    parts.append(el("text", "cost of the run", x=(LEFT + axes.right) / 2, y=axes.height - 3, text_anchor="middle"))
    return parts


def _frontier(points: Sequence[Priced]) -> list[Priced]:
    """The entries that no cheaper entry beats, by cost."""
    best: list[Priced] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.score)):
        if not best or point.score > best[-1].score:
            best.append(point)
    return best


def _labels(points: Sequence[tuple[float, float, str]], axes: Axes) -> list[tuple[float, float, str, str]]:
    """A place for each name, (x, y, anchor, words): beside its point, moved up or down where another name stands
    already.
    """
    taken: list[tuple[float, float, float]] = []
    placed = []
    for px, py, name in points:
        words = name if len(name) <= 34 else f"{name[:33]}…"
        width = 6.6 * len(words)
        right = px + 10 + width <= axes.width
        left_end = px + 10 if right else px - 10 - width
        at = py + 4
        for shift in (0, -14, 14, -28, 28, -42, 42, -56, 56):
            at = min(max(py + 4 + shift, ABOVE + 4), axes.ground - 4)
            if all(abs(at - y) >= 13 or left_end > x + w or left_end + width < x for x, y, w in taken):
                break
        taken.append((left_end, at, width))
        placed.append((px + 10 if right else px - 10, at, "start" if right else "end", words))
    return placed

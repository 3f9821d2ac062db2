"""Plots of the leaderboard, as inline SVG whose colours come from the style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

from embodied.eval.charts import percent, top
from embodied.eval.leaderboard.board import Board, Cell, Entry
from embodied.eval.markup import Html, el

WIDTH, HEIGHT = 1000, 380
LEFT, RIGHT, ABOVE, BELOW = 52, 30, 14, 40


def span_bar(cell: Cell, limit: float, width: int = 92) -> Html:
    """A score on a track from 0 to `limit`, with its interval."""

    def x(value: float) -> float:
        return round(5 + min(value / limit, 1.0) * (width - 10), 1)

    parts = [el("line", class_="track", x1=5, x2=width - 5, y1=8, y2=8)]
    if cell.interval:
        low, high = x(cell.interval[0]), x(cell.interval[1])
        parts.append(el("path", class_="interval", d=f"M{low} 4V12M{low} 8H{high}M{high} 4V12"))
    parts.append(el("circle", class_="mean", cx=x(cell.score or 0.0), cy=8, r=4))
    return el("svg", parts, viewBox=f"0 0 {width} 16", width=width, height=16, aria_hidden="true")


def score_against_cost(board: Board) -> Html:
    """Every entry with a price: score up, dollars to the right on a logarithmic axis (what cost nothing stands at its left end)."""
    from embodied.eval.leaderboard.site import data, dollars

    entries = [e for e in board.entries if e.cost is not None and e.total.score is not None]
    limit = top([e.total.interval[1] if e.total.interval else e.total.score for e in entries])
    paid = [e.cost for e in entries if e.cost]
    first = math.floor(math.log10(min(paid))) if paid else 0
    last = max(math.ceil(math.log10(max(paid))), first + 1) if paid else 1
    free = any(not e.cost for e in entries)
    start = LEFT + (70 if free else 0)

    def x(cost: float) -> float:
        if not cost:
            return LEFT + 26.0
        return round(start + 12 + (math.log10(cost) - first) / (last - first) * (WIDTH - RIGHT - start - 12), 1)

    def y(score: float) -> float:
        return round(HEIGHT - BELOW - min(score / limit, 1.0) * (HEIGHT - ABOVE - BELOW), 1)

    parts = []
    for share in (0, 0.2, 0.4, 0.6, 0.8, 1):
        parts.append(el("line", class_="axis", x1=LEFT, x2=WIDTH - RIGHT, y1=y(limit * share), y2=y(limit * share)))
        parts.append(el("text", percent(limit * share, 0 if limit >= 0.2 else 1), x=LEFT - 8, y=y(limit * share) + 4, text_anchor="end"))
    for power in range(first, last + 1) if paid else ():
        at = x(10.0**power)
        parts.append(el("line", class_="tick", x1=at, x2=at, y1=HEIGHT - BELOW, y2=HEIGHT - BELOW + 5))
        parts.append(el("text", f"${10.0**power:,.{max(0, -power)}f}", x=at, y=HEIGHT - BELOW + 19, text_anchor="middle"))
    if free:
        parts.append(el("text", "free", x=x(0), y=HEIGHT - BELOW + 19, text_anchor="middle"))
    parts.append(el("text", "cost of the run", x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 3, text_anchor="middle"))
    frontier = _frontier([e for e in entries if e.ranked])
    if len(frontier) > 1:
        parts.append(el("path", class_="frontier", d="M" + "L".join(f"{x(e.cost)} {y(e.total.score)}" for e in frontier)))
    labels = _labels([(x(e.cost), y(e.total.score), e.settings.name) for e in entries])
    for e, (lx, ly, anchor, words) in zip(entries, labels, strict=True):
        px, py = x(e.cost), y(e.total.score)
        whisker = el("line", class_="interval", x1=px, x2=px, y1=y(e.total.interval[0]), y2=y(e.total.interval[1])) if e.total.interval else None
        title = el("title", f"{e.settings.name}: {percent(e.total.score)}, {dollars(e.cost)}")
        label = el("text", words, class_="name", x=lx, y=ly, text_anchor=anchor)
        parts.append(el("g", title, whisker, el("circle", cx=px, cy=py, r=5.5), label, class_="point" if e.ranked else "point unranked", **data(e)))
    return el("svg", parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", width="100%", role="img", aria_label="Score against cost of the run")


def _frontier(entries: Sequence[Entry]) -> list[Entry]:
    """The entries that none beats for less money, by cost."""
    best: list[Entry] = []
    for e in sorted(entries, key=lambda e: (e.cost, -e.total.score)):
        if not best or e.total.score > best[-1].total.score:
            best.append(e)
    return best


def _labels(points: Sequence[tuple[float, float, str]]) -> list[tuple[float, float, str, str]]:
    """A place for each name, (x, y, anchor, words): beside its point, moved up or down where another name stands already."""
    taken: list[tuple[float, float, float]] = []
    placed = []
    for px, py, name in points:
        words = name if len(name) <= 34 else f"{name[:33]}…"
        width = 6.6 * len(words)
        right = px + 10 + width <= WIDTH
        left_end = px + 10 if right else px - 10 - width
        at = py + 4
        for shift in (0, -14, 14, -28, 28, -42, 42, -56, 56):
            at = min(max(py + 4 + shift, ABOVE + 4), HEIGHT - BELOW - 4)
            if all(abs(at - y) >= 13 or left_end > x + w or left_end + width < x for x, y, w in taken):
                break
        taken.append((left_end, at, width))
        placed.append((px + 10 if right else px - 10, at, "start" if right else "end", words))
    return placed

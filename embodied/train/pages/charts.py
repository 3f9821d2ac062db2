"""A learning curve as small charts: the test score of every version, against what it took to make it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from embodied.eval.markup import Html, el
from embodied.quantities import percent, short, span
from embodied.train.pages.words import named
from embodied.train.rounds import Point

WIDTH, HEIGHT = 380, 210
LEFT, RIGHT, ABOVE, BELOW = 48, 14, 12, 34


@dataclass(frozen=True)
class Quantity:
    """What a score is drawn against."""

    name: str
    of: Callable[[Point], float | None]
    """None where it is not known."""


QUANTITIES = (
    Quantity("rounds", lambda point: point.round),
    Quantity("episodes", lambda point: point.spent.episodes),
    Quantity("corrections", lambda point: point.spent.corrections),
    Quantity("tokens", lambda point: point.spent.tokens),
    Quantity("seconds", lambda point: point.spent.seconds),
    Quantity("dollars", lambda point: point.spent.dollars),
)
"""In this order on the page."""


def drawn(points: Sequence[Point], quantity: Quantity) -> list[tuple[float, Point]]:
    """The versions with a score and a known quantity, in the order of rounds; empty where nothing of it was used."""
    found = [(x, p) for p in points if p.version and p.score is not None and (x := quantity.of(p)) is not None]
    return found if any(x > 0 for x, _ in found) else []


def curve_chart(points: Sequence[Point], quantity: Quantity, refused: bool) -> Html | None:
    """Scores with 95 % intervals on an axis from 0 to 100 %. A line joins the versions that were in place; versions
    that the gate refused are hollow. None where there is nothing to draw.

    Args:
        points: Of a `Curve`.
        quantity: The horizontal axis.
        refused: Whether the result counts for nothing: then it is drawn across the chart.
    """
    versions = drawn(points, quantity)
    if not versions:
        return None
    last = max(x for x, _ in versions)

    def across(value: float) -> float:
        return round(LEFT + value / last * (WIDTH - LEFT - RIGHT), 1)

    parts = [*_axes(quantity, last, across), *_levels(points), _line(versions, last, across)]
    parts += [_version(across(x), p) for x, p in versions]
    if refused:
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(el("text", "REFUSED", class_="refused-word", x=middle, y=HEIGHT / 2, text_anchor="middle"))
    told = "; ".join(f"{named(p)}: {percent(p.score)} after {_said(quantity, x)}" for x, p in versions)
    label = f"{'REFUSED. ' if refused else ''}Score against {quantity.name}. {told}"
    return el("svg", parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", width="100%", role="img", aria_label=label)


def legend(points: Sequence[Point]) -> Html:
    """What the marks mean, with the figures of the two levels."""
    shown = [
        el("span", el("i", class_="dot-key"), "in place, with its 95 % interval"),
        el("span", el("i", class_="dot-key hollow"), "made, but refused by the gate"),
    ]
    for decided in ("corrected", "ceiling"):
        for p in points:
            if p.decided == decided and p.score is not None:
                shown.append(
                    el(
                        "span",
                        el("i", class_=f"level-key {decided}"),
                        f"{named(p)}: {percent(p.score)} ({span(p.interval)})",
                    )
                )
    return el("p", shown, class_="legend")


def _axes(quantity: Quantity, last: float, across: Callable[[float], float]) -> list[Html]:
    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(el("line", class_="axis", x1=LEFT, x2=WIDTH - RIGHT, y1=_up(share), y2=_up(share)))
        if share in (0, 0.5, 1):
            parts.append(el("text", percent(share, 0), x=LEFT - 7, y=_up(share) + 4, text_anchor="end"))
    for n, x in enumerate(ticks := _ticks(quantity, last)):
        anchor = "start" if n == 0 else "end" if n == len(ticks) - 1 else "middle"
        parts.append(el("text", _number(quantity, x), x=across(x), y=HEIGHT - BELOW + 16, text_anchor=anchor))
    parts.append(el("text", quantity.name, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 3, text_anchor="middle"))
    return parts


def _ticks(quantity: Quantity, last: float) -> list[float]:
    if quantity.name == "rounds":
        return [float(n) for n in range(0, int(last) + 1, max(1, -(-int(last) // 6)))]
    return [0, last / 2, last]


def _levels(points: Sequence[Point]) -> list[Html]:
    """The first version with its corrector, and the expert: a line each."""
    levels = [p for p in points if p.decided in ("corrected", "ceiling")]
    return [
        el("line", class_=f"level {p.decided}", x1=LEFT, x2=WIDTH - RIGHT, y1=_up(p.score), y2=_up(p.score))
        for p in levels
        if p.score is not None
    ]


def _line(versions: Sequence[tuple[float, Point]], last: float, across: Callable[[float], float]) -> Html:
    """Steps: a version is in place until another one takes its place."""
    path = ""
    for x, p in versions:
        if p.decided in ("first", "promoted") and p.score is not None:
            path += f"H{across(x)}V{_up(p.score)}" if path else f"M{across(x)} {_up(p.score)}"
    return el("path", class_="curve", d=f"{path}H{across(last)}" if path else "M0 0")


def _version(x: float, p: Point) -> Html:
    assert p.score is not None
    parts: list[Html] = [el("title", f"{named(p)}: {percent(p.score)} ({span(p.interval)})")]
    if p.interval is not None:
        low, high = map(_up, p.interval)
        parts.append(el("path", class_="interval", d=f"M{x - 4} {high}H{x + 4}M{x} {high}V{low}M{x - 4} {low}H{x + 4}"))
    class_ = "mean" if p.decided in ("first", "promoted") else "mean hollow"
    parts.append(el("circle", class_=class_, cx=x, cy=_up(p.score), r=4.2))
    return el("g", parts)


def _up(share: float) -> float:
    return round(HEIGHT - BELOW - min(max(share, 0.0), 1.0) * (HEIGHT - ABOVE - BELOW), 1)


def _number(quantity: Quantity, x: float) -> str:
    if quantity.name == "dollars":
        return f"${x:,.2f}" if x == 0 or x >= 0.1 else f"${x:.2g}"
    return short(x)


def _said(quantity: Quantity, x: float) -> str:
    return _number(quantity, x) if quantity.name == "dollars" else f"{_number(quantity, x)} {quantity.name}"


def gain_bar(gain: float, interval: tuple[float, float] | None, width: int = 150) -> Html:
    """A gain with its interval, on an axis from -100 to 100 percentage points with a mark at 0."""

    def x(value: float) -> float:
        return round(4 + (min(max(value, -1.0), 1.0) + 1) / 2 * (width - 8), 1)

    parts = [
        el("line", class_="axis", x1=4, x2=width - 4, y1=9, y2=9),
        el("line", class_="axis", x1=x(0), x2=x(0), y1=2, y2=16),
    ]
    if interval is not None:
        low, high = x(interval[0]), x(interval[1])
        parts.append(el("path", class_="interval", d=f"M{low} 5V13M{low} 9H{high}M{high} 5V13"))
    parts.append(el("circle", class_="mean", cx=x(gain), cy=9, r=4.2))
    return el("svg", parts, viewBox=f"0 0 {width} 18", width=width, height=18, aria_hidden="true")

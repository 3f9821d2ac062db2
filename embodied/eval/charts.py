"""Small plots as inline SVG. Colours come from the page's style sheet, by class, so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodied.eval.markup import Html, el
from embodied.eval.report import Curve
from embodied.quantities import percent


def whisker(
    mean: float | None, interval: tuple[float, float] | None, values: Sequence[float] = (), width: int = 260
) -> Html:
    """A mean with its interval on an axis from 0 to 100 %, above a dot for each of `values` (at most 200, evenly
    picked).
    """
    height, left, span = 26, 4, width - 8

    def x(value: float) -> float:
        return round(left + min(value, 1.0) * span, 1)

    parts = [el("line", class_="axis", x1=left, x2=left + span, y1=20, y2=20)]
    parts += [el("line", class_="axis", x1=x(t), x2=x(t), y1=17, y2=23) for t in (0, 0.5, 1)]
    picked = sorted(values)[:: max(1, -(-len(values) // 200))]
    parts += [el("circle", class_="dot", cx=x(v), cy=20, r=3) for v in picked]
    if interval:
        low, high = x(interval[0]), x(interval[1])
        parts.append(el("path", class_="interval", d=f"M{low} 6V12M{low} 9H{high}M{high} 6V12"))
    if mean is not None:
        parts.append(el("circle", class_="mean", cx=x(mean), cy=9, r=4.2))
    label = f"mean {percent(mean)}" + (
        f", interval {percent(interval[0])} to {percent(interval[1])}" if interval else ""
    )
    return el("svg", parts, viewBox=f"0 0 {width} {height}", width=width, height=height, role="img", aria_label=label)


def curve_plot(curve: Curve, width: int = 460, height: int = 190) -> Html:
    """Mean progress over steps on an axis from 0 to 100 %, with the middle half of the episodes as a band."""
    left, right, above, below = 48, 12, 10, 30
    last = max(int(curve.steps[-1]), 1)

    def x(step: float) -> float:
        return round(left + step / last * (width - left - right), 1)

    def y(value: float) -> float:
        return round(height - below - min(value, 1.0) * (height - above - below), 1)

    def line(values: np.ndarray) -> str:
        return "L".join(f"{x(s)} {y(float(v))}" for s, v in zip(curve.steps, values, strict=True))

    back = "L".join(f"{x(s)} {y(float(v))}" for s, v in zip(curve.steps[::-1], curve.low[::-1], strict=True))
    parts = []
    for share in (0, 0.5, 1):
        parts.append(el("line", class_="axis", x1=left, x2=width - right, y1=y(share), y2=y(share)))
        parts.append(el("text", percent(share, 0), x=left - 7, y=y(share) + 4, text_anchor="end"))
        parts.append(
            el(
                "text",
                f"{round(last * share):,}",
                x=x(last * share),
                y=height - below + 16,
                text_anchor=("start", "middle", "end")[round(2 * share)],
            )
        )
    parts.append(el("text", "steps", x=(left + width - right) / 2, y=height - 2, text_anchor="middle"))
    parts.append(el("path", class_="band", d=f"M{line(curve.high)}L{back}Z"))
    parts.append(el("path", class_="curve", d=f"M{line(curve.mean)}"))
    return el(
        "svg",
        parts,
        viewBox=f"0 0 {width} {height}",
        width="100%",
        role="img",
        aria_label=f"Mean progress over {last:,} steps: {percent(float(curve.mean[-1]))} at the end",
    )


def stacked(parts: Sequence[tuple[str, str, int]], width: int = 420, height: int = 16) -> Html:
    """A bar divided by counts: (name, class, count) each."""
    total = sum(count for *_, count in parts) or 1
    shown, at = [], 0.0
    for name, class_, count in parts:
        length = count / total * width
        shown.append(
            el(
                "rect",
                el("title", f"{name}: {count}"),
                class_=class_,
                x=round(at, 2),
                y=0,
                width=round(length, 2),
                height=height,
            )
        )
        at += length
    said = ", ".join(f"{count:,} {name}" for name, _, count in parts if count) or "nothing"
    size = {"viewBox": f"0 0 {width} {height}", "width": "100%", "height": height}
    return el("svg", shown, class_="stacked", **size, preserveAspectRatio="none", role="img", aria_label=said)


def bar(share: float, class_: str = "bar", width: int = 160) -> Html:
    """A share of a full bar."""
    track = el("rect", class_="track", x=0, y=0, width=width, height=8, rx=4)
    return el(
        "svg",
        track,
        el("rect", class_=class_, x=0, y=0, width=round(share * width, 1), height=8, rx=4),
        viewBox=f"0 0 {width} 8",
        width=width,
        height=8,
        aria_hidden="true",
    )

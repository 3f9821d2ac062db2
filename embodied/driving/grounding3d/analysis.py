"""Tables of 3D grounding: hits, overlaps and AP-BEV by kind and distance, beside two answers that need no picture."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from embodied.driving.grounding3d.boxes import Box3D, distance, iou_bev
from embodied.driving.grounding3d.precision import average_precision
from embodied.eval.tables import Cell, Replies, Table, share
from embodied.types import Episode, Json

HITS = (1.0, 2.0, 4.0)
"""Metres between centres seen from above."""
OVERLAPS = (0.25, 0.5)
"""BEV IoU from which a box is right in AP-BEV."""
BANDS = ((0.0, 15.0), (15.0, 30.0), (30.0, float("inf")))
"""Metres from the camera."""


@dataclass(frozen=True)
class _Case:
    """What was asked and what was answered."""

    asked: Json
    """Info of `reset`."""
    box: Box3D | None
    """The answer; None when it could not be read, or there was none."""
    confidence: float | None = None

    @cached_property
    def true(self) -> Box3D:
        return Box3D(*self.asked["box"])

    @cached_property
    def distance(self) -> float | None:
        return None if self.box is None else distance(self.box, self.true)

    @cached_property
    def overlap(self) -> float:
        return 0.0 if self.box is None else iou_bev(self.box, self.true)


def tables(episodes: Sequence[Episode], replies: Replies) -> list[Table]:
    """One table a setting (hint and chain), and one of the first answers of chains."""
    settings: dict[tuple[str, str], list[Episode]] = {}
    for episode in episodes:
        settings.setdefault((episode.info["hint"], episode.info["chain"]), []).append(episode)
    made: list[Table] = []
    for (hint, chain), group in sorted(settings.items()):
        cases = [_case(episode, replies) for episode in group]
        made.append(_boxes(cases, f"hint {hint}, {chain}"))
        if chain != "direct":
            made.append(_chain(group, chain))
    return made


def _case(episode: Episode, replies: Replies) -> _Case:
    if not episode.metrics.get("parsed"):
        return _Case(episode.info, None)
    last = list(replies(episode))[-1].info
    return _Case(episode.info, Box3D(*last["answer"]), last["confidence"])


def _boxes(cases: list[_Case], setting: str) -> Table:
    columns = (
        "objects",
        "n",
        "answered",
        "median m off",
        *(f"within {m:g} m" for m in HITS),
        "BEV IoU",
        *(f"AP-BEV {o:g}" for o in OVERLAPS),
    )
    rows = [_row("all", cases)]
    for name, within in _parts(cases):
        if part := [case for case in cases if within(case)]:
            rows.append(_row(name, part))
    rows.append(_row("(control: one box)", _constant(cases)))
    rows.append(_row("(control: flat road)", _geometric(cases)))
    stated = sum(case.confidence is not None for case in cases)
    return Table(
        f"3D grounding: {setting}",
        columns,
        tuple(rows),
        "An answer that cannot be read is within no distance and has BEV IoU 0; the median is of answers read. In"
        " AP-BEV a box is right from the BEV IoU in the column's name on; boxes are ranked by the confidence stated"
        f" ({stated} of {len(cases)}), ties being one point of the curve: without any, AP is recall times precision."
        " One box: the median of the true boxes of these items. Flat road: a box of the median size, standing on a"
        " level road where the true 2D box ends.",
    )


def _parts(cases: list[_Case]) -> Iterator[tuple[str, Callable[[_Case], bool]]]:
    for group in sorted({case.asked["group"] for case in cases}):
        yield group.replace("_", " "), partial(_of_group, group)
    for low, high in BANDS:
        name = f"beyond {low:g} m" if high == float("inf") else f"{low:g} to {high:g} m"
        yield name, partial(_in_band, low, high)


def _of_group(group: str, case: _Case) -> bool:
    return bool(case.asked["group"] == group)


def _in_band(low: float, high: float, case: _Case) -> bool:
    return bool(low <= (case.true.x**2 + case.true.z**2) ** 0.5 < high)


def _row(name: str, cases: list[_Case]) -> tuple[Cell, ...]:
    n, read = len(cases), [case for case in cases if case.distance is not None]
    off = [case.distance for case in read if case.distance is not None]
    hits = (share(sum(d <= m for d in off), n) for m in HITS)
    precision = (
        average_precision([case.overlap >= o for case in read], [case.confidence for case in read], n) for o in OVERLAPS
    )
    return (
        name,
        n,
        share(len(read), n),
        statistics.median(off) if off else None,
        *hits,
        statistics.fmean(case.overlap for case in cases),
        *precision,
    )


def _chain(episodes: list[Episode], chain: str) -> Table:
    """Whether the fine answer is better where the coarse one was right."""
    key, right = ("first_iou", 0.5) if chain == "box_first" else ("first_inside", 1.0)
    good = [e for e in episodes if e.metrics.get(key, 0.0) >= right]
    bad = [e for e in episodes if e.metrics.get(key, 0.0) < right]
    rows = [
        (
            name,
            len(part),
            share(sum(e.metrics.get("first_parsed", 0.0) for e in part), len(part)),
            share(sum(bool(e.success) for e in part), len(part)),
        )
        for name, part in (("right", good), ("wrong", bad))
    ]
    what = "a 2D box of IoU 0.5 or more" if chain == "box_first" else "a point within the true 2D box"
    return Table(
        f"3D grounding: the first answer of {chain}",
        ("first answer", "n", "first read", "then within 2 m"),
        tuple(rows),
        f"Right is {what}.",
    )


# --------------------------------------------------------------------------- controls


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def _constant(cases: list[_Case]) -> list[_Case]:
    box = Box3D(*(_median(column) for column in zip(*(case.true.numbers() for case in cases), strict=True)))
    return [_Case(case.asked, box) for case in cases]


def _geometric(cases: list[_Case]) -> list[_Case]:
    width, height, length = (_median([s[k] for s in ((c.true.w, c.true.h, c.true.l) for c in cases)]) for k in range(3))
    return [_Case(case.asked, _standing(case.asked, width, height, length)) for case in cases]


def _standing(asked: Json, w: float, h: float, l: float) -> Box3D | None:  # noqa: E741
    """A box of the given size that stands on a level road, its near edge where the 2D box ends below; None at or above
    the horizon.
    """
    camera, (left, _, right, bottom) = asked["camera"], asked["box_2d"]
    c, s = math.cos(math.radians(camera["tilt"])), math.sin(math.radians(camera["tilt"]))
    slope = (bottom - camera["cy"]) / camera["focal"]
    if slope * c + s <= 1e-3:
        return None
    reach = camera["above_road"] / (slope * c + s)
    across = ((left + right) / 2 - camera["cx"]) / camera["focal"]
    return Box3D(across * reach, camera["above_road"] - h / 2, (c - slope * s) * reach + l / 2, w, h, l)

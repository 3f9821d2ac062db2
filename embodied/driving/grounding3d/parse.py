"""Reads boxes and points from replies, in any wrapping. What cannot be read without guessing is not an answer.

A 3D box is read as a list of seven numbers (six: no yaw), as labelled numbers (`x = 1.2, y: 0.8, ...`, JSON, in any
order and under the usual names), or as JSON of lists (`"center": [...], "size": [...]`). Digits, brackets and minus
signs may be those of any script. Where a reply holds several boxes, the last one counts: what comes before counts as
thought.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from embodied.driving.grounding3d.boxes import Box2D, Box3D, Point
from embodied.numerals import spelled

LIMIT = 8_000
"""Characters of a reply, from its end, that are read."""
_FAR, _LARGE = 1_000.0, 100.0
"""Metres: a larger number cannot be a place or a size in a street."""
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,2})?"
_UNIT = r"(?:\s*(?:metres|meters|metre|meter|m|pixels|px|degrees|degree|deg|°|radians|rad)(?![a-z]))?"
_LIST = re.compile(rf"(?<![\w.])({_NUMBER}){_UNIT}(?:\s*[,;]\s*({_NUMBER}){_UNIT})+(?![\w.])", re.IGNORECASE)
_EACH = re.compile(rf"({_NUMBER})\s*(rad)?", re.IGNORECASE)
_NAMES = {
    "x": "x", "y": "y", "z": "z",
    "w": "w", "width": "w", "h": "h", "height": "h", "l": "l", "length": "l", "depth": "l",
    "yaw": "yaw", "rotation": "yaw", "heading": "yaw", "ry": "yaw", "rotation_y": "yaw",
}  # fmt: skip
_LABELLED = re.compile(
    rf"(?<![a-z_])({'|'.join(sorted(_NAMES, key=len, reverse=True))})[\"'`*\s]*[:=≈]\s*[\"'`*]*({_NUMBER})\s*(rad)?",
    re.IGNORECASE,
)
_GROUP = re.compile(
    r"\b(center|centre|position|location|translation|size|dimensions?|yaw|rotation|heading|ry)\b"
    r"[^:=\[\](){}\d]{0,24}(?:\([^()]{1,40}\))?[\"'`*\s]*[:=]\s*"
    rf"(\[[^\[\]]{{1,120}}\]|\([^()]{{1,120}}\)|{_NUMBER}(?:\s*rad)?)",
    re.IGNORECASE,
)
_SPACED = re.compile(rf"[\[(]\s*{_NUMBER}(?:\s+{_NUMBER})+\s*[\])]")
"""A list without commas."""
_CONFIDENCE = re.compile(rf"\b(?:confidence|conf|score)\b[\"'`*\s]*[:=]?\s*({_NUMBER})\s*(%)?", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """A 3D box as it was stated."""

    box: Box3D
    confidence: float | None = None
    """In [0, 1]; None where none is stated."""


def read_box(reply: str) -> Answer | None:
    """The 3D box a reply states, or None: none, a size that is not positive, a number out of all proportion."""
    text = spelled(reply[-LIMIT:])
    stated = _CONFIDENCE.search(text)
    # Cut out, so that it is not read as the box's last number.
    rest = text if stated is None else text[: stated.start()] + text[stated.end() :]
    numbers = _grouped(rest) or _listed(rest) or _labelled(rest)
    if numbers is None or not all(map(math.isfinite, numbers)):
        return None
    x, y, z, w, h, l, yaw = numbers  # noqa: E741
    if min(w, h, l) <= 0 or max(w, h, l) > _LARGE or max(abs(x), abs(y), abs(z)) > _FAR:
        return None
    return Answer(Box3D(x, y, z, w, h, l, yaw), None if stated is None else _share(stated))


def read_box_2d(reply: str) -> Box2D | None:
    """The last list of four numbers as left, top, right, bottom in pixels; None where there is
    none, or it has no area.
    """
    found = [n for n in _lists(spelled(reply[-LIMIT:])) if len(n) == 4]
    if not found:
        return None
    left, top, right, bottom = found[-1]
    return (left, top, right, bottom) if right > left and bottom > top else None


def read_point(reply: str) -> Point | None:
    """The last list of two numbers as a point in pixels; None where there is none."""
    found = [n for n in _lists(spelled(reply[-LIMIT:])) if len(n) == 2]
    return (found[-1][0], found[-1][1]) if found else None


def _lists(text: str) -> list[list[float]]:
    text = _SPACED.sub(lambda found: ", ".join(found[0].split()), text)
    return [[_value(m) for m in _EACH.finditer(found[0])] for found in _LIST.finditer(text)]


def _listed(text: str) -> list[float] | None:
    found = [n for n in _lists(text) if len(n) in (6, 7)]
    return (found[-1] + [0.0])[:7] if found else None


def _labelled(text: str) -> list[float] | None:
    values: dict[str, float] = {}
    for match in _LABELLED.finditer(text):
        values[_NAMES[match[1].lower()]] = _value(match, 2)
    if not {"x", "y", "z", "w", "h", "l"} <= values.keys():
        return None
    return [values[k] for k in ("x", "y", "z", "w", "h", "l")] + [values.get("yaw", 0.0)]


def _grouped(text: str) -> list[float] | None:
    """JSON of lists: a centre and a size of three numbers each, in the order asked for, and a yaw."""
    parts: dict[str, list[float]] = {}
    for match in _GROUP.finditer(text):
        name = match[1].lower()
        key = (
            "centre"
            if name in ("center", "centre", "position", "location", "translation")
            else "size"
            if name[0] in "sd"
            else "yaw"
        )
        parts[key] = [_value(m) for m in _EACH.finditer(match[2])]
    centre, size, yaw = parts.get("centre", []), parts.get("size", []), parts.get("yaw", [0.0])
    return [*centre, *size, yaw[-1]] if len(centre) == len(size) == 3 and yaw else None


def _value(match: re.Match[str], group: int = 1) -> float:
    value = float(match[group])
    return math.degrees(value) if match[group + 1] else value


def _share(match: re.Match[str]) -> float:
    value = float(match[1]) / (100 if match[2] else 1)
    return min(1.0, max(0.0, value))

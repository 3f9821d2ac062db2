"""Perception: how an agent changes pictures before it asks its model.

`vector` (VDLM, Wang et al. 2024, "Visually Descriptive Language Model for Vector Graphics Reasoning"): the shapes in
the pictures as text, with places and measures, in place of the pictures or along with them. So a model that reads no
pictures can be asked about them, and one that reads them badly gets numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from embodied.agents.perception.shapes import Drawing, Shape, shapes
from embodied.blobs import Blobs, decode_png
from embodied.types import Image

Perception = Callable[[Sequence[Image], Blobs], str]
"""What the pictures of an observation, in order, show; in words."""

LONGEST = 4_000
"""Characters for the pictures of one observation together: the prompt stays bounded for any picture."""
_CORNERS = 40
"""Corner points listed of one shape."""


def vector(pictures: Sequence[Image], blobs: Blobs) -> str:
    """The shapes in pictures as text of at most `LONGEST` characters, largest and rarest in colour first.

    Raises:
        MissingExtra: vtracer is not installed.
    """
    texts = []
    for number, picture in enumerate(pictures, start=1):
        name = "The picture" if len(pictures) == 1 else f"Picture {number}"
        texts.append(
            described(_drawing(blobs, picture.digest), name, (LONGEST - 2 * (len(pictures) - 1)) // len(pictures))
        )
    return "\n\n".join(texts)


PERCEPTIONS: dict[str, Perception | None] = {"none": None, "vector": vector}


@functools.lru_cache(maxsize=8)
def _drawing(blobs: Blobs, digest: str) -> Drawing:
    """An agent that asks again about the same picture, or another agent about it, does not trace it again."""
    return shapes(decode_png(blobs.get(digest)))


def described(drawing: Drawing, name: str = "The picture", longest: int = LONGEST) -> str:
    """A drawing as text.

    Args:
        drawing: The shapes.
        name: What the picture is called.
        longest: Characters; shapes that find no room are counted.
    """
    head = (
        f"{name} as shapes. It is {drawing.width} x {drawing.height} pixels on {drawing.background} ground; points are"
        " (x, y) in pixels from the upper left corner, y goes down. In brackets: as a share of the width."
    )
    tail = "- {} more shapes, left out for length."
    lines = [_line(shape, drawing.width) for shape in drawing.shapes]
    room, shown = longest - len(head) - len(tail) - 4, 0
    while shown < len(lines) and (room := room - len(lines[shown]) - 1) >= 0:
        shown += 1
    rest = [tail.format(len(lines) - shown)] if shown < len(lines) else []
    return "\n".join([head, *(lines[:shown] or ([] if lines else ["- nothing else"])), *rest])[:longest]


def _line(shape: Shape, width: int) -> str:
    x, y = shape.centre
    w, h = shape.size
    corners = shape.corners
    if shape.kind == "circle":
        return f"- {shape.colour} circle: centre {_point(x, y)}, radius {(w + h) / 4:.0f} [{(w + h) / 4 / width:.3f}]"
    if shape.kind == "polygon":
        return (
            f"- {shape.colour} polygon of {len(corners)} corners: centre {_point(x, y)}, size {w:.0f} x {h:.0f}"
            f" [{w / width:.3f} x {h / width:.3f}], corners {_points(shape)}"
        )
    turning, greatest = shape.turning
    ends = "closed" if shape.closed else f"from {_point(*corners[0])} to {_point(*corners[-1])}"
    text = f"- {shape.colour} line: {ends}, length {shape.length:.0f} [{shape.length / width:.3f}]"
    if len(corners) <= 2:
        return text
    inner = len(corners) - 2
    return (
        f"{text}, {inner} turn{'s' * (inner != 1)} of {turning:.0f} degrees in all and {greatest:.0f} at most, corners"
        f" {_points(shape)}"
    )


def _points(shape: Shape) -> str:
    listed = " ".join(_point(x, y) for x, y in shape.corners[:_CORNERS])
    return listed + (f" and {len(shape.corners) - _CORNERS} more" if len(shape.corners) > _CORNERS else "")


def _point(x: float, y: float) -> str:
    """The pixel that a point is in."""
    return f"({int(x)}, {int(y)})"

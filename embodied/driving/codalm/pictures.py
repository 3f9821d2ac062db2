"""Pictures as an agent sees them: a region's red box, a zoomed part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from embodied.arrays import Pixels
from embodied.driving.records import Box
from embodied.errors import EnvironmentFailure

LINE = 2
"""Width of the box, pixels: CODA-LM draws its regions so, in pure red."""


def read(path: Path) -> Pixels:
    """A picture file as (H, W, 3) uint8. Raises `EnvironmentFailure` when it cannot be decoded."""
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except (OSError, Image.DecompressionBombError) as error:
        raise EnvironmentFailure(
            f"{path} cannot be read ({error}). `embodied codalm check DIR --pictures` lists all such pictures."
        ) from error


def boxed(picture: Pixels, box: Box) -> Pixels:
    """`picture` with the outline of `box` drawn red, `LINE` pixels wide, from its upper left corner inwards; a copy.

    The corners are (x, y) and (x + w, y + h), both drawn, as CODA-LM's own conversion does. Parts outside the picture
    are not drawn.
    """
    image = Image.fromarray(picture)
    x, y, width, height = box
    edge = 2 * LINE  # far enough outside to stay unseen, and small enough to draw
    left, right = (min(max(n, -edge), image.width + edge) for n in (x, x + max(width, 0)))
    top, bottom = (min(max(n, -edge), image.height + edge) for n in (y, y + max(height, 0)))
    ImageDraw.Draw(image).rectangle([left, top, right, bottom], outline="red", width=LINE)
    return np.array(image)


def zoomed(picture: Pixels, box: tuple[int, int, int, int]) -> Pixels:
    """The part of `picture` in `box`, as large as fits into a picture of the same size, on black; (H, W, 3) uint8."""
    height, width = picture.shape[:2]
    x, y, w, h = box
    scale = min(width / w, height / h)
    size = (max(1, min(width, round(w * scale))), max(1, min(height, round(h * scale))))
    part = Image.fromarray(picture[y : y + h, x : x + w]).resize(size, Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", (width, height))
    canvas.paste(part, ((width - size[0]) // 2, (height - size[1]) // 2))
    return np.array(canvas)

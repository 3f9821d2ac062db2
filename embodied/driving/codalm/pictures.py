"""Pictures as they are shown: a region's red box, a part seen from near."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from embodied.driving.codalm.records import Box

LINE = 2
"""Width of the box, pixels: CODA-LM draws its regions so, in pure red."""


def read(path: Path) -> np.ndarray:
    """A picture file as (H, W, 3) uint8."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def boxed(picture: np.ndarray, box: Box) -> np.ndarray:
    """`picture` with the outline of `box` drawn red, `LINE` pixels wide, from its upper left corner inwards; a copy.

    The corners are (x, y) and (x + w, y + h), both drawn, as CODA-LM's own conversion does.
    """
    image = Image.fromarray(picture)
    x, y, width, height = box
    ImageDraw.Draw(image).rectangle([x, y, x + width, y + height], outline="red", width=LINE)
    return np.array(image)


def zoomed(picture: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """The part of `picture` in `box`, as large as fits into a picture of the same size, on black; (H, W, 3) uint8."""
    height, width = picture.shape[:2]
    x, y, w, h = box
    scale = min(width / w, height / h)
    size = (max(1, min(width, round(w * scale))), max(1, min(height, round(h * scale))))
    part = Image.fromarray(picture[y : y + h, x : x + w]).resize(size, Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", (width, height))
    canvas.paste(part, ((width - size[0]) // 2, (height - size[1]) // 2))
    return np.array(canvas)

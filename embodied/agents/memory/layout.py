"""layout: a picture as 512 numbers that say where its colours and edges are. It knows no meaning.

| numbers | part |
|---|---|
| 0 to 127 | colour layout: two colour differences of the mean in each of 8 x 8 cells |
| 128 to 383 | thumbnail: brightness of 16 x 16 cells, less their mean |
| 384 to 511 | gradient histogram: 8 directions in each of 4 x 4 cells |

After the colour layout descriptor of MPEG-7 (without its cosine transform) and histograms of oriented gradients (Dalal
and Triggs 2005). Everything up to the last division is in whole numbers, so that a picture has the same bytes on every
machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]
Whole = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]
_COLOURS, _THUMBNAIL, _EDGES, _DIRECTIONS = 8, 16, 4, 8
_FINE = 64
"""Cells a side of the picture whose gradients are taken."""


class Layout:
    """Implements `PictureEmbedder` with NumPy alone."""

    name = "layout"
    version = "layout-1"
    size = 512

    def embed(self, frames: Sequence[Frame]) -> Vectors:
        """See `PictureEmbedder.embed`. A picture of one grey has a row of zeros: there is nothing to compare."""
        table = np.zeros((len(frames), self.size), np.float32)
        for row, frame in zip(table, frames, strict=True):
            row[:] = _described(frame)
        return table


def _described(frame: Frame) -> npt.NDArray[np.float64]:
    red, green, blue = np.moveaxis(_cells(frame, _COLOURS), -1, 0)
    grey = _brightness(red, green, blue)
    colours = np.concatenate([(red - grey).ravel(), (blue - grey).ravel()])
    thumbnail = _brightness(*np.moveaxis(_cells(frame, _THUMBNAIL), -1, 0)).ravel()
    thumbnail = thumbnail * thumbnail.size - thumbnail.sum()
    parts = [_unit(part) for part in (colours, thumbnail, _gradients(frame))]
    whole = np.concatenate(parts)
    length = np.sqrt(sum(bool(part.any()) for part in parts))
    return whole / length if length else whole


def _cells(frame: Frame, side: int) -> Whole:
    """Mean colour of side x side cells in 1/16 of a level, shape (side, side, 3). A cell of a small picture has one
    pixel at least, so that cells may share it.
    """
    sums = np.zeros((frame.shape[0] + 1, frame.shape[1] + 1, 3), np.int64)
    np.cumsum(np.cumsum(frame, axis=0, dtype=np.int64), axis=1, out=sums[1:, 1:])
    (top, bottom), (left, right) = _bounds(frame.shape[0], side), _bounds(frame.shape[1], side)
    total = sums[bottom][:, right] - sums[top][:, right] - sums[bottom][:, left] + sums[top][:, left]
    area = (bottom - top)[:, None] * (right - left)[None, :]
    found: Whole = total * 16 // area[..., None]
    return found


def _bounds(length: int, side: int) -> tuple[Whole, Whole]:
    starts = np.arange(side, dtype=np.int64) * length // side
    ends = np.maximum((np.arange(side, dtype=np.int64) + 1) * length // side, starts + 1)
    return starts, ends


def _brightness(red: Whole, green: Whole, blue: Whole) -> Whole:
    """ITU-R BT.601, in whole numbers."""
    return (77 * red + 150 * green + 29 * blue) // 256


def _gradients(frame: Frame) -> Whole:
    """Strength of the edges in each direction of each cell, shape (4 * 4 * 8,)."""
    grey = _brightness(*np.moveaxis(_cells(frame, _FINE), -1, 0))
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    down[1:-1] = grey[2:] - grey[:-2]
    octant = (across < 0) * 4 + (down < 0) * 2 + (abs(across) < abs(down))
    strength = abs(across) + abs(down)
    cell = np.arange(_FINE) * _EDGES // _FINE
    place = (cell[:, None] * _EDGES + cell[None, :]) * _DIRECTIONS + octant
    found = np.zeros(_EDGES * _EDGES * _DIRECTIONS, np.int64)
    np.add.at(found, place.ravel(), strength.ravel())
    return found


def _unit(numbers: Whole) -> npt.NDArray[np.float64]:
    """`numbers` as a vector of length 1; zeros stay."""
    squares = int((numbers * numbers).sum())
    return numbers / np.sqrt(np.float64(squares)) if squares else numbers.astype(np.float64)

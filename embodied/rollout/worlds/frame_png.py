"""PNG for frames that someone watches: quick to make. Recorded pictures have `embodied.blobs.encode_png`, whose bytes
must stay.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from embodied.arrays import Pixels

_BEGIN, _NO_FILTER = b"\x89PNG\r\n\x1a\n", 0
_EIGHT_BITS, _RGB = 8, 2


def encode_frame(frame: Pixels) -> bytes:
    """A frame as PNG, every pixel as it is. Rows have no filter: Pillow tries five for each row, which takes two thirds
    of its time, and flat colours get no smaller by it.

    Args:
        frame: (H, W, 3) uint8.

    Raises:
        ValueError: This is not a picture.
    """
    given = np.asarray(frame)
    if given.dtype != np.uint8 or given.ndim != 3 or given.shape[2] != 3 or not given.size:
        raise ValueError(f"A frame has the shape (H, W, 3) and uint8, not {given.shape} and {given.dtype}.")
    height, width, _ = given.shape
    rows = np.empty((height, 1 + 3 * width), dtype=np.uint8)
    rows[:, 0] = _NO_FILTER
    rows[:, 1:] = given.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, _EIGHT_BITS, _RGB, 0, 0, 0)
    return _BEGIN + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows.data, 1)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

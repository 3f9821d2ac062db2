"""Content-addressed bytes: images of a run are stored once, under the SHA-256 of their PNG."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from embodied.errors import StoreError
from embodied.types import Image, Observation

if TYPE_CHECKING:
    import numpy as np


class Blobs(Protocol):
    """Where bytes are put and found again. `embodied.store` keeps them in the run folder, `MemoryBlobs` in memory."""

    def put(self, data: bytes) -> str:
        """Stores `data` and returns its SHA-256 in hexadecimal; storing the same bytes twice keeps one copy."""
        ...

    def __hash__(self) -> int: ...

    def get(self, digest: str) -> bytes:
        """The bytes with this digest. Raises `StoreError` when there are none, or when they no longer match it."""
        ...


class MemoryBlobs:
    """Blobs in a dict: for tests and for agents used outside a run."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self._data[digest] = data
        return digest

    def clear(self) -> None:
        """Forgets all."""
        self._data.clear()

    def get(self, digest: str) -> bytes:
        if digest not in self._data:
            raise StoreError(f"There is no blob {digest}.")
        return self._data[digest]


class ReadFrom:
    """The blobs of several places, for reading only."""

    def __init__(self, places: Iterable[Blobs]):
        self._places = tuple(places)

    def put(self, data: bytes) -> str:
        raise StoreError("Pictures of recorded runs are only read.")

    def get(self, digest: str) -> bytes:
        for place in self._places:
            with suppress(StoreError):  # another place may have it
                return place.get(digest)
        raise StoreError(f"There is no blob {digest} in the runs that were learned from.")


def encode_png(frame: np.ndarray) -> bytes:
    """Encodes a frame of shape (H, W, 3), uint8, as PNG. The bytes depend only on the pixels and the Pillow version."""
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(frame).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


MOST_PIXELS = 64_000_000
"""Of a picture; a small file can claim any number."""


def check_png(data: bytes, name: str, image: Image | None = None) -> bytes:
    """Returns `data` when it begins as a PNG of a size that can be shown.

    Args:
        data: The bytes.
        name: What a message calls it.
        image: The record's reference to it; its size must be the picture's.

    Raises:
        StoreError: It is not a PNG, is of another size than its record says, or has more than `MOST_PIXELS` pixels or
            none.
    """
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or len(data) < 33:
        raise StoreError(f"The picture {name} is damaged: it is not a PNG.")
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if not 0 < width * height <= MOST_PIXELS:
        raise StoreError(f"The picture {name} is damaged: it claims {width:,} by {height:,} pixels.")
    if image is not None and (width, height) != (image.width, image.height):
        raise StoreError(
            f"The picture {name} is damaged: it has {width} by {height} pixels, and its record says {image.width} by"
            f" {image.height}."
        )
    return data


def decode_png(data: bytes, name: str = "given", image: Image | None = None) -> np.ndarray:
    """The frame of a PNG: (H, W, 3), uint8.

    Raises:
        StoreError: It cannot be decoded, or `check_png` refuses it.
    """
    import numpy as np
    from PIL import Image as Pillow

    check_png(data, name, image)
    try:
        return np.asarray(Pillow.open(io.BytesIO(data), formats=["PNG"]).convert("RGB"))
    except (OSError, SyntaxError, ValueError, EOFError, Pillow.DecompressionBombError) as error:
        raise StoreError(f"The picture {name} is damaged: {error}.") from error


def pictures_of(observation: Observation) -> tuple[Image, ...]:
    """Every picture of an observation, in order."""
    return () if observation.image is None else (observation.image, *observation.more_images)


def put_frame(blobs: Blobs, frame: np.ndarray) -> Image:
    """Stores a frame of shape (H, W, 3), uint8, and returns the reference to it."""
    return Image(blobs.put(encode_png(frame)), width=frame.shape[1], height=frame.shape[0])

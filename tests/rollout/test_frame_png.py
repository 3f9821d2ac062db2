"""Frames for watchers are PNGs of the very pixels."""

from __future__ import annotations

import numpy as np
import pytest

from embodied.blobs import decode_png
from embodied.rollout.worlds.frame_png import encode_frame


def test_every_pixel_arrives():
    rng = np.random.default_rng(0)
    for shape in ((1, 1, 3), (9, 16, 3), (180, 320, 3)):
        noise = rng.integers(0, 256, shape, dtype=np.uint8)
        for frame in (noise, noise // 64 * 64, noise[::-1, ::-1]):
            assert np.array_equal(decode_png(encode_frame(frame)), frame)


@pytest.mark.parametrize(
    "frame", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), None]
)
def test_what_is_not_a_picture_is_refused(frame):
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        encode_frame(frame)

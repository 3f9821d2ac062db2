"""Colours as words of 32 bits: all channels of a pixel are made darker or mixed by a few whole operations on (n,)
arrays, several times faster than on (n, 3) bytes, and with the same result to the bit.

A word holds a pixel's red, green and blue bytes in memory order, and a byte of 0. Two channels at a time are spread to
lanes of 16 bits, where a product with 256 still fits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embodied.arrays import Floats, Pixels

Words = npt.NDArray[np.uint32]
"""(n,) uint32."""

_LANES, _OTHERS = np.uint32(0x00FF00FF), np.uint32(0xFF00FF00)
_HALF = np.uint32(0x00800080)


def words(colors: Pixels | Words | Sequence[int] | Sequence[Sequence[int]]) -> Words:
    """The words of colours: (n, 3) uint8 or one colour (3,) -> (n,) uint32. Words stay as they are."""
    given = np.asarray(colors)
    if given.dtype == np.uint32:
        return given
    four = np.zeros((given.size // 3, 4), dtype=np.uint8)
    four[:, :3] = given
    found: Words = four.view(np.uint32)[:, 0]
    return found


def pixels(colors: Words) -> Pixels:
    """The colours (n, 3) uint8 of words."""
    four = colors.view(np.uint8).reshape(-1, 4)
    three: Pixels = np.empty((len(four), 3), dtype=np.uint8)
    for channel in range(3):
        three[:, channel] = four[:, channel]
    return three


def weights(brightness: Floats | float) -> Words:
    """Brightness, 1 at most, in 256ths: (n,) uint32, or one for all."""
    whole = np.floor(np.minimum(np.maximum(brightness, 0.0), 1.0) * 256 + 0.5)
    return np.asarray(whole, dtype=np.uint32)


def scaled(colors: Words, weight: Words) -> Words:
    """Colours as bright as `weight` says, (n,) uint32 or one for all, in 256ths, 256 at most."""
    even = (colors & _LANES) * weight
    even += _HALF
    even >>= np.uint32(8)
    even &= _LANES
    odd = ((colors >> np.uint32(8)) & _LANES) * weight
    odd += _HALF
    odd &= _OTHERS
    even |= odd
    return even


def mixed(colors: Words, other: Words, weight: Words) -> Words:
    """Colours (n,) with `weight` (n,) uint32, in 256ths, 256 at most, of one `other` (1,)."""
    rest = np.uint32(256) - weight
    even = (colors & _LANES) * rest
    even += (other & _LANES) * weight
    even += _HALF
    even >>= np.uint32(8)
    even &= _LANES
    odd = ((colors >> np.uint32(8)) & _LANES) * rest
    odd += ((other >> np.uint32(8)) & _LANES) * weight
    odd += _HALF
    odd &= _OTHERS
    even |= odd
    return even


def shared(colors: Words, other: Words, share: Words) -> Words:
    """Colours (n,) with `share` (n,) uint32 sixteenths, 16 at most, of one `other` (1,); fractions are cut off."""
    rest = np.uint32(16) - share
    even: Words = (((colors & _LANES) * rest + (other & _LANES) * share) >> np.uint32(4)) & _LANES
    high = np.uint32(8)
    odd = ((((colors >> high) & _LANES) * rest + ((other >> high) & _LANES) * share) >> np.uint32(4)) & _LANES
    even |= odd << high
    return even

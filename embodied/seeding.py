"""The only source of randomness: every seed and generator is derived from one number and a path of names."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def derive(seed: int, *path: str | int, bits: int = 63) -> int:
    """Derives a seed from `seed` and `path`: the same arguments give the same number on every machine and Python
    version.

    Args:
        seed: The root, any non-negative integer.
        path: What the seed is for, for instance `("env", "nethack", "NetHackChallenge-v0", 3)`. An integer and its
            decimal string differ.
        bits: Size of the result, 1 to 256.

    Returns:
        An integer in [0, 2**bits), uniformly spread (the leading bits of a SHA-256 over an unambiguous encoding).
    """
    parts = [f"{type(p).__name__}:{len(str(p))}:{p}" for p in (seed, *path)]
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest, "big") >> (256 - bits)


def generator(seed: int, *path: str | int) -> np.random.Generator:
    """A NumPy generator (PCG64) seeded with `derive(seed, *path)`."""
    import numpy as np

    return np.random.default_rng(derive(seed, *path))

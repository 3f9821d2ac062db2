"""Names for the types of arrays. Shapes stand in the docstrings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
"""A picture, (H, W, 3), or colours, (n, 3)."""

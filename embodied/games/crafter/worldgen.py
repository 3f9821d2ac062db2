"""The package's world generator on whole grids: the same world from the same random stream, cell for cell and draw for
draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from crafter import constants

from embodied.arrays import Bools, Floats, Ints
from embodied.games.crafter.noise import Simplex

MATERIALS: tuple[str | None, ...] = (None, *constants.materials)
"""Number -> name, as in the package; 0 is what lies outside the world."""
_NUMBER = {name: number for number, name in enumerate(MATERIALS)}
_ORES = tuple((_NUMBER[name], rarity) for name, rarity in (("coal", 0.85), ("iron", 0.75), ("diamond", 0.994)))
"""Tried in this order; found where a draw from [0, 1) exceeds the rarity."""


@dataclass(frozen=True)
class Terrain:
    """What the land is made of. Arrays are indexed [x, y]."""

    materials: npt.NDArray[np.uint8]
    """(width, height) uint8, numbers of `MATERIALS`."""
    tunnels: Bools
    """(width, height) bool: paths of a tunnel, where skeletons live."""


class _Noise:
    """The noise fields of a world, at some of its cells.

    Args:
        simplex: The world's noise.
        x, y: (n,) int64, the cells.
    """

    def __init__(self, simplex: Simplex, x: Ints, y: Ints):
        self._simplex = simplex
        self.x, self.y = x, y

    def __call__(self, z: int, size: float, wider: float = 1, higher: float = 1) -> Floats:
        """Field `z`, with features about `size` cells across, times `wider` along x and `higher`
        along y: (n,) float64.
        """
        return self._simplex(self.x / wider / size, self.y / higher / size, z)

    def at(self, mask: Bools) -> _Noise:
        return _Noise(self._simplex, self.x[mask], self.y[mask])


def generate_terrain(area: tuple[int, int], center: tuple[int, int], random: np.random.RandomState) -> Terrain:
    """Lays out the land as `crafter.worldgen._set_material` does, which visits the cells one by one.

    Every constant is the package's. Noise that decides nothing is not computed; what is drawn from `random`, and in
    which order, is the same.

    Args:
        area: Width and height in cells.
        center: The player's cell; there is grass around it.
        random: The world's stream; advanced.
    """
    simplex = Simplex(random.randint(0, 2**31 - 1))
    x, y = (a.ravel() for a in np.indices(area))
    noise = _Noise(simplex, x, y)
    start = 4 - np.sqrt((x - center[0]) ** 2 + (y - center[1]) ** 2)
    start += 2 * noise(8, 3)
    start = 1 / (1 + np.exp(-start))
    water = noise(3, 15) + 0.15 * noise(3, 5) + 0.1
    water -= 2 * start
    mountain = (noise(0, 15) + 0.3 * noise(0, 5)) / 1.3
    mountain -= 4 * start + 0.3 * water

    materials = np.full(x.size, _NUMBER["grass"], np.uint8)
    tunnels = np.zeros(x.size, bool)
    high = (start <= 0.5) & (mountain > 0.15)
    low = (start <= 0.5) & ~high
    shore = low & (water > 0.25) & (water <= 0.35)
    shore[shore] = noise.at(shore)(4, 9) > -0.2
    lake = low & ~shore & (water > 0.3)
    materials[shore], materials[lake] = _NUMBER["sand"], _NUMBER["water"]
    meadow = low & ~shore & ~lake
    wooded = np.zeros(x.size, bool)
    wooded[meadow] = noise.at(meadow)(5, 7) > 0

    rock = _Rock(noise.at(high), mountain[high])
    tunnels[high] = rock.tunnel
    materials[high] = rock.materials
    ores = np.zeros((x.size, 3), bool)
    ores[high] = rock.ores
    for cell in np.flatnonzero(wooded | ores.any(1)).tolist():
        if wooded[cell]:
            if random.random_sample() > 0.8:
                materials[cell] = _NUMBER["tree"]
            continue
        for (ore, rarity), possible in zip(_ORES, ores[cell].tolist(), strict=True):
            if possible and random.random_sample() > rarity:
                materials[cell] = ore
                break
    return Terrain(materials.reshape(area), tunnels.reshape(area))


class _Rock:
    """What high ground is made of, before ores are drawn."""

    def __init__(self, noise: _Noise, mountain: Floats):
        cave = (noise(6, 7) > 0.15) & (mountain > 0.3)
        across = noise(7, 3, wider=0.5, higher=5) > 0.4
        along = noise(7, 3, wider=5, higher=0.5) > 0.4
        self.tunnel = ~cave & (across | along)
        solid = ~cave & ~self.tunnel
        lava = (mountain > 0.3) & (noise(6, 5) > 0.35)
        self.materials = np.where(solid, np.where(lava, _NUMBER["lava"], _NUMBER["stone"]), _NUMBER["path"])
        self.ores = solid[:, None] & np.stack([noise(1, 8) > 0, noise(2, 6) > 0.4, mountain > 0.18], axis=1)

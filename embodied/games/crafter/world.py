"""Crafter's world on the package's: chunks that keep their order, the fast generator, and views without clipping."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt
from crafter import constants, engine, objects

from embodied.arrays import Bools, Ints
from embodied.games.crafter.worldgen import MATERIALS, generate_terrain

AREA = (64, 64)
"""Width and height of the world in cells; the package's default, and BALROG's."""
VIEW = (9, 7)
"""Columns and rows of cells the player sees, itself in the middle: the package's 9 x 9 less two rows for the inventory.
"""
_CHUNK = (12, 12)
_REACH = 2 * 9
"""Only objects less than this many steps away from the player move: twice the package's view."""


class Chunk(dict[objects.Object, None]):
    """The creatures of a chunk: a set that keeps the order of insertion."""

    def add(self, creature: objects.Object) -> None:
        self[creature] = None

    def remove(self, creature: objects.Object) -> None:
        del self[creature]


class World(engine.World):  # type: ignore[misc]  # crafter has no types
    """The package's world with ordered chunks and a margin all around, so that a view never needs clipping.

    Args:
        seed: Of the world's random stream, in [0, 2**32).
    """

    def __init__(self, seed: int):
        self._seed = seed
        super().__init__(AREA, constants.materials, _CHUNK)

    def reset(self, seed: int | None = None) -> None:
        super().reset(self._seed if seed is None else seed)
        self._chunks: defaultdict[tuple[int, int, int, int], Chunk] = defaultdict(Chunk)
        inside = tuple(slice(v // 2, v // 2 + a) for v, a in zip(VIEW, AREA, strict=True))
        margins = tuple(a + v - 1 for v, a in zip(VIEW, AREA, strict=True))
        self._wide_materials = np.zeros(margins, np.uint8)
        self._wide_objects = np.zeros(margins, np.uint32)
        self._mat_map = self._wide_materials[inside]
        self._obj_map = self._wide_objects[inside]

    def generate(self, player: objects.Player) -> None:
        """Makes the land and its creatures as `crafter.worldgen.generate_world` does."""
        center = tuple(player.pos.tolist())
        terrain = generate_terrain(AREA, center, self.random)
        self._mat_map[:] = terrain.materials
        self._settle(player, center, terrain.tunnels)

    def _settle(self, player: objects.Player, center: tuple[int, int], tunnels: Bools) -> None:
        draw = self.random.random_sample
        walkable = np.isin(self._mat_map, [MATERIALS.index(name) for name in constants.walkable])
        for x, y in np.argwhere(walkable).tolist():
            square = (x - center[0]) ** 2 + (y - center[1]) ** 2
            material = MATERIALS[self._mat_map[x, y]]
            if square > 3**2 and material == "grass" and draw() > 0.985:
                self.add(objects.Cow(self, (x, y)))
            elif square > 10**2 and draw() > 0.993:
                self.add(objects.Zombie(self, (x, y), player))
            elif material == "path" and tunnels[x, y] and draw() > 0.95:
                self.add(objects.Skeleton(self, (x, y), player))

    def window(self, pos: Ints) -> tuple[npt.NDArray[np.uint8], list[tuple[int, objects.Object]]]:
        """The cells around `pos`.

        Returns:
            Materials: VIEW uint8, indexed [x, y], 0 outside the world.
            Objects: each with its place in the flattened materials.
        """
        x, y = pos.tolist()
        here = (slice(x, x + VIEW[0]), slice(y, y + VIEW[1]))
        numbers = self._wide_objects[here].ravel()
        places = numbers.nonzero()[0]
        return self._wide_materials[here], [(place, self._objects[numbers[place]]) for place in places.tolist()]

    def places(self, kind: str) -> list[tuple[int, int]]:
        """Where in the whole world a material is, or a creature (the name of its class in lower case), as (x, y)."""
        if kind in MATERIALS:
            return [(x, y) for x, y in np.argwhere(self._mat_map == MATERIALS.index(kind)).tolist()]
        creatures = (thing for thing in self._objects if thing and type(thing).__name__.lower() == kind)
        return [(int(creature.pos[0]), int(creature.pos[1])) for creature in creatures]

    @property
    def next_number(self) -> int:
        """The number that the next object will get."""
        return len(self._objects)

    def near(self, pos: Ints, below: int) -> list[objects.Object]:
        """What is less than `_REACH` steps away from `pos` and numbered below `below`, oldest first."""
        x, y = pos.tolist()
        left, top = max(x - _REACH + 1, 0), max(y - _REACH + 1, 0)
        numbers = self._obj_map[left : x + _REACH, top : y + _REACH]
        columns, rows = numbers.nonzero()
        close = np.abs(columns + (left - x)) + np.abs(rows + (top - y)) < _REACH
        return [
            self._objects[number] for number in sorted(numbers[columns[close], rows[close]].tolist()) if number < below
        ]

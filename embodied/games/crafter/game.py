"""Crafter's game on the package's objects, without its pictures: the same rules and the same draws, in an order that is
fixed.

The package keeps the creatures of a chunk in a set of objects, whose order depends on memory addresses, and draws the
noise of its night pictures from the game's random stream. Here chunks keep their order and pictures have a stream of
their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from crafter import objects

from embodied.arrays import Floats
from embodied.games.crafter.world import AREA, VIEW, Chunk, World
from embodied.seeding import generator

PIXELS = 28
"""Pixels along the side of a cell in BALROG's picture of 256 x 256."""
DUSK = 0.5
"""Daylight below which pictures have noise."""


@dataclass(frozen=True)
class _Population:
    """How many creatures of a kind live in a chunk, by `crafter.env.Env._balance_chunk`."""

    kind: type[objects.Object]
    ground: str
    born_away: int
    """Steps from the player at which one may appear, at least; likewise for the next."""
    gone_away: int
    birth: float
    """Probability that one appears where there are too few; likewise for the next."""
    death: float
    bounds: Callable[[int, float], tuple[float, float]]
    """From cells of ground and daylight: the least and the greatest number."""


_POPULATIONS = (
    _Population(
        objects.Zombie,
        "grass",
        6,
        0,
        0.3,
        0.4,
        lambda space, light: (0 if space < 50 else 3.5 - 3 * light, 3.5 - 3 * light),
    ),
    _Population(objects.Skeleton, "path", 7, 7, 0.1, 0.1, lambda space, light: (0 if space < 6 else 1, 2)),
    _Population(objects.Cow, "grass", 5, 5, 0.01, 0.1, lambda space, light: (0 if space < 30 else 1, 1.5 + light)),
)


class Game:
    """One episode.

    Args:
        seed: Decides the episode wholly, in [0, 2**32). The world is that of `crafter.Env(seed=seed)` in its first
            episode.
        pictures_draw: As in BALROG, where a step draws two pictures and their noise at night comes from the game's
            stream.
    """

    def __init__(self, seed: int, *, pictures_draw: bool = False):
        self._seed = seed
        self._pictures_draw = pictures_draw
        self._last_noise: Floats | None = None
        self.world_seed = first_episode_seed(seed)
        self.world = World(self.world_seed)
        self.player = objects.Player(self.world, (AREA[0] // 2, AREA[1] // 2))
        self.world.add(self.player)
        self.world.generate(self.player)
        self.steps = 0
        self._set_daylight()
        self._health = self.player.health
        self.unlocked: set[str] = set()

    def step(self, action: str) -> float:
        """Plays one of the package's actions (`crafter.constants.actions`). Returns the reward."""
        self.steps += 1
        self._set_daylight()
        self.player.action = action
        below = self.world.next_number  # what the player puts down moves from the next step on
        self.player.update()
        for creature in self.world.near(self.player.pos, below):
            if creature is not self.player:
                creature.update()
        if self.steps % 10 == 0:
            for chunk, creatures in self.world.chunks.items():
                for population in _POPULATIONS:
                    self._balance(population, chunk, creatures)
        if self._pictures_draw and self.world.daylight < DUSK:
            _noise(self.world.random)
            self._last_noise = _noise(self.world.random)
        reward: float = (self.player.health - self._health) / 10
        self._health = self.player.health
        unlocked = {name for name, count in self.player.achievements.items() if count > 0}
        if unlocked != self.unlocked:
            self.unlocked = unlocked
            reward += 1.0
        return reward

    def noise(self, pixels: int = PIXELS) -> Floats:
        """What speckles a picture at night: float64 in [32, 127), indexed [x, y]. The same for the same step.

        Args:
            pixels: Along the side of a cell, at most PIXELS. The array is (9 * pixels, 7 * pixels).
        """
        if self._last_noise is not None:
            return self._last_noise[: VIEW[0] * pixels, : VIEW[1] * pixels]
        return _noise(generator(self._seed, "crafter", "night", self.steps), pixels)

    def _set_daylight(self) -> None:
        """A day has 300 steps (`crafter.env.Env._update_time`)."""
        progress = (self.steps / 300) % 1 + 0.3
        self.world.daylight = 1 - np.abs(np.cos(np.pi * progress)) ** 3

    def _balance(self, population: _Population, chunk: tuple[int, int, int, int], creatures: Chunk) -> None:
        """Now and then adds a creature to a chunk that has too few of its kind, or takes one from a chunk that has too
        many.
        """
        world, random, far = self.world, self.world.random, self.player.distance
        ground = world.mask(*chunk, population.ground)
        least, most = population.bounds(int(np.count_nonzero(ground)), world.daylight)
        kin = [creature for creature in creatures if isinstance(creature, population.kind)]
        if len(kin) < int(least) and random.random_sample() < population.birth:
            xs, ys = ground.nonzero()
            i = random.randint(0, len(xs))
            pos = np.array((chunk[0] + xs[i], chunk[2] + ys[i]))
            if world[pos][1] is None and far(pos) >= population.born_away:
                arguments = (self.player,) if population.kind is not objects.Cow else ()
                world.add(population.kind(world, pos, *arguments))
        elif len(kin) > int(most) and random.random_sample() < population.death:
            creature = kin[random.randint(0, len(kin))]
            if far(creature.pos) >= population.gone_away:
                world.remove(creature)


def _noise(random: np.random.RandomState | np.random.Generator, pixels: int = PIXELS) -> Floats:
    return random.uniform(32, 127, (VIEW[0] * pixels, VIEW[1] * pixels))


def first_episode_seed(seed: int) -> int:
    """How `crafter.Env(seed=seed)` seeds the world of its first episode: `hash((seed, 1)) % (2**31 - 1)` on 64-bit
    CPython.

    CPython's hash of a tuple of integers (Objects/tupleobject.c, xxHash) does not depend on PYTHONHASHSEED; it is
    spelled out here so that the worlds do not depend on the interpreter either.

    Args:
        seed: In [0, 2**32).
    """
    bits = (1 << 64) - 1
    total = fifth = 2870177450012600261
    for number in (seed, 1):
        total = (total + number * 14029467366897019727) & bits
        total = ((total << 31 | total >> 33) & bits) * 11400714785074694791 & bits
    total = (total + (2 ^ fifth ^ 3527539)) & bits
    signed = total - (1 << 64) if total >> 63 else total
    return signed % (2**31 - 1)

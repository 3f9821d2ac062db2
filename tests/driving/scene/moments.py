"""Random moments of random street scenes, and what their pictures were before anything was kept between frames.

`python -m tests.driving.scene.moments` prints the digests of `moments.json`. It was made by the renderer that built
everything anew for each frame. Make it again only where a picture is meant to change.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import get_args

import numpy as np

from embodied.driving.closed_loop.world import ACTIONS, World, route
from embodied.driving.scene import sets
from embodied.driving.scene.render import Pose, frame
from embodied.driving.scene.spec import Actor, SceneSpec, Surroundings, Time, Weather
from embodied.planning import views
from embodied.planning.maps import FAMILIES, generate
from embodied.planning.planners.space import GOAL, START
from embodied.raster import Rendering
from embodied.seeding import generator

COUNT = 300
PARAMETERS = {"maze": 8, "rings": 1, "waves": 5, "random": 8}
"""Of the maps in the panels: small ones, quickly drawn."""
KNOWN = Path(__file__).with_name("moments.json")
SIZES = ((320, 180), (320, 180), (320, 180), (160, 90), (176, 99), (640, 360))


@dataclass(frozen=True)
class Moment:
    """What is drawn, from where."""

    number: int
    spec: SceneSpec
    pose: Pose
    actors: tuple[Actor, ...]
    size: tuple[int, int]
    samples: int

    def draw(self) -> Rendering:
        return frame(self.spec, self.pose, self.actors, size=self.size, samples=self.samples)


@lru_cache(maxsize=1)
def _pool() -> tuple[SceneSpec, ...]:
    return (*sets.specs(), *sets.more(30, 7))


def moment(number: int) -> Moment:
    """A scene of any weather, light and surroundings, driven for up to seven seconds with random words. Every fourth
    camera is then put somewhere else and turned.
    """
    rng = generator(number, "moments of frames")

    def one(values):
        return values[int(rng.integers(len(values)))]

    spec = one(_pool())
    if number % 2:
        weather, time, around = (one(get_args(kind)) for kind in (Weather, Time, Surroundings))
        spec = replace(spec, weather=weather, time=time, road=replace(spec.road, surroundings=around))
    world = World(route(spec, float(rng.integers(0, 11)), 1 - float(rng.integers(0, 16)) / 100))
    for tick in range(int(rng.integers(0, 70))):
        if tick % 5 == 0:
            world.command(one(tuple(ACTIONS)))
        world.tick()
    x, y, yaw = (round(value, 3) for value in (world.state.x, world.state.y, math.degrees(world.state.heading)))
    if number % 4 == 0:
        x, y = round(x + float(rng.uniform(-9, 9)), 3), round(y + float(rng.uniform(-30, 60)), 3)
        yaw = round(float(rng.uniform(-180, 180)), 3)
    actors = tuple(mover.posed() for mover in world.movers)
    return Moment(number, world.plan.spec, (x, y, yaw), actors, one(SIZES), 2 if number % 15 == 3 else 1)


def digest(drawn: Rendering) -> str:
    """Of colours, depths and ids; 16 hexadecimal digits."""
    data = drawn.color.tobytes() + drawn.depth.tobytes() + drawn.ids.tobytes()
    return hashlib.sha256(data).hexdigest()[:16]


def digests(numbers: Iterable[int] = range(COUNT)) -> dict[str, str]:
    return {str(number): digest(moment(number).draw()) for number in numbers}


def panels() -> dict[str, str]:
    """Of panels of paths in 3D: what else the rasteriser draws."""
    path = np.array([START, (30.0, -36.0), (-36.0, 35.0), GOAL])
    drawn = {family: views.draw(generate(family, PARAMETERS[family], 0), [path], view="3d")[0] for family in FAMILIES}
    return {f"panel {family}": hashlib.sha256(color.tobytes()).hexdigest()[:16] for family, color in drawn.items()}


if __name__ == "__main__":
    print(json.dumps(digests() | panels(), indent=0))

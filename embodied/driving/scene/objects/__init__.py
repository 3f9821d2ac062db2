"""What the 43 categories look like: small solids of few colours. Outline and colour distinguish them from as far as a
driver must recognise them.

`build(actor)` gives the meshes of an actor in the ego frame. Solids are built facing forward (+y) with their foot's
middle at the origin.
"""

from __future__ import annotations

import math
from functools import lru_cache

from embodied.driving.scene.objects.paint import PAINT, STATES, colour_of
from embodied.driving.scene.objects.people import PEOPLE
from embodied.driving.scene.objects.things import THINGS
from embodied.driving.scene.objects.vehicles import VEHICLES
from embodied.driving.scene.spec import Actor
from embodied.raster import Mesh, concatenate

__all__ = ["BUILDERS", "PAINT", "SIZES", "STATES", "build", "colour_of", "extent"]

BUILDERS = {**VEHICLES, **PEOPLE, **THINGS}
"""Category -> what makes its solid of a colour and a state."""

SIZES: dict[str, tuple[float, float, float]] = {}
"""Category -> width, length, height in metres, upright and unturned; measured from the solid."""


def build(actor: Actor, night: bool = False) -> Mesh:
    """The solid of an actor, where it stands, with its id."""
    mesh = solid(actor, night)
    return mesh.moved(actor.x, actor.y, yaw=math.radians(actor.yaw)).named(actor.id)


def solid(actor: Actor, night: bool = False) -> Mesh:
    """The solid of an actor at the origin, facing forward. Its arrays are kept, and cannot be written to."""
    return _solid(actor.category, colour_of(actor), actor.state, night)


@lru_cache(maxsize=256)
def _solid(category: str, colour: str, state: str, night: bool) -> Mesh:
    mesh = concatenate(BUILDERS[category](PAINT[colour], state, night))
    if state == "overturned":
        mesh = mesh.tilted(roll=math.pi / 2)
    elif state == "lying":
        mesh = mesh.tilted(pitch=-math.pi / 2)
    if state in ("overturned", "lying"):
        mesh = mesh.moved(0.0, 0.0, -mesh.vertices[:, 2].min())
    for array in (mesh.vertices, mesh.faces, mesh.colors, mesh.glow):
        array.flags.writeable = False
    return mesh


def extent(actor: Actor) -> tuple[float, float, float]:
    """Width (across its heading), length (along it) and height of an actor's solid, metres."""
    size = solid(actor).vertices.max(axis=0) - solid(actor).vertices.min(axis=0)
    width, length, height = (round(float(v), 3) for v in size)
    return width, length, height


for _category in BUILDERS:
    SIZES[_category] = extent(Actor(1, _category, 0.0, 0.0))

"""The items: an object of a procedural scene, a name that fits only it, its box in space and in the picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from embodied.arrays import Pixels
from embodied.driving.categories import label
from embodied.driving.facts import ObjectFact
from embodied.driving.grounding3d.boxes import Box2D, Box3D
from embodied.driving.records import Scene
from embodied.driving.scene.objects import solid
from embodied.driving.scene.render import EYE, SIZE, camera
from embodied.driving.scene.sets import one, scene_of, scenes, specs
from embodied.driving.scene.spec import Actor, SceneSpec
from embodied.driving.scene.templates import TEMPLATES
from embodied.errors import EnvironmentFailure
from embodied.raster.mesh import turned
from embodied.seeding import generator
from embodied.types import Json

__all__ = ["SIZE", "Item", "View", "box_of", "items", "made"]

_ATTEMPTS = 20
_DRESSED = ("pedestrian", "cyclist")
"""Their colour is that of their clothes."""
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True)
class View:
    """A picture and the camera that took it."""

    picture: Callable[[], Pixels]
    """Draws it: (height, width, 3) uint8."""
    width: int = SIZE[0]
    height: int = SIZE[1]
    focal: float = camera().focal
    """Pixels."""
    above_road: float = EYE
    """Metres."""
    tilt: float = round(math.degrees(math.asin(-float(camera().axes[2, 2]))), 4)
    """Degrees; positive for a camera that looks down."""

    @property
    def centre(self) -> tuple[float, float]:
        """The principal point, pixels."""
        return self.width / 2, self.height / 2

    def facts(self) -> Json:
        """As plain JSON."""
        (cx, cy), rest = self.centre, {"focal": self.focal, "above_road": self.above_road, "tilt": self.tilt}
        return {"width": self.width, "height": self.height, "cx": cx, "cy": cy, **rest}


@dataclass(frozen=True)
class Item:
    """One object to find."""

    scene: str
    id: int
    """Instance id."""
    category: str
    group: str
    phrase: str
    """What it is called: fits no other object listed in the scene."""
    box: Box3D
    box_2d: Box2D
    """Of what is seen of it."""
    view: View


@cache
def items() -> tuple[Item, ...]:
    """All objects of the embedded scenes that the annotator lists, an object of each scene in turn; the order within a
    scene is drawn once.
    """
    named = {spec.name: spec for spec in specs()}
    piles = []
    for scene in sorted(scenes(), key=lambda scene: scene.name):
        pile = _items_in(scene, named[scene.name])
        piles.append([pile[i] for i in generator(0, "grounding3d", scene.name).permutation(len(pile))])
    deepest = max(map(len, piles))
    return tuple(pile[k] for k in range(deepest) for pile in piles if k < len(pile))


def made(seed: int) -> Item:
    """An object of a scene that is made from the seed; takes half a second of CPU time, and as long for the picture."""
    for attempt in range(_ATTEMPTS):
        rng = generator(seed, "grounding3d", "made", attempt)
        spec = one(seed + attempt * len(TEMPLATES))[int(rng.integers(2))]  # of the same template
        if pile := _items_in(scene_of(spec), spec):
            return pile[int(rng.integers(len(pile)))]
    raise EnvironmentFailure(f"None of {_ATTEMPTS} scenes of the seed {seed} has an object that can be asked for.")


def _items_in(scene: Scene, spec: SceneSpec) -> list[Item]:
    """All objects of a scene that the annotator lists, in its order."""
    assert scene.facts is not None
    actors = {actor.id: actor for actor in spec.actors}
    names = phrases(scene.facts.objects)
    return [
        Item(
            scene.name,
            fact.id,
            fact.category,
            fact.group,
            names[fact.id],
            box_of(actors[fact.id]),
            _corners(fact),
            View(scene.picture),
        )
        for fact in scene.facts.objects
    ]


def box_of(actor: Actor) -> Box3D:
    """The box around an actor's solid, in the levelled frame of the ego camera at the scene's start."""
    vertices = solid(actor).vertices
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    # An outstretched arm or an overturned body: the box's middle is not where the actor stands.
    dx, dy, dz = turned(((low + high) / 2)[None], math.radians(actor.yaw))[0]
    w, l, h = high - low  # noqa: E741
    yaw = 180 - (180 - actor.yaw) % 360
    return Box3D(*(round(float(n), 3) for n in (actor.x + dx, EYE - dz, actor.y + dy, w, h, l, yaw)))


def phrases(objects: Sequence[ObjectFact]) -> dict[int, str]:
    """A name for each object that fits no other of them: its kind; its colour, too; or its place in the row of its
    kind, from the left.
    """
    kinds = Counter(o.category for o in objects)
    painted = Counter((o.category, o.colour) for o in objects)
    names = {}
    for o in objects:
        kind = label(o.category)
        if kinds[o.category] == 1 and o.category != "misc":  # which says nothing
            names[o.id] = f"the {kind}"
        elif o.colour and painted[o.category, o.colour] == 1:
            names[o.id] = f"the {kind} in {o.colour}" if o.category in _DRESSED else f"the {o.colour} {kind}"
        else:
            row = sorted(
                (p for p in objects if p.category == o.category), key=lambda p: (p.box[0] + p.box[2] / 2, p.id)
            )
            place = row.index(o)
            names[o.id] = f"the {_ordinal(place)}{kind} from the left, of {len(row)}"
    return names


def _ordinal(place: int) -> str:
    return f"{_ORDINALS[place]} " if place < len(_ORDINALS) else f"{place + 1}th "


def _corners(fact: ObjectFact) -> Box2D:
    x, y, w, h = fact.box
    return x, y, x + w, y + h

"""The facts that a real annotation tells: its lists and its advice, read with the same rules as answers are."""

from __future__ import annotations

from functools import lru_cache

from embodied.driving.actions import ACTIONS
from embodied.driving.categories import CATEGORIES, canonical
from embodied.driving.facts import LightState, ObjectFact, SceneFacts, Side
from embodied.driving.grounded.advice import advice
from embodied.driving.grounded.mentions import Mention, mentions
from embodied.driving.grounded.region import head_nouns
from embodied.driving.grounded.suggestion import forbidden_by
from embodied.driving.grounded.text import normalise
from embodied.driving.records import Annotation, Region, Scene

_SIDES: dict[str, tuple[Side, ...]] = {
    "left": ("left",),
    "right": ("right",),
    "ahead": ("ahead",),
    "both": ("left", "right"),
    "": ("",),
}


def facts_of(scene: Scene) -> SceneFacts:
    """The facts of a scene: those it comes with, else those its annotation tells."""
    return scene.facts or of_annotation(scene.annotation, scene.width, scene.height)


@lru_cache(maxsize=8192)
def of_annotation(annotation: Annotation, width: int, height: int) -> SceneFacts:
    """Facts from an annotation's lists and advice.

    An item's noun says its category, and its group even where the item stands in another list (a motorcyclist among
    vehicles); an item without a noun we know counts by its list. Objects of a category that a region has are corner
    cases. Boxes of objects are not known.

    Args:
        annotation: English or Chinese.
        width: Of the picture, pixels.
        height: Of the picture, pixels.
    """
    boxed = {canonical(r.category) for r in annotation.regions}
    objects: list[ObjectFact] = []
    for item in annotation.mentions:
        if not item.description.strip():
            continue
        mention = _head(item.description)
        category = mention.noun.categories[0] if mention and mention.noun.categories else ""
        group = CATEGORIES.get(
            category, mention.noun.groups[0] if mention and item.group not in mention.noun.groups else item.group
        )
        colour = mention.colours[0] if mention and mention.colours else ""
        state = mention.states[0] if mention and mention.states else ""
        for side in _SIDES[mention.side if mention else ""]:
            objects.append(
                ObjectFact(
                    len(objects) + 1,
                    category,
                    group,
                    (0, 0, 0, 0),
                    side,
                    colour=colour,
                    state=state,
                    corner_case=category in boxed,
                )
            )
    required = advice(annotation.suggestion).actions
    light = _light(objects)
    return SceneFacts(
        image=annotation.name,
        width=width,
        height=height,
        objects=tuple(objects),
        required=tuple(a for a in ACTIONS if a in required),
        forbidden=tuple(a for a in ACTIONS if a in forbidden_by(required)),
        light=light,
    )


def of_region(region: Region, number: int = 1) -> ObjectFact | None:
    """A boxed object; None when its category is not one of the 43."""
    category = canonical(region.category)
    if category is None:
        return None
    x, y, w, h = region.box
    return ObjectFact(number, category, CATEGORIES[category], (x, y, w, h), "", corner_case=True)


def _head(description: str) -> Mention | None:
    """The object that an item of a list describes, with all its attributes."""
    text = normalise(description)
    heads = [m for m in head_nouns(text) if m.noun.groups]
    found = [m for m in mentions(text) if not m.negated]
    named = heads[0] if heads else (found[0] if found else None)
    return next((m for m in found if named and m.noun == named.noun), named)


def _light(objects: list[ObjectFact]) -> LightState:
    """The state of the traffic lights where all that are described agree."""
    states = {o.colour for o in objects if o.category == "traffic_light" and o.colour}
    said = states.pop() if len(states) == 1 else ""
    known: dict[str, LightState] = {"red": "red", "yellow": "yellow", "green": "green"}
    return known.get(said, "")

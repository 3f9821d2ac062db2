"""Colours by word, and the states that show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodied.raster.mesh import Colour

if TYPE_CHECKING:
    from embodied.driving.scene.spec import Actor

PAINT: dict[str, Colour] = {
    "red": (196, 38, 32),
    "orange": (240, 120, 20),
    "yellow": (238, 196, 38),
    "green": (44, 128, 62),
    "blue": (36, 82, 176),
    "white": (232, 232, 230),
    "black": (34, 34, 38),
    "grey": (128, 132, 136),
    "silver": (176, 182, 188),
    "brown": (122, 82, 48),
    "beige": (206, 186, 148),
    "purple": (112, 60, 140),
    "pink": (226, 130, 160),
}

USUAL = {
    "traffic_cone": "orange",
    "warning_sign": "yellow",
    "traffic_sign": "blue",
    "traffic_light": "black",
    "barrier": "orange",
    "bollard": "yellow",
    "tire": "black",
    "garbage_bag": "black",
    "plastic_bag": "white",
    "cardboard": "brown",
    "carton": "brown",
    "stone": "beige",
    "concrete_block": "grey",
    "traffic_island": "grey",
    "debris": "grey",
    "dustbin": "green",
    "phone_booth": "red",
    "sentry_box": "white",
    "traffic_box": "grey",
    "dog": "brown",
    "cat": "orange",
    "construction_vehicle": "yellow",
    "machinery": "yellow",
    "basket": "beige",
    "garbage": "brown",
    "chair": "brown",
    "misc": "beige",
}
"""Colour of a category where an actor names none; grey for the others."""

STATES = (
    "moving",
    "parked",
    "stopped",
    "braking",
    "oncoming",
    "overturned",
    "broken down",
    "crossing",
    "walking",
    "standing",
    "directing",
    "working",
    "lying",
    "red",
    "yellow",
    "green",
)


def darker(paint: Colour, by: int) -> Colour:
    """A colour with `by` less of red, green and blue."""
    red, green, blue = (max(0, channel - by) for channel in paint)
    return red, green, blue


def colour_of(actor: Actor) -> str:
    """The colour word of an actor."""
    return actor.colour or USUAL.get(actor.category, "grey")

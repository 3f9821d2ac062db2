"""The 43 object categories of CODA-LM and the seven groups its tables report.

Source: the CODA-LM data (Li et al., "Automated Evaluation of Large Vision-Language Models on Self-driving Corner
Cases", 2024), category names as the annotations of CODA2022 write them. One of them is written `suitcace` there; both
spellings are read, `suitcase` is used here.
"""

from __future__ import annotations

from types import MappingProxyType

from embodied import registry

GROUPS = ("vehicle", "vru", "traffic_sign", "traffic_light", "traffic_cone", "barrier", "miscellaneous")
"""In the order of CODA-LM's tables. `vru`: vulnerable road user."""

_MEMBERS = {
    "vehicle": "car truck tram tricycle bus trailer construction_vehicle recreational_vehicle",
    "vru": "pedestrian cyclist bicycle moped motorcycle stroller wheelchair cart",
    "traffic_sign": "warning_sign traffic_sign",
    "traffic_light": "traffic_light",
    "traffic_cone": "traffic_cone",
    "barrier": "barrier bollard",
    "miscellaneous": (
        "dog cat sentry_box traffic_box traffic_island debris suitcase dustbin concrete_block machinery chair"
        " phone_booth basket cardboard carton garbage garbage_bag plastic_bag stone tire misc"
    ),
}
CATEGORIES = MappingProxyType({name: group for group, names in _MEMBERS.items() for name in names.split()})
"""Category -> group, 43 of them."""

SPELLINGS = MappingProxyType({"suitcace": "suitcase"})
"""Spellings found in the data -> the category."""

LISTS = MappingProxyType(
    {
        "vehicles": "vehicle",
        "vulnerable_road_users": "vru",
        "traffic signs": "traffic_sign",
        "traffic lights": "traffic_light",
        "traffic cones": "traffic_cone",
        "barriers": "barrier",
        "other objects": "miscellaneous",
    }
)
"""Key of a list under `general_perception` of an annotation -> group. The mix of underscore and space is the data's
own.
"""

_LABELS = {"vru": "vulnerable road user", "misc": "object", "miscellaneous": "other object"}


def canonical(name: str) -> str | None:
    """The category of a name as the data may write it (`suitcace`, `Traffic Cone`); None when it is not one of the
    43.
    """
    folded = name.strip().casefold().replace(" ", "_").replace("-", "_")
    folded = SPELLINGS.get(folded, folded)
    return folded if folded in CATEGORIES else None


def group_of(category: str) -> str:
    """The group of a category, in either spelling. Raises `UnknownName` for one that is not one of the 43."""
    found = canonical(category)
    if found is None:
        raise registry.unknown("category", category, sorted(CATEGORIES), "embodied codalm categories")
    return CATEGORIES[found]


def label(name: str) -> str:
    """A category or group in words, singular: `traffic_cone` -> `traffic cone`."""
    return _LABELS.get(name, name.replace("_", " "))

"""The twelve actions that driving advice consists of, and the words for them: `data/actions.toml`."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from types import MappingProxyType

_TABLE = tomllib.loads(files("embodied.driving").joinpath("data/actions.toml").read_text(encoding="utf-8"))

ACTIONS = MappingProxyType({name: entry["gloss"] for name, entry in _TABLE.items()})
"""Name -> gloss: stop, slow_down, keep_distance, yield, keep_lane, change_lane_left, change_lane_right, avoid, proceed,
obey_light, obey_sign, watch. Ours.
"""

SYNONYMS = MappingProxyType(
    {name: (tuple(entry["english"]), tuple(entry["chinese"])) for name, entry in _TABLE.items()}
)
"""Action -> regular expressions of its words in normalised text, English and Chinese."""

CONTRADICTIONS = MappingProxyType(
    {
        "stop": frozenset({"proceed"}),
        "slow_down": frozenset({"proceed"}),
        "yield": frozenset({"proceed"}),
        "keep_lane": frozenset({"change_lane_left", "change_lane_right"}),
        "proceed": frozenset({"stop"}),
    }
)
"""Action -> actions that cannot be done together with it. `proceed` means to drive on without care: "proceed with
caution" is `slow_down`.
"""

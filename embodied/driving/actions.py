"""The twelve actions that driving advice is taken apart into."""

from __future__ import annotations

from types import MappingProxyType

ACTIONS = MappingProxyType(
    {
        "stop": "brake to a standstill, or stay standing",
        "slow_down": "reduce speed",
        "keep_distance": "keep a safe gap to the vehicle or object in front or beside",
        "yield": "give way to other road users",
        "keep_lane": "stay in the present lane",
        "change_lane_left": "move to the lane on the left, or pass on the left",
        "change_lane_right": "move to the lane on the right, or pass on the right",
        "avoid": "go round an obstacle or change lanes, the side left open",
        "proceed": "go on at the present speed, or speed up",
        "obey_light": "act as the traffic light says",
        "obey_sign": "act as the traffic signs say",
        "watch": "watch a road user or object, be ready to react",
    }
)
"""Name -> gloss. The set and its names are ours."""

CONTRADICTIONS = MappingProxyType(
    {
        "stop": frozenset({"proceed"}),
        "slow_down": frozenset({"proceed"}),
        "keep_lane": frozenset({"change_lane_left", "change_lane_right"}),
        "proceed": frozenset({"stop"}),
    }
)
"""Action -> actions that cannot be done together with it. `proceed` is meant without reserve: "proceed with caution" is `slow_down`."""

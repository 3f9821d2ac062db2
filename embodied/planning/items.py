"""Labelled items: a pair of paths on one map, a scenario, and which of the two suits it.

A set is a JSON object of maps (family, parameter, seed), pairs (vertices in ten-thousandths, radii, descriptors) and
items (pair, scenario, label); its digest is over that object. `embedded` gives the sets that ship with the package;
`making` makes others.

Stored values are never trusted: `check` makes an item's map, computes its descriptors and its label again, and
compares. An item is in a set only when both descriptor sets resolve it, and to the same path, so that no label depends
on where clearance is measured.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embodied.arrays import Floats
from embodied.errors import EnvironmentFailure
from embodied.planning.descriptors import DESCRIPTORS, denses, papers
from embodied.planning.pairs import labels, margins, votes
from embodied.planning.scenarios import SCENARIOS, WEIGHTS, Scenario
from embodied.registry import unknown
from embodied.seeding import derive

if TYPE_CHECKING:
    from embodied.planning.maps import Map

SPLITS = ("test", "dev", "train")
EMBEDDED = ("test", "dev")
"""Splits of which a set ships with the package."""
UNITS = 10_000
"""Vertices are stored as whole numbers of 1/10,000 map unit, to which planners round them."""
_LIKE = 2e-6
"""How much recomputed descriptors may differ: twice their rounding."""


class MapKey(NamedTuple):
    """What a map is made from (`maps.generate`)."""

    family: str
    parameter: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.family}{self.parameter}-{self.seed}"

    @property
    def split(self) -> str:
        """The split that all pairs on this map belong to: a fifth test, a tenth dev, the rest train. It depends on the
        map only.
        """
        share = derive(0, "patheval", "split", *self) % 10
        return "test" if share < 2 else "dev" if share < 3 else "train"


@dataclass(frozen=True, eq=False)
class Pair:
    """Two paths on one map. Published pairs have no map, paths and dense descriptors, but pictures."""

    paper: Floats
    """(2, 7) float64, the descriptors of both paths."""
    dense: Floats | None = None
    map: MapKey | None = None
    paths: tuple[Floats, Floats] | None = None
    """Vertices, each (n, 2) float64."""
    radii: tuple[float, float] = (0.0, 0.0)
    """Of the robot each path was planned for, in map units; 0 where it is not known."""
    name: str = ""
    """Distinct within a set."""
    pictures: Mapping[str, Path] = field(default_factory=dict)
    """View (`2d`, `3d`) -> the picture of both panels side by side, path 1 on the left."""

    def parts(self) -> tuple[MapKey, tuple[Floats, Floats], Floats]:
        """Map, paths and dense descriptors of a pair that is ours.

        Raises:
            ValueError: It is a published pair, which has no map, paths or dense descriptors.
        """
        if self.map is None or self.paths is None or self.dense is None:
            raise ValueError(f"The pair {self.name} has no map, paths or dense descriptors.")
        return self.map, self.paths, self.dense

    def descriptors(self, which: str) -> Floats:
        """(2, 7) of the set `paper` or `dense`."""
        return self.paper if which == "paper" or self.dense is None else self.dense

    def votes(self, scenario: Scenario, which: str) -> npt.NDArray[np.int8]:
        """(7,) int8: 1 for the first path, -1 for the second, 0 for neither."""
        first, second = self.descriptors(which)
        return votes(first, second, np.array(scenario.weights, dtype=np.int8))

    def margins(self, which: str) -> Floats:
        """(7,) float64: how much more the first path has than the second, in thresholds."""
        first, second = self.descriptors(which)
        return margins(first, second)

    def labels(self) -> npt.NDArray[np.int8]:
        """(15,) int8: 1 or 2 where all descriptor sets resolve the pair to that path, else 0."""
        found = labels(self.paper[0], self.paper[1], WEIGHTS)
        if self.dense is None:
            return found
        return np.where(labels(self.dense[0], self.dense[1], WEIGHTS) == found, found, 0).astype(np.int8)


@dataclass(frozen=True, eq=False)
class Item:
    """A question: which path of `pair` suits `scenario`?"""

    id: str
    pair: Pair
    scenario: Scenario
    label: int
    """1 or 2."""


@dataclass(frozen=True, eq=False)
class ItemSet:
    """Items of one split, in the order they are asked: the scenarios take turns."""

    split: str
    pairs: tuple[Pair, ...]
    items: tuple[Item, ...]
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """What the set was made with."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What happened on the way: infeasible maps, paths not found, unresolved questions, ..."""

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over the set's JSON, hexadecimal."""
        return hashlib.sha256(json.dumps(self.to_json(), separators=(",", ":"), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        own = [pair.parts()[0] for pair in self.pairs]
        maps = list(dict.fromkeys(own))
        at = {key: index for index, key in enumerate(maps)}
        number = {id(pair): index for index, pair in enumerate(self.pairs)}
        return {
            "split": self.split,
            "recipe": dict(self.recipe),
            "counts": dict(self.counts),
            "maps": [list(key) for key in maps],
            "pairs": [{"map": at[key], **pair_json(pair)} for key, pair in zip(own, self.pairs, strict=True)],
            "items": [[number[id(item.pair)], item.scenario.number, item.label] for item in self.items],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ItemSet:
        maps = [MapKey(*key) for key in data["maps"]]
        pairs = tuple(pair_from_json(pair, maps[pair["map"]]) for pair in data["pairs"])
        items = tuple(
            Item(f"{pairs[p].name}-s{s:02}", pairs[p], SCENARIOS[s - 1], label) for p, s, label in data["items"]
        )
        return cls(data["split"], pairs, items, data["recipe"], data["counts"])

    def of(self, scenario: Scenario | None = None, family: str | None = None) -> tuple[Item, ...]:
        """The items of a scenario, or on maps of a family, or both."""
        return tuple(
            i
            for i in self.items
            if scenario in (None, i.scenario)
            and (family is None or (i.pair.map is not None and i.pair.map.family == family))
        )


def pair_json(pair: Pair) -> dict[str, Any]:
    """A pair of ours as JSON, without its map."""
    _, paths, dense = pair.parts()
    return {
        "name": pair.name,
        "radii": list(pair.radii),
        "paths": [np.rint(path * UNITS).astype(int).ravel().tolist() for path in paths],
        "paper": pair.paper.tolist(),
        "dense": dense.tolist(),
    }


def pair_from_json(data: Mapping[str, Any], key: MapKey) -> Pair:
    """The pair of `pair_json`."""
    one, other = (np.array(path, dtype=float).reshape(-1, 2) / UNITS for path in data["paths"])
    return Pair(np.array(data["paper"]), np.array(data["dense"]), key, (one, other), tuple(data["radii"]), data["name"])


@functools.cache
def embedded(split: str = "test") -> ItemSet:
    """A set that ships with the package. Raises `UnknownName`, or `EnvironmentFailure` when the file is not the one
    that shipped.
    """
    if split not in EMBEDDED:
        raise unknown("embedded set of patheval", split, list(EMBEDDED), "embodied show patheval")
    file = importlib.resources.files(__package__).joinpath(f"data/{split}.json.xz")
    data = json.loads(lzma.decompress(file.read_bytes()))
    items = ItemSet.from_json(data)
    if items.digest != data["digest"]:
        raise EnvironmentFailure(
            f"The {split} set of patheval is damaged: its digest is not the recorded one. Reinstall the package."
        )
    return items


def check(item: Item) -> None:
    """Computes the descriptors and the label of `item` again, from its map and paths (once a pair in a process).

    Raises:
        EnvironmentFailure: They are not the stored ones.
    """
    if item.pair.paths is not None:
        _check_descriptors(item.pair)
    if (rule := int(item.pair.labels()[item.scenario.number - 1])) != item.label:
        raise EnvironmentFailure(f"Item {item.id}: the rule gives the label {rule}, the set says {item.label}.")


@functools.cache
def _check_descriptors(pair: Pair) -> None:
    key, paths, _ = pair.parts()
    polygons = drawn(key).obstacles
    for which, fresh in (("paper", papers(paths, polygons)), ("dense", denses(paths, polygons))):
        gap = np.abs(fresh - pair.descriptors(which))
        if gap.max() > _LIKE:
            path, at = np.unravel_index(gap.argmax(), gap.shape)
            raise EnvironmentFailure(
                f"Pair {pair.name}: the {which} {DESCRIPTORS[at].key} of path {path + 1} is {fresh[path, at]:.6f} on"
                f" this machine, the set says {pair.descriptors(which)[path, at]:.6f}."
            )


@functools.lru_cache(maxsize=16)
def drawn(key: MapKey) -> Map:
    """The map of a key."""
    from embodied.planning.maps import generate

    return generate(*key)


def differing(pairs: tuple[Pair, ...], which: str) -> list[list[Pair]]:
    """Of each of the 7 descriptors, the pairs that differ in it by a threshold or more."""
    gaps = np.abs([pair.margins(which) for pair in pairs]) >= 1
    return [[pair for pair, counts in zip(pairs, gaps[:, d], strict=True) if counts] for d in range(len(DESCRIPTORS))]

"""Makes sets of labelled items: maps, paths, pairs, labels, and an even choice of items. Any size, from one seed, on
any number of processes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain, count, zip_longest
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from embodied.caches import keep
from embodied.errors import UsageError
from embodied.planning.descriptors import SETS, denses, papers
from embodied.planning.items import ItemSet, MapKey, Pair, drawn, pair_from_json, pair_json
from embodied.planning.pairs import farthest, labels
from embodied.planning.scenarios import SCENARIOS, WEIGHTS
from embodied.seeding import derive, generator

PARAMETERS = {"maze": (10, 18), "rings": (2, 15), "waves": (5, 10), "random": (12, 20)}
"""Least and greatest parameter of each family, PathEval's."""
RADII = (0.5, 1.5)
"""The robot's radius is drawn from this range for every path, in map units (PathEval's planner)."""
VERSION = 1
"""Raised when the same recipe would give another set."""


@dataclass(frozen=True)
class Recipe:
    """What decides a set."""

    split: str = "train"
    seed: int = 0
    maps: int = 100
    """How many maps."""
    paths: int = 14
    """Paths planned on each map."""
    pairs: int = 5
    """Pairs chosen from them (PathEval: 5)."""
    each: int | None = None
    """Items a scenario, half of them for either path; None for all there are."""
    planner: str = "rrt"
    version: int = VERSION


def keys(recipe: Recipe) -> list[MapKey]:
    """The maps of a set: the families take turns, parameters and seeds are drawn, and maps of another split are
    skipped.
    """
    families = list(PARAMETERS)
    found: list[MapKey] = []
    for index in range(recipe.maps):
        family = families[index % len(families)]
        low, high = PARAMETERS[family]
        for attempt in count():
            rng = generator(recipe.seed, "patheval", recipe.split, index, attempt)
            key = MapKey(family, int(rng.integers(low, high + 1)), int(rng.integers(2**31)))
            if key.split == recipe.split:
                found.append(key)
                break
    return found


def make(
    recipe: Recipe, workers: int | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> ItemSet:
    """Makes a set. The same recipe gives the same set, on any number of processes.

    Args:
        recipe: What to make.
        workers: Processes; None for one a core.
        progress: Called with the number of maps done, and of all.

    Raises:
        UsageError: The recipe asks for more items of a scenario than its maps give; names the scarce ones.
        EnvironmentFailure: The cache cannot be written.
    """
    wanted = keys(recipe)
    made = []
    for done, result in enumerate(_made(wanted, recipe, workers), 1):
        made.append(result)
        progress(done, len(wanted))
    counts = Counter({"maps": len(wanted), "infeasible maps": 0})
    for result in made:
        counts.update(result["counts"])
    of_map = [[pair_from_json(pair, key) for pair in result["pairs"]] for key, result in zip(wanted, made, strict=True)]
    pairs = [pair for found in of_map for pair in found]
    counts.update(_tally(pairs))
    return select(recipe, pairs, counts)


def _made(wanted: Sequence[MapKey], recipe: Recipe, workers: int | None) -> Iterator[dict[str, Any]]:
    workers = min(workers or os.cpu_count() or 1, len(wanted))
    orders = [(key, recipe.paths, recipe.pairs, recipe.planner) for key in wanted]
    if workers <= 1:
        yield from map(_cached, orders)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_cached, orders)


# --------------------------------------------------------------------------- one map


def pairs_on(key: MapKey, paths: int, pairs: int, planner: str) -> tuple[list[Pair], dict[str, int]]:
    """Plans paths on a map and pairs those that differ most.

    Returns:
        Pairs, the order within each drawn from the map's seed; and counts of what happened.
    """
    from embodied.planning.maps import feasible
    from embodied.planning.planners import plan

    field = drawn(key)
    if not feasible(field, RADII[0]):
        return [], {"infeasible maps": 1}
    found, radii = [], []
    for index in range(paths):
        rng = generator(key.seed, "patheval", "path", key.family, key.parameter, index)
        radius = round(float(rng.uniform(*RADII)), 2)
        path = plan(field, planner, radius, rng)
        if path is not None:
            found.append(path)
            radii.append(radius)
    counts = {"paths": len(found), "paths not found": paths - len(found)}
    if len(found) < 2:
        return [], counts
    paper, dense = papers(found, field.obstacles), denses(found, field.obstacles)
    order = generator(key.seed, "patheval", "order", key.family, key.parameter)
    chosen = []
    for rank, couple in enumerate(farthest(paper, pairs)):
        one, other = at = list(couple if order.integers(2) else couple[::-1])
        chosen.append(
            Pair(
                paper[at], dense[at], key, (found[one], found[other]), (radii[one], radii[other]), f"{key.name}-{rank}"
            )
        )
    return chosen, counts


def _cached(order: tuple[MapKey, int, int, str]) -> dict[str, Any]:
    """`pairs_on` as JSON, from the cache if it is there."""
    path = folder() / f"{hashlib.sha256(repr((VERSION, *order)).encode()).hexdigest()[:24]}.json"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(kept, dict) and set(kept) == {"pairs", "counts"}:
            return kept
    except (FileNotFoundError, ValueError):  # not there, or damaged: made again
        pass
    pairs, counts = pairs_on(*order)
    result = {"pairs": [pair_json(pair) for pair in pairs], "counts": counts}
    keep(path, json.dumps(result, separators=(",", ":")).encode())
    return result


def folder() -> Path:
    """Where maps that were worked through are kept: `$XDG_CACHE_HOME/embodied/patheval`, by
    default under `~/.cache`.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "embodied" / "patheval"


# --------------------------------------------------------------------------- the set


def _tally(pairs: Sequence[Pair]) -> dict[str, int]:
    """How the questions (pair, scenario) that could be asked fare with the rule."""
    if not pairs:
        return {"pairs": 0}
    values = {which: np.array([p.descriptors(which) for p in pairs]) for which in SETS}
    by = {which: labels(both[:, 0], both[:, 1], WEIGHTS) for which, both in values.items()}
    both = (by["paper"] > 0) & (by["dense"] > 0)
    return {
        "pairs": len(pairs),
        "questions": by["paper"].size,
        "resolved by paper": int((by["paper"] > 0).sum()),
        "resolved by dense": int((by["dense"] > 0).sum()),
        "resolved by both to different paths": int((both & (by["paper"] != by["dense"])).sum()),
        "labelled": int((both & (by["paper"] == by["dense"])).sum()),
    }


def select(recipe: Recipe, pairs: Sequence[Pair], counts: Mapping[str, int]) -> ItemSet:
    """Chooses items. Pair by pair, in a drawn order, all scenarios are taken that still need an item with that label:
    so the same two paths are asked about in many scenarios, among them some with opposite answers."""
    room: dict[tuple[int, int], float] = {
        (s.number, label): float("inf") if recipe.each is None else recipe.each // 2
        for s in SCENARIOS
        for label in (1, 2)
    }
    if recipe.each is not None and recipe.each % 2:
        for s in SCENARIOS:
            room[s.number, 1 + derive(recipe.seed, "patheval", "odd", s.number) % 2] += 1
    chosen: dict[int, list[list[int]]] = {s.number: [] for s in SCENARIOS}
    for at in generator(recipe.seed, "patheval", recipe.split, "choice").permutation(len(pairs)).tolist():
        for s, label in zip(SCENARIOS, pairs[at].labels().tolist(), strict=True):
            if label and room[s.number, label] > 0:
                room[s.number, label] -= 1
                chosen[s.number].append([at, s.number, label])
    if recipe.each is not None and (
        scarce := {SCENARIOS[n - 1].name: len(rows) for n, rows in chosen.items() if len(rows) < recipe.each}
    ):
        found = ", ".join(f"{name}: {number}" for name, number in scarce.items())
        raise UsageError(
            f"{recipe.maps} maps give fewer than {recipe.each} items for some scenarios ({found}). Ask for more maps."
        )
    rows = _in_turn(recipe, chosen)
    used = sorted({row[0] for row in rows})
    number = {at: index for index, at in enumerate(used)}
    kept = [pairs[at] for at in used]
    own = [pair.parts()[0] for pair in kept]
    maps = list(dict.fromkeys(own))
    data = {
        "split": recipe.split,
        "recipe": asdict(recipe),
        "counts": {**counts, "items": len(rows), "pairs used": len(kept), "maps used": len(maps)},
        "maps": [list(key) for key in maps],
        "pairs": [{"map": maps.index(key), **pair_json(pair)} for key, pair in zip(own, kept, strict=True)],
        "items": [[number[at], scenario, label] for at, scenario, label in rows],
    }
    return ItemSet.from_json(data)


def _in_turn(recipe: Recipe, chosen: Mapping[int, list[list[int]]]) -> list[list[int]]:
    """Items in the order they are asked: shuffled within a scenario, and the scenarios take turns, so that any
    beginning of the list is even.
    """
    for number, rows in chosen.items():
        generator(recipe.seed, "patheval", recipe.split, "turn", number).shuffle(rows)
    return [row for row in chain.from_iterable(zip_longest(*chosen.values())) if row is not None]

"""The embedded set `codalm-procedural`: 24 corner cases and their twins without the hazard, in CODA-LM's schema; and
more of them by seed.

Specifications and facts are shipped as JSON (`data/`), so that asking about a scene draws nothing; pictures are drawn
on first use and kept under the digest of their specification. `EMBODIED_CACHE` moves the folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np

from embodied.arrays import Pixels
from embodied.blobs import decode_png, encode_png
from embodied.caches import keep
from embodied.driving.facts import SceneFacts
from embodied.driving.records import Scene
from embodied.driving.scene.annotate import annotation_of, facts_of
from embodied.driving.scene.render import SIZE, frame
from embodied.driving.scene.spec import SceneSpec, Surroundings, Time, Weather, decode
from embodied.driving.scene.templates import PAVED, TEMPLATES, make
from embodied.errors import StoreError
from embodied.seeding import generator

NAME = "codalm-procedural"
SAMPLES = 2
"""Supersampling of the set's pictures."""
DRAWN = 2
"""Raised when the same specification gives another picture: pictures of the cache are then drawn again."""


T = TypeVar("T")


class CornerCase(NamedTuple):
    """What a pair of the embedded set is made from (`templates.make`)."""

    template: str
    what: str
    weather: Weather
    time: Time
    surroundings: Surroundings
    extras: tuple[str, ...]


CASES = (
    CornerCase("fallen_cargo", "carton", "clear", "day", "suburb", ("dustbin", "traffic_sign")),
    CornerCase("overturned_vehicle", "truck", "clear", "day", "rural", ("warning_sign",)),
    CornerCase("overturned_vehicle", "recreational_vehicle", "rain", "dusk", "motorway", ()),
    CornerCase("animal_crossing", "dog", "clear", "day", "suburb", ("bicycle", "garbage_bag", "car")),
    CornerCase("animal_crossing", "cat", "clear", "dusk", "city", ("phone_booth", "chair")),
    CornerCase("wrong_way", "car", "fog", "day", "motorway", ()),
    CornerCase("broken_down", "car", "clear", "night", "city", ("traffic_box", "dustbin")),
    CornerCase("work_zone", "construction_vehicle", "clear", "day", "city", ("sentry_box", "bollard")),
    CornerCase("work_zone", "machinery", "rain", "day", "suburb", ("garbage",)),
    CornerCase("obstacle", "tire", "clear", "night", "rural", ("traffic_sign",)),
    CornerCase("obstacle", "stone", "fog", "day", "rural", ("warning_sign",)),
    CornerCase("obstacle", "concrete_block", "snow", "day", "suburb", ("recreational_vehicle",)),
    CornerCase("obstacle", "misc", "clear", "dusk", "motorway", ()),
    CornerCase("obstacle", "basket", "clear", "day", "city", ("tram", "cyclist", "traffic_island")),
    CornerCase("slow_crossing", "stroller", "clear", "day", "city", ("traffic_light", "tram", "basket")),
    CornerCase("slow_crossing", "wheelchair", "rain", "day", "city", ("traffic_box", "cart", "motorcycle")),
    CornerCase("slow_crossing", "cart", "clear", "dusk", "suburb", ("garbage", "moped")),
    CornerCase("oversize_load", "trailer", "clear", "day", "motorway", ()),
    CornerCase("officer_overrides", "pedestrian", "clear", "day", "city", ("traffic_island", "phone_booth")),
    CornerCase("stepping_out", "pedestrian", "snow", "day", "suburb", ("cat", "stone", "dustbin")),
    CornerCase("slow_machine", "construction_vehicle", "clear", "day", "rural", ("bicycle",)),
    CornerCase("closed_road", "barrier", "clear", "night", "city", ("sentry_box", "dustbin", "suitcase")),
    CornerCase("rider_cuts_in", "tricycle", "clear", "day", "city", ("garbage_bag", "chair", "carton")),
    CornerCase("harmless", "plastic_bag", "clear", "day", "suburb", ("car", "cardboard", "dog")),
)
"""The pairs of the embedded set, in order."""


@lru_cache(maxsize=1)
def specs() -> tuple[SceneSpec, ...]:
    """The embedded specifications: each corner case followed by its twin."""
    return decode(files("embodied.driving.scene").joinpath("data/specs.json").read_bytes(), NAME)


@lru_cache(maxsize=1)
def facts() -> tuple[SceneFacts, ...]:
    """The facts of the embedded scenes, in the order of `specs`."""
    return msgspec.json.decode(
        files("embodied.driving.scene").joinpath("data/facts.json").read_bytes(), type=tuple[SceneFacts, ...]
    )


@lru_cache(maxsize=1)
def scenes() -> tuple[Scene, ...]:
    """The embedded set as pictures with annotations."""
    return tuple(
        Scene(annotation_of(s, f), f.width, f.height, _picture(s), f) for s, f in zip(specs(), facts(), strict=True)
    )


def twin_names() -> list[tuple[str, str]]:
    """Pairs of scene names: with the hazard, and without."""
    return [(s.name, s.twin) for s in specs() if s.name.endswith("_1")]


def build(cases: Sequence[CornerCase] = CASES) -> tuple[SceneSpec, ...]:
    """Makes the pairs of `cases`; what ships is `build()`."""
    pairs = [
        make(
            f"{k:02d}_{c.template}_{c.what}",
            c.template,
            c.what,
            k,
            weather=c.weather,
            time=c.time,
            surroundings=c.surroundings,
            extras=c.extras,
        )
        for k, c in enumerate(cases, 1)
    ]
    return tuple(spec for pair in pairs for spec in pair)


def more(count: int, seed: int) -> tuple[SceneSpec, ...]:
    """`count` further pairs, drawn from a seed: templates take turns, all else is drawn."""
    rng = generator(seed, NAME, "more")
    return tuple(spec for k in range(count) for spec in _drawn(rng, k, f"s{seed}_{k:03d}"))


def one(seed: int) -> tuple[SceneSpec, SceneSpec]:
    """The pair of a seed, with the hazard and without; seeds in a row take templates in turn."""
    return _drawn(generator(seed, NAME, "one"), seed, f"seed{seed}")


def _drawn(rng: np.random.Generator, turn: int, name: str) -> tuple[SceneSpec, SceneSpec]:
    """A pair of the template whose turn it is; all else is drawn."""
    template = list(TEMPLATES)[turn % len(TEMPLATES)]
    what = _pick(rng, TEMPLATES[template][1])
    weather: Weather = _pick(rng, ("clear", "clear", "clear", "rain", "fog", "snow"))
    time: Time = _pick(rng, ("day", "day", "dusk", "night"))
    around: Surroundings = _pick(rng, ("city", "suburb", "rural", "motorway"))
    extras = tuple(_pick(rng, PAVED) for _ in range(int(rng.integers(3)))) if around in ("city", "suburb") else ()
    return make(
        f"{name}_{template}_{what}",
        template,
        what,
        int(rng.integers(2**31)),
        weather=weather,
        time=time,
        surroundings=around,
        extras=extras,
    )


def scene_of(spec: SceneSpec) -> Scene:
    """Any specification as a picture with its annotation; its facts are worked out now."""
    known = facts_of(spec)
    return Scene(annotation_of(spec, known), known.width, known.height, _picture(spec), known)


def picture(spec: SceneSpec) -> Pixels:
    """The picture of a specification, (720, 1280, 3) uint8, from the cache if it is there.

    Raises:
        EnvironmentFailure: The cache cannot be written.
    """
    path = cache() / f"{spec.digest}-{DRAWN}.png"
    try:
        return decode_png(path.read_bytes())
    except (OSError, StoreError):  # not there, or damaged
        drawn = frame(spec, size=SIZE, samples=SAMPLES).color
    keep(path, encode_png(drawn))
    return drawn


def cache() -> Path:
    """Where pictures are kept: `$EMBODIED_CACHE/driving`, else `$XDG_CACHE_HOME/embodied/driving`, by default under
    `~/.cache`.
    """
    own = os.environ.get("EMBODIED_CACHE")
    return (
        Path(own) / "driving"
        if own
        else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "embodied" / "driving"
    )


def _picture(spec: SceneSpec) -> Callable[[], Pixels]:
    return lambda: picture(spec)


def _pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]

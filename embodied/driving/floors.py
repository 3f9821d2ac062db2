"""What drivers earn without looking at anything: `data/floors.json`, written by `benchmarks/driving_floors.py`."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any


@lru_cache(maxsize=1)
def _all() -> dict[str, Any]:
    known: dict[str, Any] = json.loads(
        files("embodied.driving").joinpath("data/floors.json").read_text(encoding="utf-8")
    )
    return known


def floors(name: str) -> dict[str, Any]:
    """The part of an environment, by its command-line name. Raises `KeyError` where none was measured."""
    part: dict[str, Any] = _all()[name]
    return part


def shown(value: dict[str, float]) -> str:
    """A mean with its standard error: `0.31 ± 0.04`."""
    return f"{value['mean']:.2f} ± {value['standard_error']:.2f}"

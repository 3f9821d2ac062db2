"""A small folder of CODA-LM for tests: our own drawings in the published layout and schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

LISTS = (
    "vehicles",
    "vulnerable_road_users",
    "traffic signs",
    "traffic lights",
    "traffic cones",
    "barriers",
    "other objects",
)


def annotation(regions: dict[str, tuple[list[float], str, str]] | None = None, **lists: list[str]) -> dict[str, Any]:
    """An annotation: `regions` by key as (box, category, text), `lists` of descriptions with `_` for blanks in their
    names.
    """
    given = {name: lists.get(name.replace(" ", "_"), []) for name in LISTS}
    general: dict[str, Any] = {
        name: [{"description": d, "explanation": "It matters."} if d else {} for d in given[name]] for name in LISTS
    }
    general["description and explanation"] = " ".join(d for name in LISTS for d in given[name]) or "The road is empty."
    boxes = (
        {"1": ([40, 30, 20, 20], "traffic_cone", "A traffic cone in the lane; the ego car must go round it.")}
        if regions is None
        else regions
    )
    return {
        "general_perception": general,
        "region_perception": {
            k: {"description and explanation": t, "box": b, "category_name": c} for k, (b, c, t) in boxes.items()
        },
        "driving_suggestion": "Slow down and stop in front of the cone.",
    }


def add(
    root: Path, split: str, name: str, body: Any, *, size: tuple[int, int] | None = (128, 72), language: str = "CODA-LM"
) -> None:
    """Adds an annotation, and its picture of `size` (width, height) unless that is None."""
    path = root / language / split / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body if isinstance(body, str) else json.dumps(body))
    source, _, number = name.partition("_")
    picture = root / source / "images" / f"{number}.jpg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    if size is not None:
        image = Image.new("RGB", size, (90, 120, 90))
        ImageDraw.Draw(image).polygon([(50, 30), (45, 50), (55, 50)], fill=(230, 120, 20))
        image.save(picture)


def build(root: Path, scenes: int = 3) -> Path:
    """A Mini split of some scenes: cones, a parked truck, two regions in every second scene, whose
    keys skip a number.
    """
    for i in range(scenes):
        regions = {"1": ([40.0, 28.0, 20.0, 24.0], "traffic_cone", "A traffic cone on the road; drive around it.")}
        if i % 2:
            regions["3"] = ([80, 10, 30, 30], "truck", "A truck that blocks the lane; stop behind it.")
        body = annotation(
            regions, vehicles=["A white truck parked on the right"], traffic_cones=["An orange traffic cone ahead"]
        )
        add(root, "Mini", f"test_{i + 1:04d}", body)
    return root

"""The formats `gif` and `mp4`."""

from __future__ import annotations

from embodied.exchange import Export, Exported
from embodied.rollout.film import write_film


def films(export: Export) -> Exported:
    """Writes a film of each episode."""
    return Exported([write_film(export.run, id_, export.out / f"{id_}.{export.format}", export.fps) for id_ in export.ids])

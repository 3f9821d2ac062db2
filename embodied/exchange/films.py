"""The formats `gif` and `mp4`."""

from __future__ import annotations

from embodied.errors import DiskFull, EnvironmentFailure, StoreError
from embodied.exchange import Export, Exported
from embodied.rollout.film import write_film


def films(export: Export) -> Exported:
    """Writes a film of each episode that can be read.

    Raises:
        EmbodiedError: What keeps every one of them from being written.
    """
    written, failed = Exported(), []
    for id_ in export.ids:
        try:
            written.paths.append(write_film(export.run, id_, export.out / f"{id_}.{export.format}", export.fps))
        except DiskFull:
            raise
        except (StoreError, EnvironmentFailure) as error:
            failed.append(error)
            written.notes.append(f"{id_} has no film: {error}")
    if failed and not written.paths:
        raise failed[0]
    return written

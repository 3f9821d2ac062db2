"""The formats `gif` and `mp4`."""

from __future__ import annotations

from embodied.errors import DiskFull, EnvironmentFailure, StoreError, UsageError
from embodied.eval.settings import older_versions
from embodied.exchange import Export, Exported
from embodied.rollout.film import write_film


def films(export: Export) -> Exported:
    """Writes a film of each episode that can be read.

    Raises:
        EmbodiedError: What keeps every one of them from being written.
    """
    written, failed = Exported(), []
    older = older_versions(export.run.record)
    for id_ in export.ids:
        try:
            written.paths.append(write_film(export.run, id_, export.out / f"{id_}.{export.format}", export.fps))
        except DiskFull:
            raise
        except (StoreError, EnvironmentFailure) as error:
            failed.append(error)
            written.notes.append(f"{id_} has no film: {error}")
        except UsageError as error:
            if not older:
                raise
            needs = StoreError(f"A film of {id_} needs the older version of its environment, {older}; `--format html` needs none.")
            needs.__cause__ = error
            failed.append(needs)
            written.notes.append(f"{id_} has no film: {needs}")
    if failed and not written.paths:
        raise failed[0]
    return written

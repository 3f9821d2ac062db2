"""The formats `gif` and `mp4`."""

from __future__ import annotations

from embodied.errors import DiskFull, EmbodiedError, EnvironmentFailure, StoreError, UsageError
from embodied.eval.settings import older_versions
from embodied.exchange import Export, Exported
from embodied.exchange.film import write_film


def films(export: Export) -> Exported:
    """Writes a film of each episode that can be read.

    Raises:
        EmbodiedError: None of them can be written; says why.
    """
    written, failed = Exported(), []
    older = older_versions(export.run.record)
    for id_ in export.ids:
        try:
            path = export.out / f"{id_}.{export.format}"
            written.paths.append(write_film(export.run, id_, path, export.fps, frames=export.frames))
        except DiskFull:
            raise
        except (StoreError, EnvironmentFailure) as error:
            failed.append(error if not older else _older(f"{error} ", older, error))
        except UsageError as error:
            if not older:
                raise
            failed.append(_older(f"The present version cannot play {id_} again. ", older, error))
        else:
            continue
        written.notes.append(f"{id_} has no film: {failed[-1]}")
    if failed and not written.paths:
        raise failed[0]
    return written


def _older(what: str, versions: str, cause: EmbodiedError) -> StoreError:
    """Why an episode of an older version has no film: most likely because it must be played again."""
    error = StoreError(
        f"{what}A film played again needs the older version of the environment, {versions}; `--format html` needs none."
    )
    error.__cause__ = cause
    return error

"""`embodied export RUN --format gif|mp4`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import typer


class Format(StrEnum):
    gif = "gif"
    mp4 = "mp4"


def export(
    run: str = typer.Argument(..., help="A run folder."),
    episode: str | None = typer.Argument(None, help="An episode: its id, a unique beginning of it, or its number; all ended episodes by default."),
    format_: Format = typer.Option(Format.gif, "--format", help="gif or mp4."),
    out: Path | None = typer.Option(None, "--out", help="Folder for the files; RUN/exports by default."),
    fps: int = typer.Option(4, "--fps", min=1, max=60, help="Steps per second."),
) -> None:
    """Writes a film of each episode: the picture (recorded, or drawn again by re-playing the episode) above what the agent did."""
    from embodied.errors import StoreError
    from embodied.rollout.film import write_film
    from embodied.store.run import Run

    opened = Run(run)
    ids = [opened.find(episode)] if episode is not None else [e.spec.id for e in opened.episodes()]
    if not ids:
        raise StoreError(f"{run} has no ended episode yet.")
    folder = out or opened.root / "exports"
    for id_ in ids:
        path = write_film(opened, id_, folder / f"{id_}.{format_}", fps)
        typer.echo(str(path))

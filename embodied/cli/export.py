"""`embodied export RUN --format ...`."""

from __future__ import annotations

from pathlib import Path

import typer


def export(
    run: str = typer.Argument(..., help="A run folder."),
    episode: str | None = typer.Argument(
        None, help="An episode: its id, a unique beginning of it, or its number; all ended episodes by default."
    ),
    format_: str = typer.Option(
        "gif", "--format", help="gif, mp4, html, csv, parquet, sft, dpo, corrections, lerobot, inspect or balrog."
    ),
    out: Path | None = typer.Option(None, "--out", help="Folder for the files; RUN/exports by default."),
    fps: int = typer.Option(4, "--fps", min=1, max=60, help="gif, mp4, lerobot: steps per second."),
    frames: bool = typer.Option(
        False,
        "--frames",
        help="gif, mp4: also show the frames between two decisions, as long as each lasts. Plays the episode again.",
    ),
    min_progress: float = typer.Option(
        0.0,
        "--min-progress",
        min=0,
        max=1,
        help="sft, dpo, corrections, lerobot: only episodes with at least this progress (dpo: applies to the better"
        " one).",
    ),
    success: bool = typer.Option(
        False,
        "--success",
        help="sft, dpo, corrections, lerobot: only episodes that succeeded (dpo: applies to the better one).",
    ),
    against: list[str] = typer.Option(
        [], "--against", help="dpo: another run to compare with, by task and seed. May be repeated."
    ),
    recordings: bool = typer.Option(
        False, "--recordings", help="corrections: also write the recordings of words that were spoken at the desk."
    ),
    trust: bool = typer.Option(
        False,
        "--trust",
        help="gif, mp4: trust a folder that was made elsewhere, and make the environments that it names.",
    ),
) -> None:
    """Writes a run's episodes for other programs: films, tables, training data, logs."""
    from embodied.cli.output import require_writable
    from embodied.cli.trust import require_trust
    from embodied.errors import StoreError
    from embodied.exchange import EXPORTS, Export
    from embodied.registry import unknown
    from embodied.store.checks import check_place
    from embodied.store.run import Run
    from embodied.terminal import plain

    if format_ not in EXPORTS:
        raise unknown("format", format_, list(EXPORTS), "embodied list exports")
    write = EXPORTS.get(format_)
    opened = Run(run)
    ids = [opened.find(episode)] if episode is not None else [e.spec.id for e in opened.episodes([])]
    if not ids and format_ != "balrog":
        raise StoreError(f"{run} has no ended episode yet.")
    folder = out or opened.root / "exports"
    require_writable(folder / "x", "--out")
    check_place(folder, opened.root)
    if format_ in ("gif", "mp4"):
        require_trust(opened, trust, play=False)
    others = tuple(Run(r) for r in against)
    request = Export(opened, tuple(ids), format_, folder, fps, min_progress, success, others, frames, recordings)
    written = write(request)
    for path in written.paths if len(written.paths) <= 20 else [f"{len(written.paths)} files in {folder}"]:
        typer.echo(plain(str(path)))
    for note in written.notes:
        typer.echo(plain(note))

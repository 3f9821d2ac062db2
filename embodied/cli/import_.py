"""`embodied import balrog PATH --out RUN`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import typer

app = typer.Typer(no_args_is_help=True, help="Turns other projects' records into runs.")


@app.callback()
def _root() -> None:
    """Turns other projects' records into runs."""


@app.command("balrog")
def balrog(
    path: Path = typer.Argument(..., help="A submission's folder, or a folder of several."),
    out: Path = typer.Option(
        ..., "--out", help="The run folder. For several submissions: the folder in which each gets a run folder."
    ),
) -> None:
    """Turns submissions to BALROG's leaderboard into runs, with their trajectories if they were published.

    It leaves out a damaged file and names it. The same command continues
    after an interruption, and reads files that were repaired.
    """
    from embodied.errors import StoreError
    from embodied.exchange.balrog.layout import submissions
    from embodied.exchange.balrog.reading import read_submission

    if not path.is_dir():
        raise StoreError(
            f"{path} is not a folder. Name the folder of a BALROG submission: it has summary.json, or babyai/, nle/,"
            " ... with episodes."
        )
    found = submissions(path)
    if not found:
        raise StoreError(f"{path} holds no BALROG submission: no summary.json, and no <env>/<task>/<task>_run_00.json.")
    names = Counter(submission.name for submission in found)
    failed: list[StoreError] = []
    for submission in found:
        name = submission.name if names[submission.name] == 1 else "-".join(submission.relative_to(path).parts)
        try:
            imported = read_submission(submission, out if len(found) == 1 else out / name)
        except StoreError as error:
            if len(found) == 1:
                raise
            failed.append(error)
            typer.echo(f"{submission} is left out: {error}")
            continue
        typer.echo(f"{imported.run.root}: {imported.episodes} episodes, {imported.trajectories} with trajectories")
        for note in imported.notes:
            typer.echo(f"  {note}")
    if failed:
        raise StoreError(f"{len(failed)} of {len(found)} submissions could not be imported; each is named above.")

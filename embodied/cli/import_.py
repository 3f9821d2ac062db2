"""`embodied import balrog PATH --out RUN` and `embodied import corrections FILE --run RUN`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import typer

app = typer.Typer(no_args_is_help=True, help="Turns other projects' records into runs; takes edited corrections back.")


@app.callback()
def _root() -> None:
    """Turns other projects' records into runs; takes edited corrections back."""


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


@app.command("corrections")
def corrections(
    file: Path = typer.Argument(
        ..., help="An edited corrections.jsonl, left-out.jsonl or dpo.jsonl of an export, or LeRobot folder."
    ),
    run: str = typer.Option(..., "--run", help="The run that was exported."),
    by: str = typer.Option("person", "--by", help="A label of who edited it; not the name of an account."),
) -> None:
    """Takes edited corrections back: `text` and `excluded` of each line.

    The record of the run does not change. The edits stand beside it, and
    exports use them. A line that is missing changes nothing.
    """
    from embodied.errors import UsageError
    from embodied.exchange.corrections import read_corrections
    from embodied.store.run import Run
    from embodied.terminal import plain

    if file.is_dir():
        from embodied.exchange.lerobot.reading import read_lerobot

        done = read_lerobot(Run(run), file, by)
    else:
        done = read_corrections(Run(run), file, by)
    typer.echo(
        plain(
            f"{run}: {done.edited} texts edited, {done.excluded} excluded, {done.included} included again,"
            f" {done.unchanged} unchanged"
        )
    )
    for problem in done.problems[:20]:
        typer.echo(f"  {plain(problem)}")
    if done.problems:
        more = "" if len(done.problems) <= 20 else ", the first 20 are named above"
        raise UsageError(f"{len(done.problems)} lines of {file} changed nothing{more}.")

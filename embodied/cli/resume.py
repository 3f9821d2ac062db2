"""`embodied resume RUN`: goes on with a run."""

from __future__ import annotations

import typer


def resume(
    ctx: typer.Context,
    run: str = typer.Argument(..., help="A run folder."),
    shard: str | None = typer.Option(None, "--shard", help="Play one part of several: i/n, from 1/n to n/n."),
    as_json: bool = typer.Option(False, "--json", help="Print an object a line instead of tables."),
    log: list[str] = typer.Option(
        [],
        "--log",
        help="Also tell a tracker: wandb, mlflow, tensorboard (`embodied list listeners`); may be repeated.",
    ),
    trust: bool = typer.Option(
        False,
        "--trust",
        help="Go on with a folder that another user or machine made: see docs/runs.md, Folders from others.",
    ),
) -> int:
    """Goes on with a run after any interruption, in the middle of episodes too: recorded steps are repeated and
    compared, no model is asked for them.

    Further words say how to play on, for instance `run.workers=4 run.concurrency=16`.
    """
    from embodied.cli.session import resume as resume_run

    return resume_run(run, ctx.args, shard, as_json, trust, log)

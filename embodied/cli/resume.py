"""`embodied resume RUN`: goes on with a run."""

from __future__ import annotations

import typer


def resume(
    ctx: typer.Context,
    run: str = typer.Argument(..., help="A run folder."),
    shard: str | None = typer.Option(None, "--shard", help="Play one part of several: i/n, from 1/n to n/n."),
    as_json: bool = typer.Option(False, "--json", help="Print an object a line instead of tables."),
    trust: bool = typer.Option(
        False,
        "--trust",
        help="Continue a folder that another user or machine made: see docs/runs.md, Folders from others.",
    ),
) -> int:
    """Continues a run after any interruption, in the middle of episodes too.

    It repeats the recorded steps and compares them, and asks no model for them.

    Further words say how to continue: `run.workers=4 run.concurrency=16`.
    """
    from embodied.cli.session import resume as resume_run

    return resume_run(run, ctx.args, shard, as_json, trust)

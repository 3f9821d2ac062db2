"""`embodied resume RUN`: continues a run."""

from __future__ import annotations

from pathlib import Path

import typer


def resume(
    ctx: typer.Context,
    run: str = typer.Argument(..., help="A run folder."),
    shard: str | None = typer.Option(None, "--shard", help="Play one part of several: i/n, from 1/n to n/n."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object a line instead of tables."),
    log: list[str] = typer.Option(
        [],
        "--log",
        help="Also report to a tracker: wandb, mlflow, tensorboard (`embodied list listeners`); may be repeated.",
    ),
    agent: str | None = typer.Option(
        None, "--agent", help="The folder of the agent that the run was played with, where it was moved."
    ),
    trust: bool = typer.Option(
        False,
        "--trust",
        help="Continue a folder that another user or machine made: see docs/runs.md, Folders from others.",
    ),
    console: bool = typer.Option(
        False, "--console", help="At the desk, in the browser; only for a run that was begun with --console."
    ),
    wait: bool = typer.Option(False, "--wait", help="With --console: each episode waits until a person says go on."),
    port: int = typer.Option(0, "--port", min=0, max=65535, help="Of the desk, on 127.0.0.1; any free one by default."),
    speech_model: Path | None = typer.Option(
        None,
        "--speech-model",
        envvar="EMBODIED_SPEECH_MODEL",
        help="Folder of a Whisper model (faster-whisper) for talking at the desk; the packaged one by default.",
    ),
) -> int:
    """Continues a run after any interruption, in the middle of episodes too.

    It repeats the recorded steps and compares them, and asks no model for them.

    Further words say how to continue: `run.workers=4 run.concurrency=16`.
    """
    from embodied.cli.desk import desk_for
    from embodied.cli.session import play
    from embodied.cli.trust import require_trust, require_trust_in_agent
    from embodied.listeners import check
    from embodied.session import played_version, reopen
    from embodied.store.run import Run

    check(log)
    opened = Run(run)
    desk = desk_for(opened, console, wait, port, speech_model)
    require_trust(opened, trust, play=True)
    version = played_version(opened, agent)
    if version is not None:
        require_trust_in_agent(version, trust)
    return play(reopen(opened, ctx.args, shard=shard, version=version), as_json, log, desk)

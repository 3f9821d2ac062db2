"""`embodied console RUN`: continues a run at the desk, or shows the corrections of one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from embodied.cli.desk import DeskAt
    from embodied.store.run import Run
    from embodied.types import EpisodeSpec


def console(
    ctx: typer.Context,
    run: str | None = typer.Argument(None, help="A run folder."),
    corrections: bool = typer.Option(
        False, "--corrections", help="Show the corrections, even if episodes are left to play."
    ),
    wait: bool = typer.Option(False, "--wait", help="Each episode waits until a person says go on."),
    port: int = typer.Option(0, "--port", min=0, max=65535, help="Port on 127.0.0.1; any free one by default."),
    open_: bool = typer.Option(False, "--open", help="Open the page in the browser."),
    speech_model: Path | None = typer.Option(
        None,
        "--speech-model",
        envvar="EMBODIED_SPEECH_MODEL",
        help="Folder of a Whisper model (faster-whisper) for talking at the desk; the packaged one by default.",
    ),
    agent: str | None = typer.Option(
        None, "--agent", help="The folder of the agent that the run was played with, where it was moved."
    ),
    trust: bool = typer.Option(
        False,
        "--trust",
        help="Continue a folder that another user or machine made: see docs/runs.md, Folders from others.",
    ),
) -> int:
    """Continues a run at the desk: watch in the browser, speak to the agent, act in its place. If no episode is left to
    play, shows the run's corrections instead, to edit, exclude and export them.

    `embodied eval ... --console` begins a run at the desk.

    Further words say how to continue: `run.workers=4 run.concurrency=16`.
    """
    from embodied.cli.desk import DeskAt
    from embodied.errors import UsageError
    from embodied.rollout.runner import owed
    from embodied.store.run import Run
    from embodied.terminal import shell_word

    if run is None:
        raise UsageError(
            "Name a run: `embodied console RUN` continues it at the desk, or shows its corrections if no episode is"
            " left; `embodied eval ... --console` begins a new one."
        )
    opened = Run(run)
    left = [] if corrections or "imported" in opened.record.config else owed(opened, opened.record.planned)
    if left and (elsewhere := _elsewhere(opened, left, port, open_)) is not None:
        return elsewhere
    if left:
        return _continue(ctx, opened, len(left), (agent, trust), DeskAt(port, wait, open_, speech_model))
    if wait or ctx.args:
        what = "--wait" if wait else ctx.args[0]
        raise UsageError(
            f"{what} is about playing, and here nothing is played: `embodied console {shell_word(run)}` shows the"
            " corrections."
        )
    return _show(opened, _may_change(opened, trust), port, open_)


def _continue(ctx: typer.Context, run: Run, left: int, allowed: tuple[str | None, bool], desk: DeskAt) -> int:
    """Plays what is left, with people at the desk."""
    from embodied.cli.session import play
    from embodied.cli.tables import episodes
    from embodied.cli.trust import require_trust, require_trust_in_agent
    from embodied.errors import UsageError
    from embodied.session import played_version, reopen
    from embodied.terminal import shell_word

    agent, trust = allowed
    folder = shell_word(run.root)
    corrector = run.record.config.get("corrector")
    if not isinstance(corrector, dict) or corrector.get("name") != "desk":
        raise UsageError(
            f"{run.root} has {episodes(left)} left and was not begun with --console, so nobody may speak in it now:"
            f" `embodied resume {folder}` continues it, and `embodied console {folder} --corrections` shows its"
            " corrections."
        )
    require_trust(run, trust, play=True)
    version = played_version(run, agent)
    if version is not None:
        require_trust_in_agent(version, trust)
    return play(reopen(run, ctx.args, version=version), False, (), desk)


def _elsewhere(run: Run, left: list[EpisodeSpec], port: int, open_: bool) -> int | None:
    """Where another process plays the run: says which, and leads to its desk, or shows the run as it grows. None where
    nobody plays it.
    """
    from embodied.cli.view import view
    from embodied.store.desks import served
    from embodied.store.playing import held, holders, playing
    from embodied.terminal import plain

    folders = [run.folder(spec.id) for spec in left]
    desk = served(run.root)
    if desk is None and not playing((folder for folder in folders if folder.is_dir()), held()):
        return None
    pids = [desk.pid] if desk is not None else holders(folders)
    who = f"process {pids[0]}" if pids else "another process"
    if desk is not None:
        typer.echo(
            f"{plain(str(run.root))} is being played by {who}, and has a desk.\nThe desk: {desk.control}\nTo watch"
            f" only: {desk.watch}\nBoth addresses are secret. They work in a browser of this machine."
        )
        if open_:
            import webbrowser

            webbrowser.open(desk.control)
        return 0
    typer.echo(
        f"{plain(str(run.root))} is being played by {who}. No desk of it is known here, so nobody can speak in it from"
        " here. This page shows what is recorded, and follows it:"
    )
    view([str(run.root)], None, "", "", "", "", port, open_)
    return 0


def _may_change(run: Run, trust: bool) -> bool:
    """Whether changes may be written into a folder. A person at the terminal is asked about a stranger's."""
    from embodied.cli.trust import changing_allowed
    from embodied.store.ours import is_ours

    own = is_ours(run.record) and run.root.stat().st_uid == os.getuid()
    return own or trust or changing_allowed(run)


def _show(run: Run, may_change: bool, port: int, open_: bool) -> int:
    """Serves the page of the corrections."""
    from embodied.console.desk.corrections import Corrections
    from embodied.console.desk.corrections_server import serve
    from embodied.terminal import plain

    def ready(control: str, watch: str) -> None:
        if not may_change:
            control = watch
            typer.echo(
                f"Corrections, to read only: {watch}\n{plain(str(run.root))} was not made by you on this machine, so"
                " this page changes nothing in it; --trust allows that. Ctrl-C ends the page."
            )
        else:
            typer.echo(
                f"Corrections: {control}\nTo read only: {watch}\nBoth addresses are secret. They work in a browser of"
                " this machine. Ctrl-C ends the page."
            )
        if open_:
            import webbrowser

            webbrowser.open(control)

    serve(Corrections(run), port, ready)
    return 0

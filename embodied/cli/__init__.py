"""The command line. One module a command; each imports what is heavy only when it runs."""

from __future__ import annotations

import errno
import sys

import typer

from embodied import __version__
from embodied.cli.output import unread_is_fine
from embodied.errors import EmbodiedError, StoreError
from embodied.secrets import mask, mask_tracebacks
from embodied.terminal import plain

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the operating system says of a full disk, a spent quota, and a file that is too large."""


def _exit(code: int | None, **_: object) -> None:
    """What a command returns is the exit code."""
    raise typer.Exit(code or 0)


app = typer.Typer(
    name="embodied",
    help="Vision-language agents that act, are measured, are corrected and get better.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    result_callback=_exit,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"embodied {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


def _register() -> None:
    from embodied.cli import (
        ablate,
        agents,
        branch,
        calibrate,
        check,
        compare,
        completion,
        console,
        data,
        demo,
        doctor,
        evaluate,
        export,
        floors,
        import_,
        improve,
        leaderboard,
        lists,
        merge,
        new,
        play,
        power,
        probe,
        replay,
        report,
        resume,
        score,
        show,
        train,
        view,
    )
    from embodied.cli.codalm import commands as codalm

    app.command("eval", context_settings={"allow_extra_args": True}, options_metavar="[OPTIONS] [KEY=VALUE]...")(
        evaluate.evaluate
    )
    app.command("ablate", context_settings={"allow_extra_args": True}, options_metavar="[OPTIONS] [KEY=VALUE]...")(
        ablate.ablate
    )
    app.command("improve", context_settings={"allow_extra_args": True}, options_metavar="[OPTIONS] [KEY=VALUE]...")(
        improve.improve
    )
    app.command("resume", context_settings={"allow_extra_args": True})(resume.resume)
    app.command("branch", context_settings={"allow_extra_args": True})(branch.branch)
    app.command("replay")(replay.replay)
    app.command("merge")(merge.merge)
    app.add_typer(lists.app, name="list")
    app.command("show")(show.show)
    app.add_typer(agents.app, name="agents")
    app.command("play")(play.play)
    app.command("new")(new.new)
    app.command("check")(check.check)
    app.command("score")(score.score)
    app.command("compare")(compare.compare)
    app.command("power")(power.power)
    app.command("calibrate")(calibrate.calibrate)
    app.command("floors")(floors.floors)
    app.command("leaderboard")(leaderboard.leaderboard)
    app.command("report")(report.report)
    app.command("view")(view.view)
    app.command("console", context_settings={"allow_extra_args": True})(console.console)
    app.command("export")(export.export)
    app.add_typer(import_.app, name="import")
    app.add_typer(codalm.app, name="codalm")
    app.add_typer(data.app, name="data")
    app.add_typer(probe.app, name="probe")
    app.add_typer(train.app, name="train")
    app.command("demo")(demo.demo)
    app.command("doctor")(doctor.doctor)
    completion.attach(app)


def _require_unix() -> None:
    """Ends in one sentence on Windows: run folders are locked with `fcntl`, and the simulators have no wheels there."""
    if sys.platform == "win32":
        print(
            "error: Embodied runs on Linux and macOS; on Windows, install and run it inside WSL (`wsl --install`).",
            file=sys.stderr,
        )
        sys.exit(3)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits: 0 done, 1 unexpected error, 2 bad usage, 3 something is missing, 4 run folder, 5
    unscored episodes, 130 Ctrl-C.
    """
    _require_unix()
    if not app.registered_commands:
        _register()
    mask_tracebacks()
    with unread_is_fine():
        try:
            app(arguments)
        except EmbodiedError as error:
            print(plain(f"error: {mask(str(error))}"), file=sys.stderr)
            sys.exit(error.exit_code)
        except OSError as error:
            if error.errno not in FULL:
                raise
            where = f" {error.filename}" if error.filename else ""
            print(
                plain(f"error: Cannot write{where}: {error.strerror}. Free space and run the same command again."),
                file=sys.stderr,
            )
            sys.exit(StoreError.exit_code)

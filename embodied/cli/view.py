"""`embodied view RUN`, and of a folder of runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from embodied.eval.summary import Wanted


def view(
    runs: list[str] = typer.Argument(
        ..., metavar="RUN...", help="A run folder, several to compare their episodes, or a folder of runs."
    ),
    episode: str | None = typer.Option(
        None, "--episode", help="Open this episode: its id, a unique beginning of it, or its number."
    ),
    env: str = typer.Option("", "--env", help="Of a folder: only runs with this environment; `*` stands for any."),
    agent: str = typer.Option("", "--agent", help="Of a folder: only runs of this policy or preset."),
    suite: str = typer.Option("", "--suite", help="Of a folder: only runs of this suite."),
    model: str = typer.Option("", "--model", help="Of a folder: only runs of this model: provider/name, or the name."),
    port: int = typer.Option(0, "--port", min=0, max=65535, help="Port on 127.0.0.1; any free one by default."),
    open_: bool = typer.Option(False, "--open", help="Open the page in the browser."),
) -> None:
    """Shows a run's episodes step by step in the browser; of a folder of runs, a table that leads to each of them.

    Serves this machine only, at a secret address. Ctrl-C ends it.
    """
    from embodied.errors import UsageError
    from embodied.eval.summary import Wanted

    wanted = Wanted(env, agent, suite, model)
    if len(runs) == 1 and _is_folder_of_runs(runs[0]):
        if episode is not None:
            raise UsageError(f"--episode goes with a run, and {runs[0]} is a folder of runs: name one of them.")
        _view_folder(runs[0], wanted, port, open_)
    elif wanted.words():
        raise UsageError("--env, --agent, --suite and --model choose among the runs of a folder: name one folder.")
    else:
        _view_runs(runs, episode, port, open_)


def _is_folder_of_runs(place: str) -> bool:
    return os.path.isdir(place) and not os.path.lexists(os.path.join(place, "run.json"))


def _view_folder(folder: str, wanted: Wanted, port: int, open_: bool) -> None:
    from embodied.console.viewer.server import serve_shelf
    from embodied.console.viewer.shelf import Shelf, require_runs

    shelf = Shelf(Path(folder), wanted)
    require_runs(shelf)
    serve_shelf(shelf, port, lambda address: _ready(address, open_))


def _view_runs(runs: list[str], episode: str | None, port: int, open_: bool) -> None:
    import threading

    from embodied.console.viewer.library import Library
    from embodied.console.viewer.server import serve
    from embodied.store.run import Run

    opened = [Run(run) for run in runs]
    library = Library(opened)
    first = opened[0].find(episode) if episode is not None else next(iter(library.keys()), None)
    anchor = f"#{first}" if episode is not None else ""
    if first is not None:  # its index is made while the browser starts
        threading.Thread(target=library.episode, args=(first,), daemon=True).start()
    serve(library, port, lambda address: _ready(address + anchor, open_))


def _ready(address: str, open_: bool) -> None:
    typer.echo(f"{address}\nOpen this address in a browser of this machine. Ctrl-C ends the viewer.")
    if open_:
        import webbrowser

        webbrowser.open(address)

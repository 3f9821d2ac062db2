"""`embodied view RUN`."""

from __future__ import annotations

import typer


def view(
    runs: list[str] = typer.Argument(..., metavar="RUN...", help="A run folder, or several to compare their episodes."),
    episode: str | None = typer.Option(
        None, "--episode", help="Open this episode: its id, a unique beginning of it, or its number."
    ),
    port: int = typer.Option(0, "--port", min=0, max=65535, help="Port on 127.0.0.1; any free one by default."),
    open_: bool = typer.Option(False, "--open", help="Open the page in the browser."),
) -> None:
    """Shows a run's episodes step by step in the browser. Serves this machine only, at an address nobody can guess;
    Ctrl-C ends it.
    """
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

    def ready(address: str) -> None:
        typer.echo(f"{address}{anchor}\nOpen this address in a browser of this machine. Ctrl-C ends the viewer.")
        if open_:
            import webbrowser

            webbrowser.open(address + anchor)

    serve(library, port, ready)

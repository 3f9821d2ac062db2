"""`embodied report RUN`."""

from __future__ import annotations

from pathlib import Path

import typer


def report(
    run: str = typer.Argument(..., help="A run folder, or the folder of an improvement."),
    out: Path | None = typer.Option(None, "--out", help="The file to write; RUN/report.html by default."),
    against: str | None = typer.Option(
        None, "--against", help="Another run folder: the report says in which settings the two differ."
    ),
    pages: bool = typer.Option(
        False,
        "--pages",
        help="Also write a page for every ended episode beside the report (see `export --format html`), and link it.",
    ),
) -> None:
    """Writes the report of a run as one HTML file, or that of an improvement.

    It shows scores with intervals and coverage, plots, actions, tokens,
    settings and episodes; of an improvement, the learning curve, the gates
    and what was used.
    """
    from embodied.cli.output import require_writable
    from embodied.console.viewer.library import Library
    from embodied.console.viewer.page import write_page
    from embodied.eval.report import gather
    from embodied.eval.report_page import page
    from embodied.store.checks import check_place
    from embodied.store.disk import named, write_whole
    from embodied.store.run import Run
    from embodied.train.pages.reading import is_improvement

    if is_improvement(Path(run)):
        _improvement(Path(run), out, pages or against is not None)
        return
    opened = Run(run)
    path = out or opened.root / "report.html"
    require_writable(path, "--out")
    for place in (path, path.parent / "exports") if pages else (path,):
        check_place(place, opened.root)
    gathered = gather(opened)
    library = Library([opened])
    links = {}
    for id_ in gathered.results.ended:
        written = path.parent / "exports" / f"{id_}.html"
        if pages:
            write_page(library, id_, written)
        if pages or written.is_file():
            links[id_] = f"exports/{id_}.html"
    made = page(gathered, links, None if against is None else Run(against))
    with named(path):
        write_whole(path, made)
    typer.echo(str(path))


def _improvement(root: Path, out: Path | None, more: bool) -> None:
    """The report of an improvement."""
    from embodied.cli.output import require_writable
    from embodied.errors import UsageError
    from embodied.store.checks import check_place
    from embodied.store.disk import named, write_whole
    from embodied.train.pages.curve_page import page
    from embodied.train.pages.reading import read_improvement

    if more:
        raise UsageError(f"--pages and --against go with a run, and {root} is an improvement: name one of its runs.")
    path = out or root / "report.html"
    require_writable(path, "--out")
    check_place(path, root)
    made = page(read_improvement(root))
    with named(path):
        write_whole(path, made)
    typer.echo(str(path))

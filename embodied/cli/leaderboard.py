"""`embodied leaderboard RUN... --out site/`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from embodied.eval.leaderboard.board import Board
    from embodied.store.run import Run


def leaderboard(
    runs: list[str] = typer.Argument(
        ..., metavar="RUN...", help="Run folders: your own, and imported ones; with --improvements, folders of those."
    ),
    out: Path = typer.Option(Path("leaderboard"), "--out", help="Folder of the site."),
    title: str = typer.Option("Leaderboard", "--title", help="Heading of the site."),
    partial: bool = typer.Option(False, "--partial", help="Also rank runs in which some episodes have no score."),
    replays: int = typer.Option(
        1, "--replays", min=0, help="How many episodes of each environment get a page; 0 for none."
    ),
    serve: bool = typer.Option(
        False,
        "--serve",
        help="Serve an arena in which people vote between two episodes, and write no site (docs/leaderboard.md).",
    ),
    votes: Path = typer.Option(Path("votes.jsonl"), "--votes", help="--serve: the file that votes are appended to."),
    port: int = typer.Option(
        0, "--port", min=0, max=65535, help="--serve: port on 127.0.0.1; any free one by default."
    ),
    improvements: bool = typer.Option(
        False,
        "--improvements",
        help="The folders are improvements: write a board of what each way of learning gained, and what it used.",
    ),
) -> None:
    """Writes runs as a static leaderboard: rank ranges, intervals, cost, a page an entry, and the same as JSON, CSV and
    Markdown.
    """
    from embodied.cli.output import require_writable
    from embodied.errors import UsageError
    from embodied.eval.leaderboard.board import boards
    from embodied.eval.leaderboard.site import write_site
    from embodied.eval.results import read
    from embodied.quantities import counted
    from embodied.store.run import Run

    if improvements:
        if serve or partial:
            raise UsageError("--improvements writes a board of its own: leave out --serve and --partial.")
        _improvements(runs, out, title)
        return
    opened = [Run(run) for run in runs]
    require_writable(votes if serve else out / "index.html", "--votes" if serve else "--out")
    if serve:
        from embodied.console.arena.server import serve as serve_arena

        serve_arena(
            opened,
            votes,
            port,
            lambda address: typer.echo(
                f"{address}\nOpen this address in a browser of this machine. Ctrl-C ends the arena."
            ),
        )
        return
    made = boards([read(run) for run in opened], partial)
    paths = write_site(made, out, _replays(made, opened, out, replays) if replays else {}, title)
    for board in made:
        unranked = sum(not e.ranked for e in board.entries)
        typer.echo(
            f"{board.title}: {counted(len(board.entries), 'entry', 'entries')}"
            + (f", {unranked} unranked for missing episodes" if unranked else "")
        )
    typer.echo(str(paths[0]))


def _replays(made: list[Board], opened: list[Run], out: Path, each: int) -> dict[str, list[tuple[str, str]]]:
    """Writes the first recorded episodes of each environment of each entry as pages; returns their links by entry."""
    from embodied.console.viewer.library import Library
    from embodied.console.viewer.page import write_page

    by_path = {str(run.root): run for run in opened}
    links: dict[str, list[tuple[str, str]]] = {}
    for entry in (e for board in made for e in board.entries):
        run = by_path[entry.path]
        library, count = Library([run]), dict.fromkeys(entry.environments, 0)
        for spec in run.record.planned:
            env = spec.task.env
            if (
                count.get(env, each) < each
                and (run.folder(spec.id) / "episode.json").is_file()
                and _recorded(run, spec.id)
            ):
                count[env] += 1
                address = f"{entry.key}/{spec.id}.html"
                write_page(library, spec.id, out / "entries" / address)
                links.setdefault(entry.key, []).append((f"{env} {spec.task.task} {spec.index}", address))
    return links


def _recorded(run: Run, id_: str) -> bool:
    """Whether the episode has steps."""
    from embodied.store.checks import plain_size

    return plain_size(run.folder(id_) / "steps.jsonl") > 0


def _improvements(folders: list[str], out: Path, title: str) -> None:
    """Writes the board of improvements."""
    from embodied.cli.output import require_writable
    from embodied.terminal import plain
    from embodied.train.pages.board_page import summary, write_board
    from embodied.train.pages.reading import find, read_improvement

    require_writable(out / "index.html", "--out")
    found = [path for folder in folders for path in find(Path(folder))]
    made, index = write_board([read_improvement(path) for path in dict.fromkeys(found)], out, title)
    for line in summary(made):
        typer.echo(plain(line))
    typer.echo(str(index))

"""`embodied demo`: a first impression, in minutes, without a key or a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from embodied.cli.demo.figures import Row
    from embodied.cli.demo.plays import Shown

PAGE = "index.html"


def demo(
    out: Path = typer.Option(Path("runs/demo"), "--out", help="Folder for runs, films and the page."),
    episodes: int = typer.Option(4, "--episodes", min=1, help="Episodes of each of BabyAI's five tasks."),
) -> int:
    """Plays a small agent that sees, two controls of it, experts and the embedded text model, and writes a page.

    It needs no key and no network. If you stop it, the same command goes on.
    """
    import time

    from embodied.cli import interrupt
    from embodied.cli.demo import plays
    from embodied.cli.output import require_writable
    from embodied.cli.progress import counted
    from embodied.errors import UsageError
    from embodied.quantities import duration
    from embodied.terminal import plain, shell_word

    if (out / "run.json").exists():
        raise UsageError(f"{out} is a run. The demo makes several: name another folder with --out.")
    require_writable(out / PAGE, "--out")
    begun, shown = time.monotonic(), list[plays.Shown]()
    try:
        wanted = [*plays.learners(episodes), *plays.games()]
        for number, play in enumerate(wanted, 1):
            with counted(play.title, play.count) as told:
                shown.append(plays.play(play, out, told))
            typer.echo(plain(f"[{number}/{len(wanted)}] {_said(shown[-1])}"))
        _show(out, episodes, shown)
    except KeyboardInterrupt:
        interrupt.say(f"The same command goes on: `embodied demo --out {shell_word(out)}`.")
        return interrupt.INTERRUPTED
    typer.echo(plain(f"Open {out / PAGE} in a browser. Time: {duration(time.monotonic() - begun)}."))
    return 0


def _said(shown: Shown) -> str:
    """A play in one line."""
    from embodied.quantities import episodes, percent, span

    run = shown.result
    if run is None:
        return f"{shown.play.title}: not played. {shown.why_not}"
    within = f" ({span(run.total.interval)})" if run.total.interval else ""
    return f"{shown.play.title}: progress {percent(run.progress)}{within}, {episodes(run.total.scored)}"


def _show(out: Path, episodes: int, shown: Sequence[Shown]) -> None:
    """Prints the tables, and writes the films and the page."""
    from embodied.cli.demo import figures, films
    from embodied.cli.demo.page import page
    from embodied.store.disk import named, write_whole

    reading, games = figures.reading(shown), figures.games(shown)
    _print("BabyAI: does it look, does it read?", figures.READING, reading)
    _print("Six games", figures.GAMES, games)
    folder = out / "films"
    folder.mkdir(parents=True, exist_ok=True)
    learners = films.of_learners(shown, folder)
    others = films.of_games([s for s in shown if len(s.play.envs) > 1], folder)
    with named(out / PAGE):
        write_whole(out / PAGE, page(out, episodes, learners, reading, others, games))


def _print(title: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    from rich.text import Text

    from embodied.cli.tables import console, print_table, table
    from embodied.terminal import line

    shown = table(*columns)
    for row in rows:
        shown.add_row(*(Text(line(cell)) for cell in row.cells))
    typer.echo(f"\n{title}")
    print_table(console(), shown)

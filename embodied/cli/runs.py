"""The table of `embodied list runs`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from embodied.cli.fit import is_wider
from embodied.cli.tables import console, percent, print_table, span, table
from embodied.eval.settings import named_agent
from embodied.eval.summary import Summary, Wanted
from embodied.quantities import counted
from embodied.terminal import line


def sorted_by(key: str, found: Sequence[Summary]) -> list[Summary]:
    """Runs in order: the newest, the best or the most expensive first, or by a name. Runs without such a value come
    last.
    """
    last = -math.inf
    by_number = {"score": lambda s: last if s.progress is None else s.progress, "dollars": _dollars}
    by_name: dict[str, Any] = {
        "name": lambda s: s.name,
        "env": lambda s: s.world,
        "agent": lambda s: s.agent,
        "model": lambda s: s.model,
        "state": lambda s: s.state,
    }
    newest = sorted(sorted(found, key=lambda s: s.name), key=lambda s: s.created, reverse=True)
    if key in by_number:
        return sorted(newest, key=by_number[key], reverse=True)
    return sorted(newest, key=lambda s: (not by_name[key](s), by_name[key](s))) if key in by_name else newest


def _dollars(s: Summary) -> float:
    return -math.inf if s.dollars is None else s.dollars


def print_runs(folder: Path, found: Sequence[Summary], every: Sequence[Summary], wanted: Wanted) -> None:
    """Prints the table, and below it what is wrong with runs that cannot be read."""
    if not found:
        none = f"None of the {len(every)} runs in {folder} is of {wanted.words()}.{wanted.near(every)}"
        none = none if every else f"No runs in {folder}."
        typer.echo(line(none))
        return
    out = console()
    wide = _wide(found)
    print_table(out, _narrow(found) if is_wider(wide, out.width) else wide)
    for s in found:
        if s.problem:
            out.print(line(f"{s.name}: {s.problem}"), style="dim", highlight=False, markup=False, soft_wrap=True)
    said = counted(len(every), "run") if len(found) == len(every) else f"{len(found)} of {counted(len(every), 'run')}"
    out.print(f"{said} in {line(str(folder))}", style="dim", highlight=False, soft_wrap=True)


def dollars(value: float | None) -> str:
    """US dollars; a dash where they are not known."""
    return "-" if value is None else f"{value:.2f}" if value >= 0.995 or not value else f"{value:.2g}"


def _wide(found: Sequence[Summary]) -> Any:
    shown = table("run", "played", "agent", "model", "date", "score", "95 % interval", "scored", "dollars", "state")
    for column in shown.columns[:5]:
        column.justify = "left"
    for s in found:
        cells = (s.name, _played(s), named_agent(s.agent, s.preset), s.model, s.created[:10], *_figures(s))
        shown.add_row(*(Text(line(cell)) for cell in cells))
    return shown


def _narrow(found: Sequence[Summary]) -> Any:
    """Two lines a run."""
    head = ("run\n  agent, model", "played\ndate", "score\n95 % interval", "scored\ndollars", "state")
    shown = table(*head)
    shown.columns[1].justify = "left"
    for s in found:
        score, interval, scored, cost, state = _figures(s)
        about = "  " + (", ".join(map(line, filter(None, (named_agent(s.agent, s.preset), s.model)))) or "-")
        cells = (
            f"{line(s.name)}\n{about}",
            f"{line(_played(s))}\n{line(s.created[:10])}",
            f"{score}\n{interval}",
            f"{scored}\n{cost}",
            state,
        )
        shown.add_row(*map(Text, cells))
    return shown


def _played(s: Summary) -> str:
    played = s.suite or (", ".join(s.envs) if len(s.envs) < 4 else f"{len(s.envs)} environments") or "-"
    more = ", ".join(filter(None, ("" if s.split == "test" else s.split, s.control)))
    return f"{played} ({more})" if more else played


def _figures(s: Summary) -> tuple[str, str, str, str, str]:
    scored = f"{s.scored}/{s.planned}" if s.planned else "-"
    return percent(s.progress), span(s.interval), scored, dollars(s.dollars), s.state

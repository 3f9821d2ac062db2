"""Tables on the terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from embodied import quantities
from embodied.cli import output
from embodied.cli.fit import fitted
from embodied.quantities import episodes
from embodied.terminal import line, plain

if TYPE_CHECKING:
    from embodied.eval.results import Results
    from embodied.eval.score import RunScore, Score
    from embodied.eval.tables import Table as Analysed
    from embodied.types import Json


def console(piped: int = 160) -> Console:
    """A console as wide as the terminal.

    Args:
        piped: Characters in a line where the output is not a terminal and COLUMNS is not set.
    """
    made = output.console()
    return made if made.is_terminal or os.environ.get("COLUMNS", "").isdigit() else output.console(width=piped)


def print_table(out: Console, shown: Table) -> None:
    """Prints a table so that it fits (see `embodied.cli.fit`)."""
    for number, part in enumerate(fitted(shown, out.width)):
        if number:
            out.print()
        out.print(part, highlight=False)


def table(*columns: str) -> Table:
    """A table whose first column is text and whose others are numbers."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        made.add_column(name, justify="right" if number else "left")
    return made


def percent(share: float | None, digits: int = 1) -> str:
    """As `quantities.percent`, with a dash that every terminal has."""
    return quantities.percent(share, digits, "-")


def span(interval: quantities.Interval | None, digits: int = 1) -> str:
    """As `quantities.span`, with a dash that every terminal has."""
    return quantities.span(interval, digits, "-")


def print_score(result: RunScore, tasks: bool = False) -> Score:
    """Prints a run's score by environment (and task), and returns the total."""
    shown = table(
        "environment", "progress", "95 % interval", "success", "scored", "steps", "invalid", "tokens in/out", "repeated"
    )
    rows = list(result.environments)
    if tasks:
        rows = [
            row
            for env in result.environments
            for row in (env, *(t for t in result.tasks if t.name.split(" ", 1)[0] == env.name))
        ]
    for row in rows:
        _add(shown, row, indent=row not in result.environments)
    if len(result.environments) > 1:
        shown.add_section()
        _add(shown, result.total)
    out = console()
    print_table(out, shown)
    for note in notes(result):
        out.print(note, style="dim", highlight=False, markup=False, soft_wrap=True)
    return result.total


def print_analysis(tables: list[Analysed]) -> None:
    """Prints the environments' own tables."""
    from embodied.eval.tables import words

    out = console()
    for made in tables:
        shown = table(*made.columns)
        for row in made.rows:
            shown.add_row(*(Text(line(words(cell))) for cell in row))
        out.print(f"\n{line(made.title)}", style="bold", highlight=False, markup=False)
        print_table(out, shown)
        if made.note:
            out.print(plain(made.note), style="dim", highlight=False, markup=False, soft_wrap=True)


def print_floors(results: Results) -> None:
    """Prints what agents earn without looking at anything, by environment. These rows are for reference and never
    ranked.
    """
    from embodied.eval import floors

    out = console()
    for env, found in floors.of_run(results.record).items():
        said = floors.sentence(found) or f"not known, because {_no_floor(results, env)}"
        out.print(f"Floor of {env}: {said}.", style="dim", highlight=False, markup=False, soft_wrap=True)


def _no_floor(results: Results, env: str) -> str:
    """Why what was played of an environment has no floor."""
    from embodied.catalog import ENTRIES

    played = [spec.task for spec in results.record.planned if spec.task.env == env]
    if env not in ENTRIES.ours:
        return "floors are measured for Embodied's own environments"
    if any("max_steps" in task.kwargs for task in played):
        return "floors are measured with the environment's own step limit, not with --steps"
    return "floors are measured with the environment's own tasks and options (`embodied floors` shows them)"


def notes(result: RunScore) -> list[str]:
    """Notes for a reader of the table: why there is no interval, and what could not be read or scored."""
    from embodied.eval.remarks import remarks

    found = []
    if result.total.no_interval:
        found.append(f"No interval: {result.total.no_interval}.")
    if result.total.unscorable:
        found.append(
            f"{episodes(result.total.unscorable)} ended without a score: the environment had nothing to measure"
            " them by."
        )
    if result.damaged:
        found.append(
            f"Results that could not be read and count as not played: {len(result.damaged)}. The first:"
            f" {result.damaged[0]}"
        )
    return [line(note) for note in [*found, *remarks(result.total)]]


def print_balrog(summary: Json) -> None:
    """Prints a score with BALROG's own statistics, in percent."""
    shown = table("environment", "progression", "standard error", "episodes")
    for name, env in summary["environments"].items():
        shown.add_row(
            name, f"{env['progression_percentage']:.2f} %", f"{env['standard_error']:.2f}", str(env["episodes_played"])
        )
    shown.add_section()
    shown.add_row("average", f"{summary['average_progress']:.2f} %", f"{summary['standard_error']:.2f}", "")
    print_table(console(), shown)


def _add(shown: Table, s: Score, indent: bool = False) -> None:
    failed = {k: v for k, v in s.outcomes.items() if k not in ("finished", "limit")}
    coverage = f"{s.scored}/{s.planned}" + (f" ({', '.join(f'{v} {k}' for k, v in failed.items())})" if failed else "")
    success = percent(s.success, 0) + (f" of {s.decided} ({span(s.success_interval, 0)})" if s.success_interval else "")
    shown.add_row(
        Text("  " + line(s.name.split(" ", 1)[-1]) if indent else line(s.name)),
        percent(s.progress),
        span(s.interval),
        success,
        coverage,
        str(s.steps),
        "-" if not s.steps else f"{100 * s.invalid_actions / s.steps:.1f} %",
        f"{s.usage.input}/{s.usage.output}" if s.usage.input else "-",
        percent(s.usage.repeated / s.usage.input, 0) if s.usage.input else "-",
    )

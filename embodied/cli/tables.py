"""Tables on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from embodied.eval.score import RunScore, Score


def console() -> Console:
    """A console that never wraps a table when its output is not a terminal."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=160)


def print_score(result: RunScore, tasks: bool = False) -> Score:
    """Prints a run's score by environment (and task), and returns the total."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("environment", "progress", "95 % interval", "success", "scored", "steps", "invalid", "tokens in/out"):
        table.add_column(name, justify="left" if name == "environment" else "right")
    rows = list(result.environments)
    if tasks:
        rows = [row for env in result.environments for row in (env, *(t for t in result.tasks if t.name.split(" ", 1)[0] == env.name))]
    for row in rows:
        _add(table, row, indent=row not in result.environments)
    if len(result.environments) > 1:
        table.add_section()
        _add(table, result.total)
    console().print(table)
    return result.total


def _add(table: Table, s: Score, indent: bool = False) -> None:
    failed = {k: v for k, v in s.outcomes.items() if k not in ("finished", "limit")}
    coverage = f"{s.scored}/{s.planned}" + (f" ({', '.join(f'{v} {k}' for k, v in failed.items())})" if failed else "")
    table.add_row(
        ("  " + s.name.split(" ", 1)[-1]) if indent else s.name,
        "-" if s.progress is None else f"{100 * s.progress:.1f} %",
        "-" if s.interval is None else f"{100 * s.interval[0]:.1f} to {100 * s.interval[1]:.1f}",
        "-" if s.success is None else f"{100 * s.success:.0f} %",
        coverage,
        str(s.steps),
        "-" if not s.steps else f"{100 * s.invalid_actions / s.steps:.1f} %",
        f"{s.usage.input}/{s.usage.output}" if s.usage.input else "-",
    )

"""`embodied power`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from embodied.eval.power import Power


def power(
    runs: list[str] = typer.Argument(None, help="One run (how its scores vary), or two (how their differences vary)."),
    difference: float = typer.Option(
        5.0, "--difference", min=0.01, max=100, help="The difference to show, in percentage points."
    ),
    sd: float | None = typer.Option(
        None, "--sd", min=0.001, max=1, help="Without a run: standard deviation of a score within a task, in [0, 1]."
    ),
    tasks: int = typer.Option(1, "--tasks", min=1, help="Without a run: number of tasks."),
    correlation: float = typer.Option(
        0.0, "--correlation", min=0, max=0.99, help="With one run or none: correlation of both agents' scores by seed."
    ),
    level: float = typer.Option(
        0.95, "--level", min=0.5, max=0.9999, help="1 minus the chance of seeing a difference that is not there."
    ),
    chance: float = typer.Option(0.8, "--power", min=0.05, max=0.999, help="The chance of seeing the difference."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of a table."),
) -> None:
    """Says how many episodes you need to show a difference between two agents."""
    from embodied.cli.output import print_json
    from embodied.errors import UsageError
    from embodied.eval import power as powers
    from embodied.eval.results import read
    from embodied.store.run import Run

    opened = [read(Run(run)) for run in runs or []]
    if len(opened) > 2 or bool(opened) == (sd is not None):
        raise UsageError(
            "Name one run, two runs, or --sd: embodied power RUN [RUN] --difference 5, or embodied power --sd 0.4"
            " --tasks 5 --difference 5."
        )
    if sd is not None:
        found = powers.from_guess(sd, tasks, correlation)
    else:
        two = len(opened) == 2
        found = powers.from_pair(opened[0], opened[1]) if two else powers.from_run(opened[0], correlation)
    result = powers.power(found, difference / 100, level, chance)
    if as_json:
        import msgspec

        print_json({**msgspec.to_builtins(result), "episodes": result.episodes})
    else:
        _print(result)


def _print(result: Power) -> None:
    from embodied.cli.tables import console, print_table, table

    out = console()
    needed = (
        "more than a million episodes"
        if result.needed is None
        else f"{result.needed} episodes a task, {result.episodes} in all, of each agent"
    )
    out.print(f"A difference of {100 * result.difference:g} points takes {needed}.", highlight=False)
    out.print(
        f"At {100 * result.level:g} % and a power of {100 * result.power:g} %, judged by {result.basis}.",
        style="dim",
        highlight=False,
        markup=False,
    )
    if result.between:
        low, high = ("more than a million" if n is None else str(n) for n in result.between)
        out.print(
            f"So few episodes leave open how scores vary: between {low} and {high} episodes a task (95 %, less sure for"
            " skewed progress).",
            style="dim",
            highlight=False,
            markup=False,
        )
    shown = table("episodes a task", "show a difference of")
    for n, difference in result.detectable:
        shown.add_row(str(n), f"{100 * difference:.1f} points")
    print_table(out, shown)

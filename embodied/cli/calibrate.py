"""`embodied calibrate`: from recorded runs to an agent that asks for help."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from embodied.agents.asking.calibration import Calibration
    from embodied.eval.asking import Report


def calibrate(
    runs: list[str] = typer.Argument(..., help="Runs played with --corrector oracle agent.follow=true."),
    risk: float = typer.Option(0.1, "--risk", help="How often a set may lack every right action, in (0, 1)."),
    level: str = typer.Option("episode", "--level", help="What the risk is of: episode (all its steps) or step."),
    out: str | None = typer.Option(None, "--out", "-o", help="Write the agent that asks into this new folder."),
    check: list[str] = typer.Option([], "--check", help="A held-out run of the same kind to report on; repeatable."),
    agent: str | None = typer.Option(None, "--agent", help="The folder of the agent, where it was moved."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of a table."),
) -> None:
    """Makes an agent that asks for help where it is not sure (docs/asking.md).

    Reads the probabilities and the expert's advice of recorded episodes. Plays nothing.
    """
    import msgspec

    from embodied.cli.output import print_json
    from embodied.eval.asking import report
    from embodied.store.run import Run
    from embodied.train.calibrating import asking_version, calibrated, held_out

    opened, others = [Run(run) for run in runs], [Run(run) for run in check]
    version, found = calibrated(opened, risk, level, agent)
    checked = report(held_out(others, found, opened), found) if others else None
    made = asking_version(version, found, opened[0], Path(out)) if out is not None else None
    if as_json:
        print_json(
            {
                "calibration": msgspec.to_builtins(found),
                "check": None if checked is None else msgspec.to_builtins(checked),
                "agent": None if made is None else {"folder": str(made.folder), "hash": made.hash},
            }
        )
        return
    _print(found, checked, None if made is None else str(made.folder))


def _print(found: Calibration, checked: Report | None, made: str | None) -> None:
    from embodied.cli.tables import console
    from embodied.terminal import shell_word

    out = console()

    def say(text: str) -> None:
        out.print(text, highlight=False, markup=False)

    say(
        f"An action is in the set if its share is at least {100 * (1 - found.threshold):.1f} %: {found.episodes}"
        f" episodes of the split {found.split}, risk {found.risk:g} of each {found.level}."
    )
    say(f"In these episodes the agent would ask in {100 * found.rate:.0f} % of its steps.")
    if checked is None:
        say("Not checked: name a held-out run with --check RUN.")
    else:
        _table(found, checked)
    if made is not None:
        folder = shell_word(made if made.startswith("/") else f"./{made}")
        say(
            "Play it, with the task and options of these runs:"
            f" embodied eval --agent {folder} --env ENV --corrector oracle corrector.when=asked"
        )


def _table(found: Calibration, checked: Report) -> None:
    from embodied.cli.tables import console, print_table, table

    out = console()
    low, high = checked.covered_interval or (0.0, 1.0)
    promised = f" (promised: {100 * (1 - found.risk):g} %)"
    of_episodes, of_steps = (promised, "") if found.level == "episode" else ("", promised)
    out.print(
        f"Held out, {checked.episodes} episodes: every set held a right action in {100 * checked.covered:.0f} %"
        f" [{100 * low:.0f}, {100 * high:.0f}] of them{of_episodes}, and in {100 * checked.covered_steps:.1f} % of"
        f" the steps of an episode{of_steps}. {checked.size:.1f} actions a set.",
        highlight=False,
        markup=False,
    )
    shown = table("asks", "questions an episode", "of steps", "wrong where it did not ask", "episodes with such a step")
    for row in checked.rows:
        low, high = row.failed_interval or (0.0, 1.0)
        shown.add_row(
            row.name,
            f"{row.asks:.1f}",
            f"{100 * row.rate:.0f} %",
            f"{100 * row.wrong_steps:.1f} %",
            f"{100 * row.failed:.0f} % ({100 * low:.0f} to {100 * high:.0f})",
        )
    print_table(out, shown)

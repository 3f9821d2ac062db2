"""`embodied agents show|diff`: agents that are folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.text import Text

    from embodied.agents.versions import AgentVersion

app = typer.Typer(help="Shows and compares agents that are folders (docs/agents.md).", no_args_is_help=True)


@app.command()
def show(
    agent: str = typer.Argument(..., help="An agent's folder, or the name of one that ships with the package."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of a table."),
) -> None:
    """What an agent's folder says: settings, parts by hash, what it was made for and from.

    Every byte of its parts is checked. Nothing of it is played.
    """
    from embodied.agents.versions import rows
    from embodied.cli.output import print_json
    from embodied.cli.tables import console, print_table, table
    from embodied.terminal import line

    version = _found(agent)
    if as_json:
        print_json({"label": version.label, "hash": version.hash, "agent": version.json()})
        return
    shown = table("key", "value")
    shown.columns[1].justify = "left"
    for row in [("hash", version.hash), *rows(version)]:
        shown.add_row(*map(_cell, row))
    out = console()
    out.print(line(version.label), style="bold", highlight=False, markup=False)
    print_table(out, shown)


@app.command()
def diff(
    a: str = typer.Argument(..., help="An agent's folder, or the name of one that ships with the package."),
    b: str = typer.Argument(..., help="Another."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of a table."),
) -> None:
    """Every key in which two agents differ, parts by their hashes."""
    from embodied.agents.versions import difference
    from embodied.cli.output import print_json
    from embodied.cli.tables import console, print_table, table
    from embodied.terminal import line

    mine, other = _found(a), _found(b)
    found = difference(mine, other)
    if as_json:
        print_json({"a": mine.label, "b": other.label, "differences": [list(row) for row in found]})
        return
    if not found:
        typer.echo(f"Both are {line(mine.label)}: they do not differ.")
        return
    shown = table("key", line(mine.label), line(other.label))
    for column in shown.columns[1:]:
        column.justify = "left"
    for row in found:
        shown.add_row(*map(_cell, row))
    print_table(console(), shown)


def _found(agent: str) -> AgentVersion:
    from embodied.agents.versions import load
    from embodied.versions import find

    return find(agent) or load(agent)


def _cell(text: str) -> Text:
    from rich.text import Text

    from embodied.terminal import line

    return Text(line(text))

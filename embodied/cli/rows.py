"""Lists whose columns align, without a head: one item a line where the output is not a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import typer

from embodied.terminal import plain

if TYPE_CHECKING:
    from rich.table import Table

ENDLESS = 10_000
"""Characters in a line where the output is not a terminal: nothing is folded there."""


def print_rows(
    whole: Sequence[tuple[str, ...]], short: Sequence[tuple[str, ...]] = (), *, repeated: bool = True
) -> None:
    """Prints rows of cells. Lines within a cell stay lines; long ones are folded to the terminal's width.

    Args:
        whole: Cells of each row.
        short: The same in fewer columns, for a terminal that is too narrow.
        repeated: Whether a first cell is shown again where the row before has the same.
    """
    from embodied.cli.fit import is_wider
    from embodied.cli.tables import console, print_table

    out = console(piped=ENDLESS)
    made = _table(whole, repeated)
    with out.capture() as printed:
        print_table(out, _table(short, repeated) if short and is_wider(made, out.width) else made)
    for text in printed.get().splitlines():
        typer.echo(text.rstrip())


def say(text: str) -> None:
    """Prints a sentence, broken between words where the output is a terminal. Not for commands and paths that a user
    copies.
    """
    from embodied.cli.tables import console

    console(piped=ENDLESS).print(plain(text), highlight=False)


def _table(rows: Iterable[tuple[str, ...]], repeated: bool) -> Table:
    from rich.table import Table
    from rich.text import Text

    made, before = Table(box=None, pad_edge=False, show_header=False), ""
    for first, *others in rows:
        made.add_row(*(Text(plain(cell)) for cell in (first if repeated or first != before else "", *others)))
        before = first
    return made

"""JSON on the terminal."""

from __future__ import annotations

from typing import Any

import msgspec
import typer


def print_json(body: Any) -> None:
    """Prints a record, or plain values, as indented JSON; a number that is not one (NaN) becomes null."""
    typer.echo(msgspec.json.format(msgspec.json.encode(body), indent=2).decode())

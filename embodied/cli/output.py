"""What goes out: JSON on the terminal, files that a user named, and what happens when nobody reads any more."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import typer

from embodied.errors import UsageError


def print_json(body: Any) -> None:
    """Prints a record, or plain values, as indented JSON; a number that is not one (NaN) becomes null."""
    typer.echo(msgspec.json.format(msgspec.json.encode(body), indent=2).decode())


def require_writable(path: Path, option: str, *, folders: bool = True) -> None:
    """Looks, before work begins, whether a file can be written at its end. Writes nothing.

    Args:
        path: The file.
        option: Which option named it, for the message.
        folders: Whether missing folders will be made.

    Raises:
        UsageError: It is a folder, its folder is missing or is a file, or one of them cannot be written.
    """
    if path.is_dir():
        raise UsageError(f"{option}: {path} is a folder. Name a file.")
    if path.exists() and not os.access(path, os.W_OK):
        raise UsageError(f"{option}: {path} cannot be written. Name another one, or change its permissions.")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if folder != path.absolute().parent and not folders:
        raise UsageError(f"{option}: there is no folder {path.parent}. Make it first, or name another file.")
    if not folder.is_dir():
        raise UsageError(f"{option}: {folder} is a file, and a folder must be there.")
    if not path.exists() and not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{option}: nothing can be written into {folder}. Name another place, or change its permissions.")


class _Unread(io.FileIO):
    """A descriptor that takes what is written to it whether or not anybody reads at the other end."""

    def write(self, data: Any, /) -> int | None:
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)


@contextmanager
def unread_is_fine() -> Iterator[None]:
    """Lets a command finish its work when its reader leaves early (`embodied eval ... | head`), and prints what has no character as an escape."""
    before = sys.stdout, sys.stderr
    made = [_wrapped(stream) for stream in before]
    sys.stdout, sys.stderr = made
    try:
        yield
    finally:
        for stream in made:
            if stream not in before:
                stream.flush()
        sys.stdout, sys.stderr = before


def _wrapped(stream: Any) -> Any:
    """`stream` over an `_Unread`; itself where it is no text stream of a descriptor."""
    try:
        descriptor, encoding = stream.fileno(), stream.encoding
        stream.flush()
    except (AttributeError, OSError, ValueError):
        return stream
    raw = _Unread(descriptor, "wb", closefd=False)
    live = stream is sys.stderr or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors="backslashreplace", line_buffering=live)

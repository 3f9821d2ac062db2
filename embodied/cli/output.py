"""Output: JSON on the terminal, files that a user named, and a reader that leaves early."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from embodied.errors import StoreError
from embodied.terminal import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


def print_json(body: Any) -> None:
    """Prints a record, or plain values, as indented JSON; a number that is not one (NaN) becomes null."""
    typer.echo(msgspec.json.format(msgspec.json.encode(body), indent=2).decode())


def require_writable(path: Path, option: str, *, folders: bool = True) -> None:
    """Checks, before work begins, whether a file can be written at its end. Writes nothing.

    Args:
        path: The file.
        option: Which option named it, for the message.
        folders: Whether missing folders will be made.

    Raises:
        StoreError: It is a folder, its folder is missing or is a file, or one of them cannot be written.
    """
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    problem = ""
    if path.is_dir():
        problem = "it is a folder"
    elif path.exists():
        problem = "" if os.access(path, os.W_OK) else "its permissions do not allow it"
    elif not folder.is_dir():
        problem = f"{folder} is a file, and a folder must be there"
    elif folder != path.absolute().parent and not folders:
        problem = f"there is no folder {path.parent}"
    elif not os.access(folder, os.W_OK | os.X_OK):
        problem = f"the permissions of {folder} do not allow it"
    if problem:
        raise StoreError(f"Cannot write {path}: {problem}. Name another place with {option}.")


class _Unread(io.FileIO):
    """A descriptor that accepts writes even if nothing reads at the other end."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0  # None only of descriptors that do not block
        except BrokenPipeError:
            return len(data)


@contextmanager
def unread_is_fine() -> Iterator[None]:
    """Lets a command finish its work when its reader leaves early (`embodied eval ... | head`), and prints bytes that
    are not text as escapes. It removes everything that a terminal would obey: models, servers and run folders may write
    anything.
    """
    before = sys.stdout, sys.stderr
    made = [_Cleaned(_wrapped(stream)) for stream in before]
    sys.stdout, sys.stderr = made
    try:
        yield
    finally:
        for stream in made:
            stream.flush()
        sys.stdout, sys.stderr = before


class _Cleaned:
    """A text stream to which text goes without control characters (see `embodied.terminal`)."""

    def __init__(self, stream: Any):
        self.stream = stream

    def write(self, text: str) -> int:
        self.stream.write(plain(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for text in lines:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def console(*, stderr: bool = False, **options: Any) -> Console:
    """A console for tables, bars and live figures. It moves the cursor itself; texts that it is given are cleaned and
    hold no markup.
    """
    from rich.console import Console as RichConsole

    class Console(RichConsole):
        def render_str(self, text: str, **how: Any) -> Text:
            return super().render_str(plain(text), **how)

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=getattr(stream, "stream", stream), markup=False, emoji=False, **options)


def _wrapped(stream: Any) -> Any:
    """`stream` over an `_Unread`; itself where it is not a text stream of a descriptor."""
    try:
        descriptor, encoding = stream.fileno(), stream.encoding
        stream.flush()
    except (AttributeError, OSError, ValueError):
        return stream
    raw = _Unread(descriptor, "wb", closefd=False)
    live = stream is sys.stderr or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors="backslashreplace", line_buffering=live)

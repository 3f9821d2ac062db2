"""A file with one JSON object a line, to which several processes may append: ratings, votes. Nothing in it ever
changes.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

from embodied.store.codec import encode
from embodied.store.disk import append_whole


def read_journal(path: Path) -> tuple[list[bytes], bytes]:
    """The whole lines of a journal, without their newlines, and what a kill left of the line behind them.

    Raises:
        OSError: The file cannot be read. One that is not there is empty.
    """
    try:
        *lines, torn = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], b""
    return lines, torn


def append_to_journal(path: Path, record: Any) -> None:
    """Writes a line, on one of its own even where a kill tore the one before; it is on the disk when this returns.

    Raises:
        OSError: The file cannot be written; it is as it was.
    """
    with path.open("ab+", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 1))
        torn = end > 0 and file.read(1) != b"\n"
        append_whole(file, (b"\n" if torn else b"") + encode(record) + b"\n")

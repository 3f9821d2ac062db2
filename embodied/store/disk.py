"""The run folder on disk: one sentence where the operating system refuses, whole lines, a lock for each folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from embodied.atomic import FULL, TEMPORARY, named, whole, write_whole
from embodied.errors import DiskFull, StoreError

__all__ = ["FULL", "TEMPORARY", "append_whole", "disk", "lock", "locked", "named", "whole", "write_whole"]

WAIT = 30.0
"""Seconds that another process may hold a folder's lock, which it needs for milliseconds."""


@contextmanager
def disk(what: str) -> Iterator[None]:
    """Turns an operating-system error into one sentence about the run folder."""
    try:
        yield
    except OSError as error:
        full = error.errno in FULL
        advice = "free space" if full else "repair the cause (space, permissions, the path)"
        kind = DiskFull if full else StoreError
        raise kind(
            f"Cannot {what}: {error.strerror or error}. Nothing recorded before is lost; {advice} and run the same"
            " command again."
        ) from error


def append_whole(file: BinaryIO, data: bytes) -> None:
    """Appends to a file opened without a buffer, all of `data` or nothing, and waits until the disk has it. Raises
    `OSError`.
    """
    end = file.seek(0, os.SEEK_END)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            file.truncate(end)
        raise


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of an existing folder; the lock of a killed process is gone with it.

    Raises:
        OSError: The folder cannot be opened, or another process held its lock for `WAIT` seconds.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        until = time.monotonic() + WAIT
        while not lock(descriptor):
            if time.monotonic() > until:
                raise OSError(errno.EBUSY, "another process holds its lock", str(folder))
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def lock(descriptor: int) -> bool:
    """Takes the lock of an open folder until it is closed. False when another process has it."""
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False

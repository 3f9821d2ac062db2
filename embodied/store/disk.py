"""Files that are either there whole or not at all, folders that one process at a time makes, and what a full disk is called."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embodied.errors import StoreError

WAIT = 30.0
"""Seconds that another process may hold a folder's lock, which it needs for milliseconds."""
TEMPORARY = ".tmp"
"""How the name of a file ends while it is being written."""


@contextmanager
def disk(what: str) -> Iterator[None]:
    """Turns an operating-system error into one sentence about the run folder."""
    try:
        yield
    except OSError as error:
        advice = "free space" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "mend that (space, permissions, the path)"
        raise StoreError(f"Cannot {what}: {error.strerror or error}. Nothing recorded before is lost; {advice} and run the same command again.") from error


def write_whole(path: Path, data: bytes, durable: bool = True) -> None:
    """Writes a file so that it is either the old one or the new one, never half. What could not be written leaves nothing behind.

    Args:
        path: The file; its folder exists.
        data: What it is to hold.
        durable: Waits until the data has reached the disk, so that not even a power cut leaves an empty file.

    Raises:
        OSError: It could not be written; the old one is as it was.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
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

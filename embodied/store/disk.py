"""Files that are either there whole or not at all, folders that one process at a time makes, and what a full disk is
called.
"""

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
from typing import BinaryIO

from embodied.errors import DiskFull, StoreError

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
        full = error.errno in FULL
        advice = "free space" if full else "mend that (space, permissions, the path)"
        kind = DiskFull if full else StoreError
        raise kind(
            f"Cannot {what}: {error.strerror or error}. Nothing recorded before is lost; {advice} and run the same"
            " command again."
        ) from error


def write_whole(path: Path, data: bytes, durable: bool = True) -> None:
    """Writes a file so that it is either the old one or the new one, never half. What could not be written leaves
    nothing behind.

    Args:
        path: The file; its folder exists.
        data: What it is to hold.
        durable: Waits until the data has reached the disk, so that not even a power cut leaves an empty file.

    Raises:
        OSError: It could not be written; the old one is as it was.
    """
    with whole(path) as temporary, temporary.open("xb") as file:
        file.write(data)
        file.flush()
        if durable:
            os.fsync(file.fileno())


@contextmanager
def whole(path: Path, ending: str = "") -> Iterator[Path]:
    """Gives the path of a file to write in the place of `path`, and puts it there once the block has ended well; else
    nothing is left of it.

    Args:
        path: The file; its folder exists.
        ending: What the other path must end with, for writers that go by that (`.mp4`).
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}{ending}")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the operating system says of a full disk, a spent quota, and a file that is too large."""


@contextmanager
def named(path: Path, option: str = "--out") -> Iterator[None]:
    """Makes the folder of a file that the user named, and turns an operating-system error into one sentence with the
    way out.

    Raises:
        StoreError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFull(
                f"Cannot write {path}: {error.strerror}. Free space and run the same command again."
            ) from error
        raise StoreError(
            f"Cannot write {path}: {error.strerror or error}. Name another place with {option}."
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

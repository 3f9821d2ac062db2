"""Atomic writes: a file is either there whole or not there. And the errors that mean a full disk."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embodied.errors import DiskFull, StoreError

TEMPORARY = ".tmp"
"""How the name of a file ends while it is being written."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The operating system's errors for a full disk, a spent quota and a file that is too large."""


def write_whole(path: Path, data: bytes, durable: bool = True) -> None:
    """Writes a file so that it is either the old one or the new one, never half. A failed write leaves nothing behind.

    Args:
        path: The file; its folder exists.
        data: The new content.
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

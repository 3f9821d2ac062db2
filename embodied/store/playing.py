"""Which episodes other processes play at this moment: a process that plays one holds a lock on its folder.

Looking must not disturb. A process that tries a lock keeps it for an instant, and a run that begins in that instant
would skip the episode. So Linux is asked for its list of locks; other systems have none.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

LOCKS = Path("/proc/locks")
"""Linux's list of file locks, one a line (man 5 proc_locks)."""


def held() -> frozenset[int] | None:
    """Inode numbers that processes hold a lock on; None where the system keeps no list.

    The device is left out: layered file systems report another one here than to `stat`.
    """
    try:
        lines = LOCKS.read_text().splitlines()
    except OSError:
        return None
    fields = (line.split() for line in lines)
    return frozenset(int(f[5].rpartition(":")[2]) for f in fields if len(f) > 5 and f[1] == "FLOCK")


def playing(folders: Iterable[Path], locks: frozenset[int] | None) -> bool:
    """Whether another process plays one of these episodes.

    Args:
        folders: Of episodes that have begun and have no result.
        locks: From `held`; None tries each lock for an instant.
    """
    return any(_locked(folder) if locks is None else _inode(folder) in locks for folder in folders)


def holders(folders: Iterable[Path]) -> list[int]:
    """The processes that play one of these episodes, where the system keeps a list; of processes in other containers
    nothing is known.
    """
    inodes = {_inode(folder) for folder in folders} - {0}
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for line in LOCKS.read_text().splitlines():
            fields = line.split()
            if len(fields) > 5 and fields[1] == "FLOCK" and int(fields[5].rpartition(":")[2]) in inodes:
                found.add(int(fields[4]))
    return sorted(pid for pid in found if pid > 0)


def _inode(folder: Path) -> int:
    with contextlib.suppress(OSError):
        return os.lstat(folder).st_ino
    return 0


def _locked(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False

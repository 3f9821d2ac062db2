"""Where the desk of a run is served at this moment: a note in the user's state folder, as long as it is.

The addresses are secret. So the note is never in the run folder, which may be copied or shared, and only the user can
read it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from embodied.store.codec import encode
from embodied.store.ours import state_folder


class Served(msgspec.Struct, frozen=True):
    """A desk that is served."""

    pid: int
    """The process that plays the run."""
    control: str
    """The address that controls."""
    watch: str
    """The address that only watches."""


@contextlib.contextmanager
def noted(root: Path, control: str, watch: str) -> Iterator[None]:
    """Notes where the desk of a run is, and holds a lock on the note, which a kill frees. A note that cannot be written
    is left out: it only helps.
    """
    path = _note(root)
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.unlink(missing_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, encode(Served(os.getpid(), control, watch)))
        yield


def served(root: Path) -> Served | None:
    """The desk of a run, if a process of this user serves one now."""
    try:
        with _note(root).open("rb") as file:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None  # nobody holds it any more
            found = msgspec.json.decode(file.read(), type=Served)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if all(_is_local(at) for at in (found.control, found.watch)) else None


def _is_local(address: str) -> bool:
    return address.startswith("http://127.0.0.1:") and address.isprintable()


def _note(root: Path) -> Path:
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()
    return state_folder().parent / "desks" / name

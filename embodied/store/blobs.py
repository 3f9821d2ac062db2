"""The run's `blobs/`: content-addressed files, written once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from embodied.errors import StoreError
from embodied.store.checks import LONGEST_PICTURE, check_place, is_digest, read_plain
from embodied.store.disk import disk, write_whole


class FileBlobs:
    """Blobs as files `<root>/<first two digits>/<digest>`; implements `embodied.blobs.Blobs`."""

    def __init__(self, root: Path):
        self.root = root
        self._known: set[str] = set()

    def put(self, data: bytes) -> str:
        """Stores `data`. A file of its name that holds anything else (emptied by a power cut, damaged) is replaced.

        Raises:
            StoreError: It cannot be written.
        """
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._known:
            path = self.path(digest)
            with disk(f"write the picture {path}"):
                if not _holds(path, data):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_whole(path, data, durable=False)  # a file that a power cut emptied is written again
            self._known.add(digest)
        return digest

    def get(self, digest: str) -> bytes:
        if not is_digest(digest):
            raise StoreError(f"{digest[:80]!r} is not the name of a blob: a SHA-256 of 64 hexadecimal digits.")
        data = read_plain(self.path(digest), LONGEST_PICTURE)
        if data is None:
            raise StoreError(f"The blob {digest} is missing from {self.root}.")
        if hashlib.sha256(data).hexdigest() != digest:
            raise StoreError(f"The blob {self.path(digest)} is damaged: its bytes do not match its name.")
        return data

    def delete(self, digest: str) -> None:
        """Removes the bytes with this digest, if they are there.

        Raises:
            StoreError: The file cannot be removed.
        """
        if not is_digest(digest):
            raise StoreError(f"{digest[:80]!r} is not the name of a blob: a SHA-256 of 64 hexadecimal digits.")
        path = self.path(digest)
        check_place(path, self.root)
        with disk(f"delete {path}"):
            path.unlink(missing_ok=True)
        self._known.discard(digest)

    def path(self, digest: str) -> Path:
        """Where the bytes with this digest are."""
        return self.root / digest[:2] / digest


def _holds(path: Path, data: bytes) -> bool:
    """Whether there is a regular file of exactly these bytes."""
    return path.is_file() and not path.is_symlink() and path.stat().st_size == len(data) and path.read_bytes() == data

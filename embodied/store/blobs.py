"""The run's `blobs/`: content-addressed files, written once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from embodied.errors import StoreError
from embodied.store.checks import LONGEST_PICTURE, is_digest, read_plain


class FileBlobs:
    """Blobs as files `<root>/<first two digits>/<digest>`; implements `embodied.blobs.Blobs`."""

    def __init__(self, root: Path):
        self.root = root
        self._known: set[str] = set()

    def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._known:
            path = self.path(digest)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary = path.with_suffix(f".{os.getpid()}")
                temporary.write_bytes(data)
                temporary.replace(path)
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

    def path(self, digest: str) -> Path:
        """Where the bytes with this digest are."""
        return self.root / digest[:2] / digest

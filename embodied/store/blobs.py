"""The run's `blobs/`: content-addressed files, written once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from embodied.errors import StoreError


class FileBlobs:
    """Blobs as files `<root>/<first two digits>/<digest>`; implements `embodied.blobs.Blobs`."""

    def __init__(self, root: Path):
        self.root = root
        self._known: set[str] = set()

    def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._known:
            path = self._path(digest)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary = path.with_suffix(f".{os.getpid()}")
                temporary.write_bytes(data)
                temporary.replace(path)
            self._known.add(digest)
        return digest

    def get(self, digest: str) -> bytes:
        try:
            data = self._path(digest).read_bytes()
        except FileNotFoundError as error:
            raise StoreError(f"The blob {digest} is missing from {self.root}.") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise StoreError(f"The blob {self._path(digest)} is damaged: its bytes do not match its name.")
        return data

    def _path(self, digest: str) -> Path:
        return self.root / digest[:2] / digest

"""A memory while it is built: `memories.jsonl`, which only grows.

with Building(folder) as built:
    built.add([memory])                # on the disk when this returns
    write_memories(out, built.records, embedding("hashing"), blobs)
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from embodied.agents.memory.record import Memory, checked, decode_memory
from embodied.agents.memory.retrieval import in_order
from embodied.agents.memory.store import ABOUT, RECORDS
from embodied.errors import StoreError, UsageError
from embodied.store.checks import check_place, open_plain, whole_lines
from embodied.store.codec import encode
from embodied.store.disk import append_whole, disk, lock
from embodied.store.mending import drop_torn_line


class Building:
    """The records of a folder, to which one process at a time may add. A record with the id of an earlier one takes its
    place: so a candidate becomes verified.

    Args:
        folder: Is made where it is missing.

    Raises:
        UsageError: `folder` holds a finished memory, which never changes.
        StoreError: Another process has it open, it is damaged, or the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        if (folder / ABOUT).exists():
            raise UsageError(
                f"{folder} is a finished memory, which never changes. Build in a new folder, and add its records there."
            )
        self.path = folder / RECORDS
        self.mended = ""
        """One sentence where a kill had torn the last line, which was cut off; else empty."""
        check_place(self.path, folder)
        with disk(f"open the memory {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab+", buffering=0)
            _sync(folder)
        try:
            if not lock(self._file.fileno()):
                raise StoreError(f"{self.path} is open in another process. Wait for it, or build in another folder.")
            self._records = self._read()
        except BaseException:
            self._file.close()
            raise

    @property
    def records(self) -> tuple[Memory, ...]:
        """All that was added, in the order of environment, task and id; of two with one id the later one."""
        return in_order(self._records.values())

    def add(self, memories: Iterable[Memory]) -> None:
        """Appends records. They are on the disk when this returns: a kill loses nothing that was added before.

        Raises:
            StoreError: A record is out of range (then none is added), or the disk refuses.
        """
        added = [checked(memory) for memory in memories]
        if self._file.closed:
            raise StoreError(f"{self.path} was closed: nothing can be added. Open the folder again.")
        with disk(f"write {self.path}"):
            append_whole(self._file, b"".join(encode(memory) + b"\n" for memory in added))
        self._records.update((memory.id, memory) for memory in added)

    def close(self) -> None:
        """Lets another process have it."""
        self._file.close()

    def __enter__(self) -> Building:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> dict[str, Memory]:
        before = os.fstat(self._file.fileno()).st_size
        with disk(f"repair {self.path}"):
            drop_torn_line(self.path)
        if torn := before - os.fstat(self._file.fileno()).st_size:
            self.mended = (
                f"{self.path}: a kill tore the last line, and its {torn} bytes were cut off. Nothing that was added"
                " before is lost."
            )
        file = open_plain(self.path)
        if file is None:
            raise StoreError(f"{self.path} is missing.")
        with file:
            lines = enumerate(whole_lines(file, str(self.path)), 1)
            found = (decode_memory(text, f"{self.path}, line {number}") for number, text in lines)
            return {memory.id: memory for memory in found}


def _sync(folder: Path) -> None:
    """Waits until the disk has the names in a folder. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

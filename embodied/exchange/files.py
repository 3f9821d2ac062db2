"""Writing export files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from embodied.errors import StoreError
from embodied.store.codec import encode
from embodied.types import Json


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Makes the folder of `path`, and turns an operating-system error into one sentence."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
    except OSError as error:
        raise StoreError(f"Cannot write {path}: {error.strerror or error}.") from error


def damaged_note(damaged: list[str]) -> list[str]:
    """What `Exported.notes` say of lines that could not be read."""
    return [f"Damaged lines left out: {len(damaged)}. The first: {damaged[0]}"] if damaged else []


def write_lines(path: Path, lines: Iterable[Json]) -> Path:
    """Writes JSON objects, one a line."""
    with writing(path), path.open("wb") as file:
        for line in lines:
            file.write(encode(line) + b"\n")
    return path

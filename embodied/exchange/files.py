"""Writing export files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from embodied.splits import split_of
from embodied.store.codec import encode
from embodied.store.disk import named, whole
from embodied.store.run import Run
from embodied.types import Json


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Gives the path of a file to write, which then becomes `path`, whole or not at all. Makes its folder.

    Raises:
        StoreError: It cannot be written; says what to do.
    """
    with named(path), whole(path, path.suffix) as temporary:
        yield temporary


def damaged_note(damaged: list[str]) -> list[str]:
    """What `Exported.notes` say of lines that could not be read."""
    return [f"Damaged lines left out: {len(damaged)}. The first: {damaged[0]}"] if damaged else []


def split_note(run: Run) -> list[str]:
    """What `Exported.notes` say of a run whose episodes test agents: they must not teach any."""
    if split_of(run.record.config) != "test":
        return []
    return [
        "These episodes are of the test split, on which agents are scored: train no agent on them. `embodied eval"
        " --split train` plays episodes to learn from."
    ]


def write_lines(path: Path, lines: Iterable[Json]) -> Path:
    """Writes JSON objects, one a line."""
    with writing(path) as target, target.open("wb") as file:
        for line in lines:
            file.write(encode(line) + b"\n")
    return path

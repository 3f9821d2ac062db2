"""Merging run folders of one plan, played in parts on several machines."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from embodied.errors import StoreError
from embodied.store.run import Run, disk


def merge(runs: Sequence[Run], out: str | os.PathLike[str]) -> Run:
    """Brings what `runs` hold into the folder `out`, which is made, or is a run of the same plan already.

    Of an episode that several folders hold, one is kept: a scored one, else the one with the longest record; what `out` held of it
    before goes to `attempt-<n>/`. The folders of `runs` are only read. An interrupted merge can be repeated.

    Raises:
        StoreError: The runs are of different plans (nothing is written then), or `out` cannot be used.
    """
    first = runs[0]
    for other in runs[1:]:
        if other.record.identity != first.record.identity:
            raise StoreError(f"{other.root} is not a run of the same plan as {first.root} ({first.record.difference(other.record)}).")
    merged = first
    for run in runs:
        merged = Run.create(out, run.record)
    with disk(f"write the run folder {out}"):
        for run in runs:
            if run.root.resolve() != merged.root.resolve():
                _copy_blobs(run.root / "blobs", merged.root / "blobs")
        for spec in merged.record.planned:
            best = max([merged, *runs], key=lambda run: _worth(run, spec.id))
            if best.folder(spec.id).is_dir() and _worth(best, spec.id) > _worth(merged, spec.id):
                _take(best.folder(spec.id), merged.folder(spec.id))
    return merged


def _worth(run: Run, id_: str) -> tuple[bool, int]:
    """What an episode's folder is worth keeping for: a score, then the length of its record in bytes."""
    steps = run.folder(id_) / "steps.jsonl"
    return run.scored(id_), steps.stat().st_size if steps.is_file() else 0


def _take(source: Path, target: Path) -> None:
    arriving = target.with_name(f"{target.name}.arriving")
    if arriving.exists():
        shutil.rmtree(arriving)
    shutil.copytree(source, arriving)
    if target.exists():
        target.rename(arriving / f"attempt-{1 + sum(p.is_dir() for p in arriving.iterdir())}")
    arriving.rename(target)


def _copy_blobs(source: Path, target: Path) -> None:
    for path in source.glob("??/*"):
        copy = target / path.parent.name / path.name
        if not copy.exists() and len(path.name) == 64:  # else a file that a kill left half written
            copy.parent.mkdir(parents=True, exist_ok=True)
            arriving = copy.with_suffix(f".{os.getpid()}")
            shutil.copyfile(path, arriving)
            arriving.replace(copy)

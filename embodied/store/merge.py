"""Merging run folders of one plan, played in parts on several machines."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from embodied.errors import StoreError
from embodied.store.amendments import carry, changes_of
from embodied.store.blobs import FileBlobs
from embodied.store.checks import is_digest, open_plain, plain_size, read_lines, whole_lines
from embodied.store.record import RunRecord
from embodied.store.run import Run, disk
from embodied.store.said import SAID
from embodied.types import EpisodeSpec

FILES = ("steps.jsonl", "messages.jsonl", SAID, "episode.json")
"""What an episode's folder holds, besides those of earlier attempts."""


Difference = Callable[[RunRecord, RunRecord], str]
"""Why one run cannot continue as another, in words; empty if it can (`embodied.rollout.identity.difference`)."""


def merge(
    runs: Sequence[Run], out: str | os.PathLike[str], difference: Difference, left_out: list[str] | None = None
) -> Run:
    """Brings what `runs` hold into the folder `out`, which is made, or is a run of the same plan already.

    Of an episode that several folders hold, one is kept: a scored one, else the one with the longest record; what `out`
    held of it before goes to `attempt-<n>/`. What was changed about its corrections comes along. The folders of `runs`
    are only read. An interrupted merge can be repeated.

    Branches are kept too. Where people began two branches of one name, each in a copy of the run, one is kept, and
    `left_out` says so.

    Copied are plain files with the names that a run gives them, and pictures whose bytes are those of their name; no
    link is followed.

    Args:
        runs: At least one.
        out: The folder.
        difference: Decides whether two runs are of the same plan.
        left_out: Takes a sentence for each episode or group of pictures that could not be copied.

    Raises:
        StoreError: The runs are of different plans (nothing is written then), or `out` cannot be used.
    """
    first, left_out = runs[0], [] if left_out is None else left_out
    planned = {spec.id: spec for spec in first.record.planned}
    named = {_place(spec): spec.id for spec in first.record.planned}
    for other in runs[1:]:
        if what := difference(first.record, other.record):
            raise StoreError(f"{other.root} is not a run of the same plan as {first.root} ({what}).")
        for spec in other.record.planned:
            if named.setdefault(_place(spec), spec.id) != spec.id:
                raise StoreError(
                    f"{other.root} has another name for the episode {named[_place(spec)]} of {first.root}: it was begun"
                    " where other packages are installed. Begin all parts with the same packages."
                )
            if planned.setdefault(spec.id, spec) != spec:
                raise StoreError(
                    f"{other.root} is not a run of the same plan as {first.root}: {spec.id} is another episode there."
                )
    merged = first
    for run in runs:
        merged = Run.create(out, replace(run.record, identity=first.record.identity))
    changes = {run.root: changes_of(run, left_out) for run in runs}
    with disk(f"write the run folder {out}"):
        for run in runs:
            if run.root.resolve() != merged.root.resolve() and (bad := _copy_blobs(run.root / "blobs", merged.blobs)):
                left_out.append(f"{bad} files in {run.root / 'blobs'} are not pictures of their name and are left out.")
        for spec in merged.record.specs:
            best = max([merged, *runs], key=lambda run: _worth(run, spec.id))
            if isinstance(spec.parent, str) and (another := _another(best, [merged, *runs], spec)):
                left_out.append(
                    f"{spec.id} is another branch in {another.root} than in {best.root}, whose branch is kept."
                )
            if best.folder(spec.id).is_dir() and _worth(best, spec.id) > _worth(merged, spec.id):
                try:
                    carry(changes[best.root], spec.id, merged)
                    _take(best.folder(spec.id), merged.folder(spec.id))
                except StoreError as error:
                    left_out.append(f"{spec.id} is left out: {error}")
    return merged


def _place(spec: EpisodeSpec) -> tuple[str, str, int, int]:
    """What identifies an episode besides its id."""
    return spec.task.env, spec.task.task, spec.index, spec.seed


def _worth(run: Run, id_: str) -> tuple[bool, int]:
    """The rank of an episode's folder: first whether it has a score, then the length of its record in bytes."""
    return run.scored(id_), plain_size(run.folder(id_) / "steps.jsonl")


def _another(best: Run, runs: Sequence[Run], branch: EpisodeSpec) -> Run | None:
    """A run with another branch of the same name: people began both, each in a copy of the run. None where there is
    none.
    """

    def played(run: Run) -> Iterator[bytes]:
        path = run.folder(branch.id) / "steps.jsonl"
        with suppress(StoreError):
            if (file := open_plain(path)) is not None:
                with file:
                    yield from whole_lines(file, str(path))

    def differs(run: Run) -> bool:
        return any(mine != theirs for mine, theirs in zip(played(best), played(run), strict=False))

    return next((run for run in runs if run.root != best.root and differs(run)), None)


def _take(source: Path, target: Path) -> None:
    """Copies an episode's folder, then puts it in the place of the one that is there. Raises `StoreError` where a file
    of it is not a plain one.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise StoreError(f"{target} is not an episode's folder.")
    arriving = target.with_name(f"{target.name}.arriving")
    if arriving.is_symlink():
        arriving.unlink()
    elif arriving.exists():
        shutil.rmtree(arriving)
    try:
        _copy_files(source, arriving)
        for attempt in sorted(p for p in source.glob("attempt-*") if p.is_dir() and not p.is_symlink()):
            _copy_files(attempt, arriving / attempt.name)
    except StoreError:
        shutil.rmtree(arriving)
        raise
    if target.exists():
        target.rename(arriving / f"attempt-{1 + sum(p.is_dir() for p in arriving.iterdir())}")
    arriving.rename(target)


def _copy_files(source: Path, target: Path) -> None:
    """Copies line by line: a sparse file that claims a terabyte ends at its first line."""
    target.mkdir()
    for name in FILES:
        if (file := open_plain(source / name)) is not None:
            with file, (target / name).open("xb") as copy:
                copy.writelines(read_lines(file, str(source / name)))


def _copy_blobs(source: Path, target: FileBlobs) -> int:
    """Copies pictures; returns how many files of the right name were something else. A file that a kill left half
    written has another name.
    """
    bad = 0
    theirs = FileBlobs(source)
    for path in source.glob("??/*"):
        if is_digest(path.name) and path.parent.name == path.name[:2] and not plain_size(target.path(path.name)):
            try:
                data = theirs.get(path.name)
            except StoreError:
                bad += 1
                continue
            target.put(data)
    return bad

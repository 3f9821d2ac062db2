"""The way back: a dataset that `write_lerobot` wrote and somebody edited, as changes to the run's corrections.

The words of a correction stand in every frame in which it counted. So they must be edited in all of these alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embodied.errors import MissingExtra, StoreError, UsageError
from embodied.exchange.corrections import Imported, Line, change
from embodied.exchange.lerobot.frames import Frame, frames, goal_of
from embodied.store.amendments import Amending, changes_of, corrections_of
from embodied.store.run import Run
from embodied.terminal import plain

MOST_ROWS = 10_000_000


@dataclass
class _Found:
    """What the frames of one correction say."""

    texts: dict[str, None] = field(default_factory=dict)
    excluded: dict[bool, None] = field(default_factory=dict)


def read_lerobot(run: Run, root: Path, by: str) -> Imported:
    """Takes in a dataset: the words behind the goal in `instruction`, and `excluded`, become changes to the run's
    corrections. All other columns are ignored. Frames that are missing change nothing.

    Args:
        run: The run that was exported.
        root: The dataset's folder.
        by: A label of who changed it.

    Raises:
        UsageError: The label is not one short line.
        StoreError: The dataset cannot be read, or is not of this run.
        MissingExtra: PyArrow is not installed.
    """
    amending, changes, done = Amending(run, by, corrections_of(run)), changes_of(run, []), Imported()
    rows = _rows(root)
    for number, id_ in _episodes(root):
        episode = run.episode(id_) if id_ in {spec.id for spec in run.record.specs} else None
        if episode is None:
            done.problems.append(f"{root}: the run has no episode {plain(id_)[:100]!r} that has ended.")
            continue
        goal, found = goal_of(episode), dict[str, _Found]()
        for index, frame in enumerate(frames(run, episode, changes, [])):
            row = rows.get((number, index))
            if row is not None and frame.of is not None:
                _take(found.setdefault(frame.of.id, _Found()), frame, row, goal)
        for of, told in found.items():
            try:
                change(amending, _line(id_, of, told), done)
            except UsageError as error:
                done.problems.append(f"{root}, {id_}, correction {of}, changes nothing: {error}")
    return done


def _take(found: _Found, frame: Frame, row: tuple[str, bool], goal: str) -> None:
    instruction, excluded = row
    words = instruction.removeprefix(goal).removeprefix("\n")
    assert frame.of is not None
    if words or (frame.of.text and not (excluded or frame.excluded)):  # what is excluded has no words in its frames
        found.texts.setdefault(words)
    found.excluded.setdefault(excluded)


def _line(episode: str, of: str, told: _Found) -> Line:
    for name, values in (("instruction", told.texts), ("excluded", told.excluded)):
        if len(values) > 1:
            raise UsageError(f"its frames have different values of `{name}`. Edit all of them alike.")
    return Line(episode, of, next(iter(told.texts), None), None, next(iter(told.excluded)))


def _episodes(root: Path) -> Iterator[tuple[int, str]]:
    """Number and id of each episode of the dataset."""
    for row in _tables(root / "meta/episodes", ["episode_index", "episode_id"]):
        if not isinstance(row["episode_index"], int) or not isinstance(row["episode_id"], str):
            raise StoreError(f"{root} does not name its episodes. Export the run again with this version.")
        yield row["episode_index"], row["episode_id"]


def _rows(root: Path) -> dict[tuple[int, int], tuple[str, bool]]:
    """(episode, frame) -> instruction, excluded."""
    found = {}
    for row in _tables(root / "data", ["episode_index", "frame_index", "instruction", "excluded"]):
        found[row["episode_index"], row["frame_index"]] = str(row["instruction"] or ""), row["excluded"] is True
        if len(found) > MOST_ROWS:
            raise StoreError(f"{root} has more than {MOST_ROWS:,} frames.")
    return found


def _tables(folder: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise MissingExtra("Reading a LeRobot dataset", "parquet") from error
    paths = sorted(folder.glob("chunk-*/file-*.parquet"))
    if not paths:
        raise StoreError(f"{folder} holds no Parquet files: name the folder of a dataset of `--format lerobot`.")
    for path in paths:
        try:
            yield from pq.read_table(path, columns=columns).to_pylist()
        except (pa.ArrowException, OSError, KeyError) as error:
            raise StoreError(f"Cannot read {path}: {plain(str(error))[:200]}") from error

"""Writes a LeRobot dataset, episode by episode."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embodied.blobs import MOST_PIXELS, check_png, decode_png, encode_png
from embodied.errors import MissingExtra, StoreError, UsageError
from embodied.exchange import Export, Exported
from embodied.exchange.chat import good_enough
from embodied.exchange.files import damaged_note, split_note, writing
from embodied.exchange.left_out import wrong_note
from embodied.exchange.lerobot.frames import Frame, frames, goal_of
from embodied.exchange.lerobot.statistics import Statistics, of_all, of_numbers, of_pictures, sampled
from embodied.splits import split_of
from embodied.store.amendments import changes_of
from embodied.store.run import Run
from embodied.types import Episode, Image, Json

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = "v3.0"
PICTURE = "observation.image"
KINDS = {
    "action": "int64",
    "instruction": "string",
    "intervention": "bool",
    "excluded": "bool",
    "text": "string",
    "next.reward": "float32",
    "next.done": "bool",
    "next.success": "bool",
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}
"""Columns besides the picture, and their types."""
FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
LARGEST = 100
"""MiB of a data file; the next episode begins another."""
FILES = 1_000
"""Files of a chunk."""


def write_lerobot(export: Export) -> Exported:
    """Writes `lerobot/`, a dataset. What an earlier export left there is replaced.

    Raises:
        MissingExtra: PyArrow is not installed.
        UsageError: No episode has steps and is good enough.
        StoreError: A file cannot be written, or a picture is damaged.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra("The format lerobot", "parquet") from error
    run, damaged = export.run, list[str]()
    changes = changes_of(run, damaged)
    ended = [e for id_ in export.ids if (e := run.episode(id_)) is not None]
    chosen = [e for e in ended if good_enough(e, export) or not (export.min_progress or export.success)]
    size, without = _pictures(run, chosen)
    dataset = Dataset(run, export.out / "lerobot", export.fps, size)
    with dataset.files:
        for episode in chosen:
            found = list(frames(run, episode, changes, damaged))
            if found:
                dataset.add(episode, found)
    if not dataset.episodes:
        raise UsageError(
            f"No episode of {run.root} that is good enough has steps that can be read. `embodied score` lists them."
        )
    written = Exported([dataset.root / "meta/info.json"])
    dataset.finish(split_of(run.record.config))
    written.notes.append(
        f"{len(dataset.episodes)} episodes, {dataset.frames} frames, {dataset.interventions} of them interventions."
    )
    if len(dataset.episodes) < len(ended):
        written.notes.append(
            f"Episodes left out, without steps or not good enough: {len(ended) - len(dataset.episodes)}."
        )
    if size is not None and without:
        written.notes.append(f"{without} frames have no picture; theirs is black.")
    written.notes += [*wrong_note(run), *damaged_note(damaged), *split_note(run)]
    return written


def _pictures(run: Run, episodes: Sequence[Episode]) -> tuple[tuple[int, int] | None, int]:
    """Height and width that hold every picture, None where there is none; and how many frames have none."""
    height = width = without = 0
    for episode in episodes:
        for step in run.steps(episode.spec.id, []):
            image = step.observation.image
            without += image is None
            if image is not None:
                height, width = max(height, image.height), max(width, image.width)
    if height * width > MOST_PIXELS:
        raise StoreError(f"The pictures of {run.root} claim {width:,} by {height:,} pixels. Take another copy of it.")
    return ((height, width) if height * width else None), without


@dataclass
class Dataset:
    """A dataset that is being written.

    Args:
        run: The run.
        root: The dataset's folder.
        fps: Steps a second.
        size: Height and width of every picture; None for a dataset without pictures.
    """

    run: Run
    root: Path
    fps: int
    size: tuple[int, int] | None
    frames: int = 0
    interventions: int = 0
    episodes: list[Json] = field(default_factory=list)
    tasks: dict[str, int] = field(default_factory=dict)
    actions: dict[str, int] = field(default_factory=dict)
    """Phrase -> index."""
    statistics: list[Statistics] = field(default_factory=list)
    files: ExitStack = field(default_factory=ExitStack)
    _writer: Any = None
    _file: int = -1
    _bytes: int = 0

    def add(self, episode: Episode, found: Sequence[Frame]) -> None:
        """Writes an episode's frames."""
        import pyarrow as pa

        if episode.mission is not None and not episode.mission.free_text:
            for phrase in episode.mission.actions:
                self.actions.setdefault(phrase, len(self.actions))
        goal = goal_of(episode)
        task = self.tasks.setdefault(goal, len(self.tasks))
        columns = self._columns(episode, found, task)
        statistics = {k: of_numbers(columns[k]) for k, kind in KINDS.items() if kind != "string"}
        if self.size is not None:
            columns[PICTURE] = [self._png(f.picture) for f in found]
            chosen = [found[i].picture for i in sampled(len(found))]
            statistics[PICTURE] = of_pictures(self._pixels(image) for image in chosen)
            columns[PICTURE] = [{"bytes": data, "path": None} for data in columns[PICTURE]]
        table = pa.table(columns, self._schema())
        self._write(table)
        self.statistics.append(statistics)
        self.episodes.append(
            {
                "episode_index": len(self.episodes),
                "episode_id": episode.spec.id,
                "tasks": [goal],
                "length": len(found),
                "data/chunk_index": self._file // FILES,
                "data/file_index": self._file % FILES,
                "dataset_from_index": self.frames,
                "dataset_to_index": self.frames + len(found),
                **{f"stats/{k}/{name}": value.tolist() for k, v in statistics.items() for name, value in v.items()},
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
            }
        )
        self.frames += len(found)
        self.interventions += sum(f.intervention for f in found)

    def finish(self, split: str) -> None:
        """Writes `meta/`, and removes data files of an earlier export."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        number = len(self.tasks)
        tasks = pa.table({"task_index": list(range(number)), "task": list(self.tasks)}, _tasks_schema())
        with writing(self.root / "meta/tasks.parquet") as target:
            pq.write_table(tasks, target)
        with writing(self.root / "meta/episodes" / FILE.format(chunk_index=0, file_index=0)) as target:
            pq.write_table(pa.Table.from_pylist(self.episodes), target)
        stats = {k: {n: v.tolist() for n, v in s.items()} for k, s in of_all(self.statistics).items()}
        _write_json(self.root / "meta/stats.json", stats)
        _write_json(self.root / "meta/info.json", self._info(split))
        ours = {self.root / "data" / _file(n) for n in range(self._file + 1)}
        ours.add(self.root / "meta/episodes" / _file(0))
        for folder in ("data", "meta/episodes"):
            for path in (self.root / folder).glob("chunk-*/file-*.parquet"):
                if path not in ours:
                    path.unlink()

    # ----------------------------------------------------------------- rows

    def _columns(self, episode: Episode, found: Sequence[Frame], task: int) -> dict[str, list[Any]]:
        number = len(found)
        return {
            "action": [self.actions.setdefault(f.step.executed, len(self.actions)) for f in found],
            "instruction": [f.instruction for f in found],
            "intervention": [f.intervention for f in found],
            "excluded": [f.excluded for f in found],
            "text": ["\n".join(filter(None, (f.step.observation.status, f.step.observation.text))) for f in found],
            "next.reward": [f.step.reward for f in found],
            "next.done": [f.last for f in found],
            "next.success": [f.last and episode.success is True for f in found],
            "timestamp": [i / self.fps for i in range(number)],
            "frame_index": list(range(number)),
            "episode_index": [len(self.episodes)] * number,
            "index": list(range(self.frames, self.frames + number)),
            "task_index": [task] * number,
        }

    def _png(self, image: Image | None) -> bytes:
        """A picture of the dataset's size: a smaller one has black at its right and bottom."""
        assert self.size is not None
        if image is not None and (image.height, image.width) == self.size:
            return check_png(self.run.blobs.get(image.digest), image.digest, image)
        return encode_png(self._pixels(image))

    def _pixels(self, image: Image | None) -> NDArray[np.uint8]:
        assert self.size is not None
        whole = np.zeros((*self.size, 3), np.uint8)
        if image is not None:
            whole[: image.height, : image.width] = decode_png(self.run.blobs.get(image.digest), image.digest, image)
        return whole

    # ----------------------------------------------------------------- files

    def _write(self, table: Any) -> None:
        import pyarrow.parquet as pq

        if self._writer is None:  # until the end there is no dataset that could be loaded half
            (self.root / "meta/info.json").unlink(missing_ok=True)
        if self._writer is None or self._bytes + table.nbytes > LARGEST * 2**20:
            self.files.close()
            self._file, self._bytes = self._file + 1, 0
            path = self.files.enter_context(writing(self.root / "data" / _file(self._file)))
            self._writer = self.files.enter_context(pq.ParquetWriter(path, table.schema, compression="snappy"))
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self._bytes += table.nbytes

    def _schema(self) -> Any:
        import pyarrow as pa

        types = {"int64": pa.int64(), "float32": pa.float32(), "bool": pa.bool_(), "string": pa.string()}
        columns = [(name, types[kind]) for name, kind in KINDS.items()]
        features: Json = {name: {"dtype": kind, "_type": "Value"} for name, kind in KINDS.items()}
        if self.size is not None:
            columns.append((PICTURE, pa.struct([("bytes", pa.binary()), ("path", pa.string())])))
            features[PICTURE] = {"_type": "Image"}
        return pa.schema(columns, {"huggingface": json.dumps({"info": {"features": features}})})

    def _info(self, split: str) -> Json:
        features: Json = {name: {"dtype": kind, "shape": [1], "names": None} for name, kind in KINDS.items()}
        features["action"]["names"] = ["action"]
        features["action"]["info"] = {"vocabulary": list(self.actions)}
        if self.size is not None:
            shape = {"shape": [*self.size, 3], "names": ["height", "width", "channels"]}
            features = {PICTURE: {"dtype": "image", **shape}, **features}
        return {
            "codebase_version": VERSION,
            "robot_type": None,
            "total_episodes": len(self.episodes),
            "total_frames": self.frames,
            "total_tasks": len(self.tasks),
            "chunks_size": FILES,
            "data_files_size_in_mb": LARGEST,
            "video_files_size_in_mb": 500,
            "fps": self.fps,
            "splits": {split: f"0:{len(self.episodes)}"},
            "data_path": f"data/{FILE}",
            "video_path": None,
            "features": features,
        }


def _file(number: int) -> str:
    return FILE.format(chunk_index=number // FILES, file_index=number % FILES)


def _tasks_schema() -> Any:
    """The schema of `tasks.parquet`. Pandas takes the column `task` as the index of the table it makes."""
    import pyarrow as pa

    kinds = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
    columns = [
        {"name": k, "field_name": k, "pandas_type": p, "numpy_type": n, "metadata": None} for k, (p, n) in kinds.items()
    ]
    pandas = {"index_columns": ["task"], "column_indexes": [], "columns": columns, "pandas_version": "2.2.0"}
    return pa.schema([("task_index", pa.int64()), ("task", pa.string())], {"pandas": json.dumps(pandas)})


def _write_json(path: Path, value: Json) -> None:
    with writing(path) as target:
        target.write_text(json.dumps(value, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")

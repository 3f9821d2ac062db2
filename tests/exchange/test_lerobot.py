"""The format `lerobot`, read back by the steps in which LeRobot loads a dataset of layout v3.0 from a folder."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from embodied.blobs import put_frame
from embodied.errors import StoreError, UsageError
from embodied.exchange import EXPORTS, Export, Exported
from embodied.exchange.lerobot import writing
from embodied.exchange.lerobot.reading import read_lerobot
from embodied.exchange.lerobot.statistics import of_all, of_numbers, of_pictures
from embodied.store.amendments import amend, corrections_of
from embodied.store.run import Run
from embodied.types import Correction, Decision, Observation, Takeover
from tests.eval.runs import MISSION, ended, make_run, spec, step
from tests.exchange.test_formats import add

pa_dataset = pytest.importorskip("pyarrow.dataset")
pq = pytest.importorskip("pyarrow.parquet")

DTYPES = {"int64": "int64", "float32": "float", "bool": "bool", "string": "string"}


class Read:
    """A dataset, loaded as `LeRobotDatasetMetadata` and `DatasetReader` of huggingface/lerobot load one."""

    def __init__(self, root: Path):
        self.info = json.loads((root / "meta/info.json").read_text())
        assert self.info["codebase_version"] == "v3.0"
        assert not any("/" in name for name in self.info["features"])
        assert all({"dtype", "shape", "names"} <= set(f) for f in self.info["features"].values())
        table = pq.read_table(root / "meta/tasks.parquet").to_pydict()
        self.tasks = dict(zip(table["task"], table["task_index"], strict=True))
        paths = sorted((root / "meta/episodes").glob("*/*.parquet"))
        rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
        self.episodes = sorted(rows, key=lambda row: row["episode_index"])
        self.stats = json.loads((root / "meta/stats.json").read_text())
        frames = pa_dataset.dataset(sorted(map(str, (root / "data").glob("*/*.parquet")))).to_table()
        assert set(frames.column_names) == set(self.info["features"])
        for name, feature in self.info["features"].items():
            if feature["dtype"] != "image":
                assert str(frames.schema.field(name).type) == DTYPES[feature["dtype"]] and feature["shape"] == [1]
        self.frames = frames.to_pylist()
        for number, episode in enumerate(self.episodes):
            path = self.info["data_path"].format(
                chunk_index=episode["data/chunk_index"], file_index=episode["data/file_index"]
            )
            first, end = episode["dataset_from_index"], episode["dataset_to_index"]
            mine = self.frames[first:end]
            assert (root / path).is_file() and episode["episode_index"] == number
            assert {f["episode_index"] for f in mine} == {number} and len(mine) == episode["length"]
            assert number in pq.read_table(root / path, columns=["episode_index"]).column(0).to_pylist()
            assert [f["frame_index"] for f in mine] == list(range(len(mine)))
            assert all(f["timestamp"] == pytest.approx(i / self.info["fps"]) for i, f in enumerate(mine))
            tasks = {task for task, index in self.tasks.items() if index in {f["task_index"] for f in mine}}
            assert set(episode["tasks"]) == tasks
        assert [f["index"] for f in self.frames] == list(range(self.info["total_frames"]))
        assert len(self.episodes) == self.info["total_episodes"] and len(self.tasks) == self.info["total_tasks"]

    def column(self, name: str) -> list:
        return [frame[name] for frame in self.frames]

    def picture(self, index: int) -> np.ndarray:
        return np.asarray(Pillow.open(io.BytesIO(self.frames[index]["observation.image"]["bytes"])))


def export(run: Run, out: Path, **options) -> Exported:
    ids = tuple(e.spec.id for e in run.episodes())
    return EXPORTS.get("lerobot")(Export(run, ids, "lerobot", out, **options))


@pytest.fixture
def run(tmp_path) -> Run:
    """Two episodes with pictures: one with a correction that counts for two steps and a takeover; one alone, with
    smaller pictures.
    """
    run = make_run(tmp_path / "run", {}, config={"run": {"split": "train"}})
    seen = [
        Observation(f"room {i}", image=put_frame(run.blobs, np.full((8, 6, 3), 60 * i, np.uint8)), step=i)
        for i in range(5)
    ]
    words = Correction(text="wait!", how="typed", by="person 1", id="1-c1", opened=1, applied=1, lasts=2)
    over = Correction(
        text="wait!", how="typed", by="person 1", id="1-c1", opened=1, applied=1, ended=2, lasts=2, status="committed"
    )
    steps = [
        step(0, "go", observation=seen[0], calls=()),
        replace(step(1, "wait", observation=seen[1], calls=(), reward=0.5), events=(words,)),
        replace(step(2, "wait", observation=seen[2], calls=()), events=(over,)),
        replace(
            step(3, "go", observation=seen[3], calls=()),
            events=(Takeover(by="person 1", action="go", superseded=Decision("wait")),),
        ),
        step(4, "go", observation=seen[4], calls=(), last=True),
    ]
    run = add(run, ended(spec("a", "t", 5, 0), 1.0, steps=5, mission=MISSION, last=seen[0]), steps)
    small = Observation("hall", image=put_frame(run.blobs, np.full((4, 6, 3), 255, np.uint8)), step=0)
    other = replace(MISSION, goal="find the hall")
    return add(
        run,
        ended(spec("a", "t", 6, 1), 0.0, steps=1, mission=other, last=small),
        [step(0, "wait", observation=small, calls=(), last=True)],
    )


def test_frames_say_what_was_seen_done_and_said(run, tmp_path):
    written = export(run, tmp_path)
    read = Read(tmp_path / "lerobot")
    assert read.info["features"]["action"]["info"]["vocabulary"] == ["go", "wait"]
    assert read.column("action") == [0, 1, 1, 0, 0, 1]
    told, goal = "reach the goal\nwait!", "reach the goal"
    assert read.column("instruction") == [goal, told, told, goal, goal, "find the hall"]
    assert read.column("intervention") == [False, True, True, True, False, False]
    assert read.column("next.reward") == [0, 0.5, 0, 0, 0, 0]
    assert read.column("next.done") == [False, False, False, False, True, True]
    assert read.column("next.success") == [False, False, False, False, True, False]
    assert read.column("text") == [*(f"room {i}" for i in range(5)), "hall"]
    assert read.tasks == {"reach the goal": 0, "find the hall": 1} and read.info["splits"] == {"train": "0:2"}
    assert written.notes == ["2 episodes, 6 frames, 3 of them interventions."]


def test_pictures_have_one_size_and_keep_their_bytes(run, tmp_path):
    export(run, tmp_path)
    read = Read(tmp_path / "lerobot")
    assert read.info["features"]["observation.image"]["shape"] == [8, 6, 3]
    first = next(run.steps(run.record.planned[0].id)).observation.image
    assert read.frames[0]["observation.image"]["bytes"] == run.blobs.get(first.digest)
    assert [read.picture(i).shape for i in range(6)] == [(8, 6, 3)] * 6
    assert read.picture(5)[:4].min() == 255 and read.picture(5)[4:].max() == 0


def test_statistics_are_those_of_the_frames(run, tmp_path):
    export(run, tmp_path)
    read = Read(tmp_path / "lerobot")
    for name in ("action", "next.reward", "timestamp", "intervention"):
        values, found = np.asarray(read.column(name), float), read.stats[name]
        expected = [values.min(), values.max(), values.mean(), values.std(), len(values)]
        assert [found[k][0] for k in ("min", "max", "mean", "std", "count")] == pytest.approx(expected)
        assert read.episodes[0][f"stats/{name}/count"] == [5]
    pixels = np.stack([read.picture(i) for i in range(6)]) / 255
    found = read.stats["observation.image"]
    assert np.shape(found["mean"]) == (3, 1, 1) and found["count"] == [6]
    assert np.ravel(found["mean"]) == pytest.approx(pixels.mean((0, 1, 2)))
    assert np.ravel(found["std"]) == pytest.approx(pixels.std((0, 1, 2)))


def test_statistics_of_parts_are_those_of_the_whole():
    rng = np.random.default_rng(0)
    values = [list(rng.normal(size=n)) for n in (1, 7, 30)]
    pictures = [rng.integers(0, 256, (n, 4, 5, 3)).astype(np.uint8) for n in (1, 7, 30)]
    parts = [{"a": of_numbers(v), "b": of_pictures(p)} for v, p in zip(values, pictures, strict=True)]
    whole = {"a": of_numbers(np.concatenate(values)), "b": of_pictures(np.concatenate(pictures))}
    for feature, found in of_all(parts).items():
        for name, value in found.items():
            assert value == pytest.approx(whole[feature][name]) and value.shape == whole[feature][name].shape


def test_excluded_words_are_left_out_and_marked(run, tmp_path):
    id_ = run.record.planned[0].id
    amend(run, id_, "1-c1", excluded=True, by="anna")
    amend(run, id_, "3-takeover", excluded=True, by="anna")
    export(run, tmp_path)
    read = Read(tmp_path / "lerobot")
    assert read.column("instruction")[:5] == ["reach the goal"] * 5
    assert read.column("excluded") == [False, True, True, True, False, False]
    assert read.column("intervention") == [False, True, True, True, False, False], "a person did act"
    amend(run, id_, "1-c1", excluded=False, text="wait here", by="anna")
    export(run, tmp_path)
    assert Read(tmp_path / "lerobot").column("instruction")[1] == "reach the goal\nwait here"


def test_large_datasets_have_several_files_and_old_ones_go(run, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "LARGEST", 0)
    export(run, tmp_path)
    assert len(list((tmp_path / "lerobot/data").glob("*/*.parquet"))) == 2
    assert [e["data/file_index"] for e in Read(tmp_path / "lerobot").episodes] == [0, 1]
    monkeypatch.undo()
    export(run, tmp_path, success=True)
    read = Read(tmp_path / "lerobot")
    assert len(list((tmp_path / "lerobot/data").glob("*/*.parquet"))) == 1 and len(read.frames) == 5


def test_text_worlds_have_no_pictures_and_their_commands_as_names(tmp_path):
    run = make_run(tmp_path / "run", {})
    mission = replace(MISSION, free_text=True)
    steps = [step(0, "open the door"), step(1, "go north"), step(2, "open the door", last=True)]
    run = add(run, ended(spec("a", "t", 5, 0), 1.0, steps=3, mission=mission), steps)
    written = export(run, tmp_path)
    read = Read(tmp_path / "lerobot")
    assert "observation.image" not in read.info["features"] and read.column("action") == [0, 1, 0]
    assert read.info["features"]["action"]["info"]["vocabulary"] == ["open the door", "go north"]
    assert "train no agent on them" in written.notes[-1] and read.info["splits"] == {"test": "0:1"}


def test_pictures_that_lie_about_their_size_are_refused(run, tmp_path):
    path = run.folder(run.record.planned[0].id) / "steps.jsonl"
    good = path.read_text()
    for lie, sentence in (("900000", "claim"), ("9", "its record says")):
        path.write_text(good.replace('"width":6,', f'"width":{lie},').replace('"height":8', f'"height":{lie}'))
        with pytest.raises(StoreError, match=sentence):
            export(run, tmp_path / "out")
        assert not list((tmp_path / "out").rglob("*.parquet*"))


def test_without_steps_there_is_one_sentence(tmp_path):
    run = make_run(tmp_path / "run", {("a", "lost"): [None]})
    with pytest.raises(UsageError, match="has steps that can be read"):
        export(run, tmp_path / "out")


def test_the_libraries_that_lerobot_uses_read_it(run, tmp_path):
    """Runs where pandas (and datasets) are installed."""
    pandas = pytest.importorskip("pandas")
    export(run, tmp_path)
    tasks = pandas.read_parquet(tmp_path / "lerobot/meta/tasks.parquet")
    assert tasks.loc["find the hall"].task_index == 1 and tasks.iloc[0].name == "reach the goal"
    datasets = pytest.importorskip("datasets")
    info = json.loads((tmp_path / "lerobot/meta/info.json").read_text())
    features = {
        name: datasets.Image() if f["dtype"] == "image" else datasets.Value(f["dtype"])
        for name, f in info["features"].items()
    }
    paths = sorted(map(str, (tmp_path / "lerobot/data").glob("*/*.parquet")))
    read = datasets.Dataset.from_parquet(paths, features=datasets.Features(features), cache_dir=str(tmp_path / "cache"))
    assert read[3]["observation.image"].size == (6, 8) and read[1]["instruction"] == "reach the goal\nwait!"


def test_lerobot_reads_it(run, tmp_path):
    """Runs where lerobot is installed; it was read with 0.4.4."""
    lerobot = pytest.importorskip("lerobot.datasets.lerobot_dataset")
    export(run, tmp_path)
    read = lerobot.LeRobotDataset("any/name", root=tmp_path / "lerobot", delta_timestamps={"action": [0, 0.25]})
    assert (len(read), read.num_episodes, read.meta.camera_keys) == (6, 2, ["observation.image"])
    assert tuple(read[0]["observation.image"].shape) == (3, 8, 6) and read[5]["task"] == "find the hall"
    assert read[1]["action"].tolist() == [1, 1] and read[1]["intervention"].item()


def edited(root: Path, **columns: dict[int, object]) -> None:
    """Changes cells of a dataset: column -> row -> value."""
    path = next((root / "data").glob("*/*.parquet"))
    table = pq.read_table(path)
    rows = table.to_pylist()
    for name, cells in columns.items():
        for row, value in cells.items():
            rows[row][name] = value
    pq.write_table(type(table).from_pylist(rows, table.schema), path)


def test_an_edited_dataset_comes_back(run, tmp_path):
    export(run, tmp_path)
    root, goal = tmp_path / "lerobot", "reach the goal"
    same = read_lerobot(run, root, "anna")
    assert (same.edited, same.excluded, same.unchanged, same.problems) == (0, 0, 2, [])
    edited(root, instruction={1: f"{goal}\nwait, please", 2: f"{goal}\nwait, please"}, excluded={3: True})
    done = read_lerobot(Run(run.root), root, "anna")
    assert (done.edited, done.excluded, done.problems) == (1, 1, [])
    now = {one.id: (one.text, one.excluded, one.by) for one in corrections_of(Run(run.root))}
    assert now == {"1-c1": ("wait, please", False, "anna"), "3-takeover": ("", True, "anna")}
    export(Run(run.root), tmp_path)
    assert read_lerobot(Run(run.root), root, "anna").unchanged == 2, "what was changed is exported, and comes back"


def test_a_dataset_that_contradicts_itself_changes_nothing(run, tmp_path):
    export(run, tmp_path)
    edited(tmp_path / "lerobot", instruction={1: "reach the goal\nwait, please"})
    done = read_lerobot(run, tmp_path / "lerobot", "anna")
    assert done.edited == 0 and "different values of `instruction`" in done.problems[0]
    with pytest.raises(StoreError, match="holds no Parquet files"):
        read_lerobot(run, tmp_path, "anna")
    (next((tmp_path / "lerobot/data").glob("*/*.parquet"))).write_bytes(b"PAR1")
    with pytest.raises(StoreError, match="Cannot read"):
        read_lerobot(run, tmp_path / "lerobot", "anna")

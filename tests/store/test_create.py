"""A new run folder: made whole, by one of the processes that start in it, and taken over where a start broke off."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from embodied.errors import StoreError
from embodied.store.run import Run, RunRecord
from tests.rollout.playing import TASK, plan

PROCESSES, ROUNDS = 8, 10


def record(episodes: int = 1) -> RunRecord:
    return RunRecord("one", {"task": TASK.task}, plan([(TASK, episodes)], 7, "one"))


def _start(root: Path, number: int, gate, said) -> None:
    """Starts in every round's folder at the same moment as the others, each with another number of episodes."""
    for round_ in range(ROUNDS):
        gate.wait()
        try:
            Run.create(root / f"round-{round_}", record(number + 1))
            said.put("")
        except StoreError as error:
            said.put(str(error))


def test_processes_that_start_in_one_new_folder_all_get_the_run(tmp_path):
    context = multiprocessing.get_context("fork")
    gate, said = context.Barrier(PROCESSES), context.Queue()
    started = [context.Process(target=_start, args=(tmp_path, n, gate, said)) for n in range(PROCESSES)]
    for process in started:
        process.start()
    refused = [error for _ in range(PROCESSES * ROUNDS) if (error := said.get(timeout=60))]
    for process in started:
        process.join(60)
    assert not refused
    for round_ in range(ROUNDS):
        run = Run(tmp_path / f"round-{round_}")
        assert {spec.id for spec in run.record.planned} == {spec.id for spec in record(PROCESSES).planned}, (
            "nobody's episodes are lost"
        )
        assert sorted(path.name for path in run.root.iterdir()) == ["episodes", "run.json"]


@pytest.mark.parametrize("left", [(), ("episodes/",), ("run.json.4711.tmp",), ("episodes/", "run.json.ab12cd34.tmp")])
def test_what_a_broken_off_start_left_is_taken_over(tmp_path, left):
    for name in left:
        (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).write_bytes(b'{"identi')
    assert Run.create(tmp_path, record()).record == record()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["episodes", "run.json"]


@pytest.mark.parametrize("strange", ["notes.txt", "episodes/mine.txt", ".git/config", "run.json.bak"])
def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path, strange):
    (tmp_path / strange).parent.mkdir(exist_ok=True)
    (tmp_path / strange).write_text("mine")
    with pytest.raises(StoreError, match="is not empty"):
        Run.create(tmp_path, record())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / strange]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        Run.create(tmp_path / "file", record())
    with pytest.raises(StoreError, match="Cannot write the run folder"):
        Run.create(tmp_path / "file/run", record())


def test_others_may_read_what_was_written(tmp_path):
    run = Run.create(tmp_path / "run", record())
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((run.root / "run.json").stat().st_mode) == 0o666 & ~mask

"""What was added to a memory that is being built is never lost, and a torn line is repaired and said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from embodied.agents.memory.building import Building
from embodied.agents.memory.embedding import embedding
from embodied.agents.memory.store import write_memories
from embodied.errors import StoreError, UsageError
from tests.agents.memory.examples import example, many

ADDING = """
import sys
from pathlib import Path
from embodied.agents.memory.building import Building
from tests.agents.memory.examples import many
with Building(Path(sys.argv[1])) as built:
    for memory in many(int(sys.argv[2])):
        built.add([memory])
        print(memory.id, flush=True)
"""


def test_records_come_back_in_one_order_and_the_later_of_an_id_holds(tmp_path: Path):
    memories = many(40)
    with Building(tmp_path / "m") as built:
        built.add(memories[:20])
        built.add([msgspec.structs.replace(memories[3], status="quarantined")])
        before = built.records
    with Building(tmp_path / "m") as built:
        assert built.records == before and not built.mended
        assert {m.status for m in built.records if m.id == memories[3].id} == {"quarantined"}
        assert [(m.env, m.task, m.id) for m in before] == sorted((m.env, m.task, m.id) for m in memories[:20])


def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path):
    child = subprocess.Popen([sys.executable, "-c", ADDING, tmp_path / "m", "5000"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().strip() for _ in range(100)]
    os.kill(child.pid, signal.SIGKILL)
    acknowledged += [line.strip() for line in child.stdout if line.endswith("\n")]
    child.stdout.close()
    child.wait()
    with Building(tmp_path / "m") as built:
        kept = [memory.id for memory in built.records]
    assert 100 <= len(acknowledged) < 5000
    assert not set(acknowledged) - set(kept)
    assert len(kept) <= len(acknowledged) + 1


@pytest.mark.parametrize("cut", [1, 2, 40, 100])
def test_a_torn_line_is_cut_off_and_said(tmp_path: Path, cut: int):
    memories = many(3)
    with Building(tmp_path / "m") as built:
        built.add(memories)
    file = tmp_path / "m/memories.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])
    with Building(tmp_path / "m") as built:
        assert {m.id for m in built.records} == {m.id for m in memories[:2]}
        assert "a kill tore the last line" in built.mended
        built.add(memories[2:])
    with Building(tmp_path / "m") as built:
        assert {m.id for m in built.records} == {m.id for m in memories} and not built.mended


def test_a_damaged_line_in_the_middle_is_a_sentence(tmp_path: Path):
    with Building(tmp_path / "m") as built:
        built.add(many(3))
    file = tmp_path / "m/memories.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + b"{}\n" + lines[2])
    with pytest.raises(StoreError, match=r"memories.jsonl, line 2 is damaged"):
        Building(tmp_path / "m")


def test_of_a_bad_batch_nothing_is_added(tmp_path: Path):
    with Building(tmp_path / "m") as built:
        with pytest.raises(StoreError, match="goal"):
            built.add([example(), example(goal="x" * 100_000)])
        assert built.records == () and built.path.read_bytes() == b""


def test_one_process_at_a_time(tmp_path: Path):
    with Building(tmp_path / "m") as built:
        with pytest.raises(StoreError, match="open in another process"):
            Building(tmp_path / "m")
        built.close()
        with Building(tmp_path / "m"), pytest.raises(StoreError, match="was closed"):
            built.add([example()])


def test_a_finished_memory_and_a_link_are_refused(tmp_path: Path):
    write_memories(tmp_path / "done", many(2), embedding())
    with pytest.raises(UsageError, match="never changes"):
        Building(tmp_path / "done")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/memories.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="symbolic link"):
        Building(tmp_path / "linked")
    assert not (tmp_path / "elsewhere").exists()

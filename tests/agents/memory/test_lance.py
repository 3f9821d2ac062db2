"""LanceDB ranks as NumPy does. Skipped where it is not installed (`requirements/lancedb.txt`)."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from embodied.agents.memory.embedding import Query, embedding
from embodied.agents.memory.lance import LanceBackend
from embodied.agents.memory.retrieval import Retrieval
from embodied.agents.memory.store import write_memories
from embodied.errors import MissingExtra, StoreError, UsageError
from tests.agents.memory.examples import example, many
from tests.agents.memory.ranking import draw
from tests.agents.memory.test_store import OTHER

MISSING = """
import sys
sys.modules["lancedb"] = None
from pathlib import Path
from embodied.agents.memory.embedding import embedding
from embodied.agents.memory.lance import LanceBackend
LanceBackend.open(Path(sys.argv[1]), embedding(), write=True)
"""


def test_where_it_is_missing_the_sentence_names_the_command(tmp_path: Path):
    done = subprocess.run([sys.executable, "-c", MISSING, tmp_path], capture_output=True, text=True, check=False)
    assert "Install it with: pip install lancedb==" in done.stderr.splitlines()[-1]
    assert issubclass(LanceBackend.open.__globals__["NoLanceDB"], MissingExtra)


@pytest.fixture
def installed() -> None:
    pytest.importorskip("lancedb")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("seed", range(25))
def test_the_ranking_is_that_of_numpy(tmp_path: Path, seed: int):
    drawn = draw(seed)
    memories = write_memories(tmp_path / "m", drawn.records, embedding())
    with LanceBackend.open(tmp_path / "lance", memories.embedding, write=True) as lance:
        half = len(memories.records) // 2
        for part in (slice(0, half), slice(half, None)):
            lance.add(memories.records[part], {facet: matrix[part] for facet, matrix in memories.vectors.items()})
        if seed % 2:
            lance.index()
        for query, how in drawn.asked:
            for control in ("", "random", "shuffled"):
                setting = dataclasses.replace(how, control=control, seed=seed)
                assert memories.search(query, setting, lance) == memories.search(query, setting)


@pytest.mark.usefixtures("installed")
def test_with_an_index_and_all_its_partitions_nothing_is_missed(tmp_path: Path):
    memories = write_memories(tmp_path / "m", many(4000, seed=1), embedding())
    query = Query("babyai", "go to the red ball", observation="a grey key 3 steps forward")
    with LanceBackend.open(tmp_path / "lance", memories.embedding, write=True) as lance:
        lance.add(memories.records, memories.vectors)
        lance.index()
    with LanceBackend.open(tmp_path / "lance", memories.embedding, probes=1000) as lance:
        assert memories.search(query, None, lance) == memories.search(query)


@pytest.mark.usefixtures("installed")
def test_a_record_replaces_the_one_with_its_id_and_stays_after_closing(tmp_path: Path):
    made = embedding()
    first = example(goal="it's \x1b[2J a 'quoted' goal; DROP TABLE memories")
    retired = msgspec.structs.replace(first, status="retired")
    vectors = made.of_memories([first])
    memories = write_memories(tmp_path / "m", [first], made)
    with LanceBackend.open(tmp_path / "lance", made, write=True) as lance:
        lance.add([first], vectors)
        lance.add([retired], vectors)
    with LanceBackend.open(tmp_path / "lance", made) as lance:
        assert memories.search(Query("babyai", "quoted"), None, lance) == []
        found = memories.search(Query("babyai", "quoted"), Retrieval(statuses=("retired",)), lance)
        assert [hit.memory for hit in found] == [retired]
        assert memories.search(Query("baby' OR 'a'='a", "quoted"), Retrieval(statuses=("retired",)), lance) == []
        with pytest.raises(UsageError, match="opened to read"):
            lance.add([first], vectors)


@pytest.mark.usefixtures("installed")
def test_one_writer_its_own_embedding_and_a_folder_of_its_own(tmp_path: Path):
    with pytest.raises(UsageError, match="holds no table"):
        LanceBackend.open(tmp_path / "lance", embedding())
    with (
        LanceBackend.open(tmp_path / "lance", embedding(), write=True),
        pytest.raises(StoreError, match="Another process writes"),
    ):
        LanceBackend.open(tmp_path / "lance", embedding(), write=True)
    with pytest.raises(StoreError, match="another embedding"):
        LanceBackend.open(tmp_path / "lance", OTHER)


@pytest.mark.usefixtures("installed")
def test_a_damaged_table_is_a_sentence(tmp_path: Path):
    with LanceBackend.open(tmp_path / "lance", embedding(), write=True) as lance:
        lance.add([example()], embedding().of_memories([example()]))
    for path in (tmp_path / "lance").rglob("*.manifest"):
        path.write_bytes(b"nothing")
    with pytest.raises(StoreError, match="LanceDB cannot read"):
        LanceBackend.open(tmp_path / "lance", embedding())

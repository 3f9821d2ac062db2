"""Records survive the disk; damage is named."""

from __future__ import annotations

import pytest

from embodied.errors import StoreError
from embodied.store.blobs import FileBlobs
from embodied.store.codec import decode, encode
from embodied.types import Call, Decision, Image, Message, Observation, Reply, Text, Usage


def test_round_trip():
    decision = Decision(
        "go",
        calls=(
            Call(
                (Message("user", (Text("héllo\u0000"), Image("ab" * 32, 3, 4))),),
                Reply("go", usage=Usage(1, 2), logprobs=(-0.5,), token_ids=(1,)),
            ),
        ),
    )
    assert decode(encode(decision), Decision, "x") == decision


def test_lone_surrogates_are_replaced_not_fatal():
    assert decode(encode(Observation("a\udc80b")), Observation, "x").text == "a\ufffdb"


def test_damage_is_named():
    with pytest.raises(StoreError, match=r"steps\.jsonl"):
        decode(b'{"text": 3}', Observation, "steps.jsonl")


def test_blobs_are_stored_once_and_checked(tmp_path):
    blobs = FileBlobs(tmp_path)
    digest = blobs.put(b"pixels")
    assert blobs.put(b"pixels") == digest and FileBlobs(tmp_path).get(digest) == b"pixels"
    path = next(p for p in tmp_path.rglob("*") if p.is_file())
    path.write_bytes(b"other")
    with pytest.raises(StoreError, match="damaged"):
        blobs.get(digest)
    with pytest.raises(StoreError, match="missing"):
        blobs.get("0" * 64)

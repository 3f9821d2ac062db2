"""A memory is text from strangers: what is too long, out of range or of a later format is refused in a sentence."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from embodied.agents.memory.record import (
    LONGEST_LINE,
    LONGEST_TEXT,
    MOST_ACTIONS,
    Memory,
    Provenance,
    Stats,
    checked,
    decode_memory,
    new_id,
)
from embodied.blobs import MemoryBlobs
from embodied.errors import StoreError
from embodied.store.codec import encode
from tests.agents.memory.examples import example, full


def test_a_record_is_read_as_it_was_written():
    memory = full(MemoryBlobs())
    assert decode_memory(encode(memory), "here") == memory
    assert set(json.loads(encode(memory))) == set(Memory.__struct_fields__) - {"format"}


def test_what_stands_at_its_default_is_not_written():
    assert set(json.loads(encode(example(status="candidate", observation="", actions=())))) == {
        "id",
        "env",
        "task",
        "goal",
    }


def test_an_id_is_of_what_is_taught_not_of_its_use():
    memory = full(MemoryBlobs())
    assert new_id(msgspec.structs.replace(memory, stats=Stats(), status="retired")) == memory.id
    assert new_id(msgspec.structs.replace(memory, goal="another")) != memory.id


BAD: dict[str, dict[str, Any]] = {
    "goal": {"goal": "x" * (LONGEST_TEXT + 1)},
    "actions": {"actions": ["x"] * (MOST_ACTIONS + 1)},
    "actions[...]": {"actions": ["x" * (LONGEST_LINE + 1)]},
    "progress": {"outcome": {"progress": 1.5}},
    "stats": {"stats": {"retrieved": -1}},
    "status": {"status": "trusted"},
    "digest": {"pictures": [{"type": "image", "digest": "../../etc/passwd", "width": 1, "height": 1}]},
    "unknown field": {"run_this": "rm"},
    "not a memory's id": {"id": "../up"},
    "not an environment and a task": {"env": "baby\x1b[2Jai"},
    "not one short line": {"provenance": {"by": "a\nb"}},
    "out of range": {"provenance": {"seed": -1}},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_is_a_sentence(name: str):
    data = json.dumps(json.loads(encode(example())) | BAD[name]).encode()
    with pytest.raises(StoreError, match=r"^here is damaged: ") as caught:
        decode_memory(data, "here")
    message = str(caught.value)
    assert name.split("[")[0] in message or name in ("unknown field",)
    assert message.isprintable() and len(message) < 400


@pytest.mark.parametrize("data", [b"", b"nothing", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"id": 1e999}'])
def test_what_is_not_a_record_is_a_sentence(data: bytes):
    with pytest.raises(StoreError, match=r"^here is damaged: "):
        decode_memory(data, "here")


def test_a_later_format_names_the_upgrade():
    data = json.dumps(json.loads(encode(example())) | {"format": 2, "new_field": {}}).encode()
    with pytest.raises(StoreError, match=r"^here has format 2, .* upgrade it"):
        decode_memory(data, "here")


def test_a_new_record_that_could_not_be_read_again_is_refused():
    with pytest.raises(StoreError, match="goal"):
        checked(example(goal="x" * (LONGEST_TEXT + 1)))
    with pytest.raises(StoreError, match="not one short line"):
        checked(example(provenance=Provenance(by="\x07")))


def test_control_characters_and_lone_surrogates_in_texts_stay_data():
    memory = example(goal="go \x1b[31m to \ud800 the ball\u202e")
    assert checked(memory).goal == "go \x1b[31m to \ufffd the ball\u202e"

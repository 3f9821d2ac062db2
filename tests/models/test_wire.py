"""Messages on their way out, text on its way in."""

from __future__ import annotations

import pytest

from embodied.blobs import MemoryBlobs
from embodied.models.services.wire import alternate, chat, plain, split_system, split_thoughts, storable
from embodied.types import Image, Message, Text


def say(role: str, *texts: str) -> Message:
    return Message(role, tuple(Text(t) for t in texts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "thoughts", "answer"),
    [
        ("north", "", "north"),
        ("<think>\nhm\n</think>\n\nnorth", "hm", "north"),
        ("  <think></think> north ", "", "north"),
        ("hm, the door\n</think>north", "hm, the door", "north"),
        ("<thinking>hm</thinking>north", "hm", "north"),
        ("<think>and then it was cut", "and then it was cut", ""),
        ("I <think> so", "", "I <think> so"),
        ("", "", ""),
    ],
)
def test_thoughts_apart_from_the_answer(text: str, thoughts: str, answer: str) -> None:
    assert split_thoughts(text) == (thoughts, answer)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("plain", "plain"),
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d\ude00", "\U0001f600"),
        ("nul \x00 \u202e é", "nul \x00 \u202e é"),
    ],
)
def test_text_that_can_be_stored(text: str, stored: str) -> None:
    assert storable(text) == stored
    stored.encode("utf-8")


def test_turns_alternate_and_empty_ones_vanish() -> None:
    picture = Image("0" * 64, 1, 1)
    turns = alternate(
        [
            say("user", "a"),
            say("assistant", " "),
            say("user", "", "b"),
            Message("user", (picture,)),
            say("assistant", "c"),
        ]
    )
    assert turns == [Message("user", (Text("a"), Text("b"), picture)), say("assistant", "c")]


def test_system_parts_stand_apart() -> None:
    system, turns = split_system(
        [say("system", "rules"), say("system", "more"), say("user", "a"), say("assistant", "b"), say("system", "note")]
    )
    assert plain(system) == "rules\nmore"
    assert turns == [say("user", "a"), say("assistant", "b"), say("user", "note")]


def test_a_lone_system_message_becomes_the_turn() -> None:
    assert split_system([say("system", "do it")]) == ((), [say("user", "do it")])


def test_text_alone_is_sent_as_a_string() -> None:
    assert chat([say("user", "a", "b")], MemoryBlobs()) == [{"role": "user", "content": "a\nb"}]

"""The model without weights."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from embodied.blobs import MemoryBlobs
from embodied.errors import ModelRefused, UnknownName, UsageError
from embodied.models import Model, ModelConfig, build
from embodied.types import Message, Settings, Text, Usage

HELLO = [Message("user", (Text("hello there"),))]


def scripted(name: str = "cycle", script: object = ("north", "south")) -> Model:
    return build(ModelConfig("scripted", name, script=script), MemoryBlobs())


def echo(messages: Sequence[Message], settings: Settings) -> str:
    return f"<think>hm hm</think>{len(messages)} {settings.seed}"


async def test_a_list_goes_round() -> None:
    model = scripted()
    assert [(await model.generate(HELLO, Settings())).text for _ in range(5)] == [
        "north",
        "south",
        "north",
        "south",
        "north",
    ]


async def test_or_ends() -> None:
    model = scripted("once")
    assert [(await model.generate(HELLO, Settings())).text for _ in range(2)] == ["north", "south"]
    with pytest.raises(ModelRefused, match="all 2 replies are used up"):
        await model.generate(HELLO, Settings())


async def test_a_function_sees_prompt_and_settings() -> None:
    reply = await scripted(script=f"{__name__}:echo").generate(HELLO, Settings(seed=7))
    assert (reply.text, reply.reasoning) == ("1 7", "hm hm")
    assert reply.usage == Usage(input=2, output=4, reasoning=2)


@pytest.mark.parametrize("script", [None, [], [1], "no.such.module:f", f"{__name__}:HELLO", "nonsense"])
def test_a_script_that_is_none(script: object) -> None:
    with pytest.raises(UsageError, match="script"):
        scripted(script=script)


def test_unknown_mode() -> None:
    with pytest.raises(UnknownName, match="'cycle'"):
        scripted("cycel")

"""The OpenAI client against a real OpenAI-compatible server with a real model: llama.cpp's own, on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from embodied.blobs import MemoryBlobs
from embodied.errors import PromptRefused, PromptTooLong
from embodied.models import Model, ModelConfig, build
from embodied.types import Image, Message, Settings, Text

ASK = [Message("system", (Text("You are a helpful guide."),)), Message("user", (Text("Name three colours."),))]
SETTINGS = Settings(temperature=0, max_tokens=12, seed=1)


@pytest.fixture
async def model(llama_url: str, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Model]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    built = build(ModelConfig("openai", "smollm2", base_url=llama_url, timeout=120), blobs)
    yield built
    await built.aclose()


async def test_answers(model: Model) -> None:
    reply = await model.generate(ASK, SETTINGS)
    assert reply.text.isprintable() and len(reply.text.split()) > 3
    assert (reply.stop, reply.usage.output, reply.attempts, reply.model) == ("length", 12, 1, "smollm2")
    assert reply.usage.input > 20  # the chat template's own tokens included


async def test_the_same_question_gets_the_same_answer(model: Model) -> None:
    first, second = [await model.generate(ASK, SETTINGS) for _ in range(2)]
    assert first.text == second.text


async def test_stop_strings(model: Model) -> None:
    reply = await model.generate(
        [Message("user", (Text("Count from one to ten in digits: 1, 2, 3,"),))],
        Settings(temperature=0, max_tokens=40, stop=(" ",)),
    )
    assert " " not in reply.text and reply.stop == "stop"


async def test_images_that_the_server_cannot_read(model: Model, picture: Image) -> None:
    with pytest.raises(PromptRefused, match="image input is not supported"):
        await model.generate([Message("user", (Text("look"), picture))], SETTINGS)


async def test_a_prompt_beyond_its_context(model: Model) -> None:
    with pytest.raises(PromptTooLong, match="exceeds the available context size"):
        await model.generate([Message("user", (Text("word " * 5000),))], SETTINGS)

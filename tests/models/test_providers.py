"""The three API providers against a server that checks their wire format and misbehaves."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from embodied.blobs import MemoryBlobs
from embodied.errors import (
    ModelAbsent,
    ModelBusy,
    ModelErred,
    ModelFailure,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    PromptRefused,
    PromptTooLong,
)
from embodied.models import MODELS, Model, ModelConfig
from embodied.models.services.wire import MAX_TEXT
from embodied.types import Image, Message, Settings, Text, Usage
from tests.servers import Stub

PROVIDERS = {"openai": "/v1", "anthropic": "", "google": ""}
"""Provider -> what its base URL ends in."""

HELLO = [Message("user", (Text("hello there"),))]

Open = Callable[..., AsyncIterator[Model]]


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def opened(keys: str, blobs: MemoryBlobs, stub: Stub) -> Open:
    """Opens the provider's model, without the retry layer, on the stub with a fault."""

    @asynccontextmanager
    async def open_(
        provider: str, fault: str = "ok", name: str = "some-model", **config: object
    ) -> AsyncIterator[Model]:
        model = MODELS.get(provider)(
            ModelConfig(provider, name, base_url=f"{stub.url}/fault/{fault}{PROVIDERS[provider]}", **config), blobs
        )
        yield model
        await model.aclose()
        await model.aclose()  # a second time does nothing

    return open_


async def test_a_conversation_with_images(
    provider: str, opened: Open, stub: Stub, keys: str, picture: Image, other_picture: Image
) -> None:
    messages = [
        Message("system", (Text("Play."),)),
        Message("user", (Text("first"), picture)),
        Message("assistant", (Text("north"),)),
        Message("user", (other_picture, Text("then"), picture)),
        Message("assistant", (Text(""),)),  # an empty reply of the past
        Message("user", (Text("odd \ud800 text"),)),
    ]
    async with opened(provider) as model:
        reply = await model.generate(messages, Settings(max_tokens=50))
    (seen,) = stub.seen
    turns = [
        ("user", ["first", f"image:{picture.digest}"]),
        ("model" if provider == "google" else "assistant", ["north"]),
        ("user", [f"image:{other_picture.digest}", "then", f"image:{picture.digest}", "odd \ufffd text"]),
    ]
    assert seen.turns == ([("system", ["Play."]), *turns] if provider == "openai" else turns)
    assert seen.system == ("" if provider == "openai" else "Play.")
    assert (seen.model, seen.key) == ("some-model", keys)
    assert (reply.text, reply.stop, reply.model) == ("north", "stop", "some-model")
    assert reply.usage == Usage(input=seen.words + 5 * (provider == "anthropic"), output=7, reasoning=5, cached=2)
    assert model.name == f"{provider}/some-model"


async def test_a_correction_behind_an_observation_is_sent_in_the_same_turn(
    provider: str, opened: Open, stub: Stub, picture: Image
) -> None:
    """Not every server takes two messages of the user in a row."""
    words = "\nA person who watches you says: left"
    messages = [
        Message("user", (Text("Play."),)),
        Message("assistant", (Text("north"),)),
        Message("user", (Text("a wall"), picture)),
        Message("user", (Text(words),)),
    ]
    async with opened(provider) as model:
        await model.generate(messages, Settings())
    assert stub.seen[0].turns == [
        ("user", ["Play."]),
        ("model" if provider == "google" else "assistant", ["north"]),
        ("user", ["a wall", f"image:{picture.digest}", words]),
    ]


async def test_settings_arrive(provider: str, opened: Open, stub: Stub) -> None:
    async with opened(provider) as model:
        await model.generate(HELLO, Settings(temperature=0.5, top_p=0.9, max_tokens=33, stop=("END",), seed=7))
    body = stub.seen[0].body
    expected = {
        "openai": {"temperature": 0.5, "top_p": 0.9, "max_tokens": 33, "stop": ["END"], "seed": 7},
        "anthropic": {"temperature": 0.5, "top_p": 0.9, "max_tokens": 33, "stop_sequences": ["END"]},
        "google": {"temperature": 0.5, "topP": 0.9, "maxOutputTokens": 33, "stopSequences": ["END"], "seed": 7},
    }[provider]
    sent = body["generationConfig"] if provider == "google" else body
    assert {k: sent.get(k) for k in expected} == expected


async def test_nothing_is_sent_that_was_not_set(provider: str, opened: Open, stub: Stub) -> None:
    async with opened(provider) as model:
        await model.generate(HELLO, Settings())
    allowed = {
        "openai": {"model", "messages"},
        "anthropic": {"model", "messages", "max_tokens"},
        "google": {"contents", "generationConfig"},
    }[provider]
    assert set(stub.seen[0].body) <= allowed


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        (
            "o3-mini",
            Settings(temperature=0.5, top_p=0.9, stop=("x",), max_tokens=9, reasoning_effort="low"),
            {"max_completion_tokens": 9, "reasoning_effort": "low"},
        ),
        ("gpt-5-mini-2025-08-07", Settings(max_tokens=9), {"max_completion_tokens": 9}),
    ],
)
async def test_openai_reasoning_models(opened: Open, stub: Stub, name: str, settings: Settings, expected: dict) -> None:
    async with opened("openai", name=name) as model:
        await model.generate(HELLO, settings)
    assert {k: v for k, v in stub.seen[0].body.items() if k not in ("model", "messages")} == expected


@pytest.mark.parametrize(
    ("which", "settings", "expected"),
    [
        (
            "anthropic",
            Settings(thinking_tokens=2048, temperature=0.5),
            {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 8192 + 2048},
        ),
        (
            "anthropic",
            Settings(reasoning_effort="minimal", max_tokens=99),
            {"output_config": {"effort": "low"}, "max_tokens": 99},
        ),
        (
            "google",
            Settings(thinking_tokens=512),
            {"generationConfig": {"thinkingConfig": {"include_thoughts": True, "thinking_budget": 512}}},
        ),
        (
            "google",
            Settings(reasoning_effort="low"),
            {"generationConfig": {"thinkingConfig": {"include_thoughts": True, "thinking_level": "LOW"}}},
        ),
    ],
)
async def test_thinking(opened: Open, stub: Stub, which: str, settings: Settings, expected: dict) -> None:
    async with opened(which) as model:
        reply = await model.generate(HELLO, settings)
    assert (reply.text, reply.reasoning) == ("north", "I think.")
    body = stub.seen[0].body
    assert {k: body.get(k) for k in expected} == expected


async def test_a_thinking_budget_above_the_limit(opened: Open) -> None:
    async with opened("anthropic") as model:
        with pytest.raises(ModelRefused, match="max_tokens=100 must be above thinking_tokens=2048"):
            await model.generate(HELLO, Settings(max_tokens=100, thinking_tokens=2048))


@pytest.mark.parametrize("fault", ["reasoning", "typed", "think"])
async def test_openai_thoughts_apart(opened: Open, fault: str) -> None:
    async with opened("openai", fault) as model:
        reply = await model.generate(HELLO, Settings())
    assert (reply.text, reply.reasoning) == ("north", "hm" if fault == "think" else "I think.")


@pytest.mark.parametrize(
    ("fault", "text", "stop"),
    [
        ("null", "", "stop"),
        ("cut", "north", "length"),
        ("filter", {"openai": "north"}, "content_filter"),
        ("odd", "a\ufffdb\x00c\U0001f600d\u202e", "stop"),
    ],
)
async def test_odd_but_usable_replies(provider: str, opened: Open, fault: str, text: str | dict, stop: str) -> None:
    if (provider, fault) == ("google", "filter"):
        async with opened(provider, fault) as model:
            with pytest.raises(PromptRefused, match=r"withheld its answer to this prompt \(SAFETY\)") as caught:
                await model.generate(HELLO, Settings())
        assert caught.value.why == "filtered"
        return
    async with opened(provider, fault) as model:
        reply = await model.generate(HELLO, Settings())
    assert (reply.text, reply.stop) == (text.get(provider, "") if isinstance(text, dict) else text, stop)
    reply.text.encode("utf-8")


async def test_a_refusal_is_a_reply(opened: Open) -> None:
    async with opened("openai", "refusal") as model:
        reply = await model.generate(HELLO, Settings())
    assert (reply.text, reply.stop) == ("I cannot.", "content_filter")


async def test_a_huge_reply_is_cut(provider: str, opened: Open) -> None:
    async with opened(provider, "huge@3000000") as model:
        assert len((await model.generate(HELLO, Settings())).text) == MAX_TEXT


DEEP = ("[" * 5000).encode().hex()


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        ("400", PromptRefused, "refused the request"),
        ("413", PromptTooLong, "too long"),
        ("402", ModelRefused, "must pay first"),
        ("422", PromptRefused, "refused the request"),
        ("401", ModelRefused, "rejected the key in [A-Z]+_API_KEY"),
        ("403", ModelRefused, "no access"),
        ("404", ModelRefused, "Check model.name and model.base_url"),
        ("429", ModelBusy, "limiting the rate"),
        ("500", ModelErred, "server error"),
        ("503", ModelUnavailable, "server error"),
        ("529", ModelBusy, "is overloaded"),
        ("drop", ModelUnavailable, "connection to .* failed"),
        ("reset", ModelUnavailable, "connection to .* failed"),
        ("html", ModelErred, "not an answer of this API"),
        ("binary", ModelErred, "not an answer of this API"),
        ("blank", ModelErred, "sent an"),
        (f"bytes@{b'[]'.hex()}", ModelErred, "sent"),
        (f"bytes@{DEEP}", ModelErred, "not an answer of this API"),
        ("hang", ModelTimeout, "no complete answer within 0.4 s"),
        ("trickle", ModelTimeout, "no complete answer within 0.4 s"),
    ],
)
async def test_failures(
    provider: str, opened: Open, keys: str, fault: str, kind: type[ModelFailure], says: str
) -> None:
    async with opened(provider, fault, timeout=0.4) as model:
        with pytest.raises(ModelFailure, match=says) as caught:
            await model.generate(HELLO, Settings())
    assert type(caught.value) is kind
    assert keys not in str(caught.value) and len(str(caught.value)) < 20_000


async def test_retry_after_is_kept(provider: str, opened: Open) -> None:
    async with opened(provider, "429@7") as model:
        with pytest.raises(ModelUnavailable) as caught:
            await model.generate(HELLO, Settings())
    assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    ("which", "fault"),
    [("openai", "nothing"), ("google", "nothing"), ("openai", "upstream"), ("anthropic", "upstream")],
)
async def test_answers_without_an_answer(opened: Open, which: str, fault: str) -> None:
    async with opened(which, fault) as model:
        with pytest.raises(ModelUnavailable):
            await model.generate(HELLO, Settings())


async def test_no_quota_is_final(opened: Open) -> None:
    async with opened("openai", "quota") as model:
        with pytest.raises(ModelRefused, match="no quota left"):
            await model.generate(HELLO, Settings())


async def test_unreachable(provider: str, keys: str, blobs: MemoryBlobs) -> None:
    model = MODELS.get(provider)(ModelConfig(provider, "x", base_url="http://127.0.0.1:9/v1"), blobs)
    with pytest.raises(
        ModelAbsent,
        match=(
            r"connection to http://127\.0\.0\.1:9/v1 failed: nothing listens on 127\.0\.0\.1:9; is the server running\?"
        ),
    ):
        await model.generate(HELLO, Settings())
    await model.aclose()


async def test_a_server_that_takes_no_connection(
    provider: str, keys: str, blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listening socket whose queue is full: packets to it are dropped, as by a firewall."""
    monkeypatch.setattr("embodied.models.services.endpoint._CONNECT", 0.2)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        model = MODELS.get(provider)(
            ModelConfig(provider, "x", base_url=f"http://127.0.0.1:{server.getsockname()[1]}/v1", timeout=20), blobs
        )
        with pytest.raises(ModelUnavailable, match=r"connection to .* failed") as caught:
            await model.generate(HELLO, Settings())
        await model.aclose()
    assert not isinstance(caught.value, ModelTimeout)


async def test_a_stand_in_for_a_key_is_no_secret(
    blobs: MemoryBlobs, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "north")
    model = MODELS.get("compatible")(
        ModelConfig("compatible", "x", base_url=stub.url + "/v1", api_key_env="MY_KEY"), blobs
    )
    assert (await model.generate(HELLO, Settings())).text == "north"
    await model.aclose()


async def test_the_key_appears_nowhere(
    provider: str, opened: Open, keys: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(provider, "leak,401") as model:
        reply = await model.generate(HELLO, Settings())
        with pytest.raises(ModelRefused) as caught:
            await model.generate(HELLO, Settings())
    assert reply.text == "your key is [key]"
    shown = [str(caught.value), repr(caught.value), repr(vars(model)), repr(model), caplog.text, *capfd.readouterr()]
    assert not [text for text in shown if keys in text]


@pytest.mark.parametrize(
    ("which", "variable"),
    [("openai", "OPENAI_BASE_URL"), ("anthropic", "ANTHROPIC_BASE_URL"), ("google", "GOOGLE_GEMINI_BASE_URL")],
)
async def test_the_url_may_come_from_the_environment(
    which: str, variable: str, keys: str, blobs: MemoryBlobs, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, stub.url + PROVIDERS[which])
    model = MODELS.get(which)(ModelConfig(which, "x"), blobs)
    await model.generate(HELLO, Settings())
    await model.aclose()
    assert len(stub.seen) == 1


async def test_a_server_of_ones_own_needs_no_key(
    blobs: MemoryBlobs, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for which in ("openai", "compatible"):
        model = MODELS.get(which)(ModelConfig(which, "x", base_url=stub.url + "/v1"), blobs)
        await model.generate(HELLO, Settings())
        await model.aclose()
    assert [seen.key for seen in stub.seen] == ["none", "none"]


async def test_compatible_does_not_send_the_openai_key(
    keys: str, blobs: MemoryBlobs, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "mine")
    for config in (ModelConfig("compatible", "x"), ModelConfig("compatible", "x", api_key_env="MY_KEY")):
        config.base_url = stub.url + "/v1"
        model = MODELS.get("compatible")(config, blobs)
        await model.generate(HELLO, Settings())
        await model.aclose()
    assert [seen.key for seen in stub.seen] == ["none", "mine"]

"""Calls that allow some answers only: services and llama.cpp. What transformers does is in test_likelihood.py."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from embodied.blobs import MemoryBlobs
from embodied.errors import ModelRefused, PromptRefused, UnknownName, UsageError
from embodied.models import Model, ModelConfig, build, check
from embodied.models.base import choices_of, chooses
from embodied.models.layers.cache import Cache
from embodied.models.services.choices import grammar, schema, taken
from embodied.store.codec import decode, encode
from embodied.types import Message, Reply, Settings, Text
from tests.models.test_layers import COLD, CONFIG, HELLO, Counting
from tests.servers import Stub

ODD = (
    "go",
    "go north",
    " ",
    'say "a\\b"',
    "größe 日本",
    "two\nlines",
    "\u200b",
    "[x] | {y} ::= #",
    "<think>hm</think>",
)


# --------------------------------------------------------------------------- records and words


def test_settings_without_choices_are_recorded_as_before() -> None:
    assert b"choices" not in encode(Settings()) and b"weighed" not in encode(Reply("x"))
    assert decode(encode(Settings(seed=1)), Settings, "") == Settings(seed=1)
    held = Settings(choices=ODD)
    assert decode(encode(held), Settings, "") == held and choices_of(held) == ODD
    assert choices_of(Settings()) == ()


def test_what_an_answer_is() -> None:
    for choice in ODD:
        assert taken(choice, ODD) == choice
        assert taken(f'\n {{"action": {encode(choice).decode()}}}', ODD) == choice
    for other in ("", "Go", "go south", '{"action": "fly"}', '{"act": "go"}', '{"action": 3}', "[1]", "[" * 100_000):
        assert taken(other, ODD) == other
    assert schema(("a", "b\ud800"))["properties"]["action"]["enum"] == ["a", "b\ufffd"]
    assert taken("b\ufffd", ("a", "b\ud800")) == "b\ud800"
    assert grammar(("go", 'a"\n\x01')) == r'root ::= "go" | "a\"\n\x01"'


def test_the_constraint_is_checked() -> None:
    with pytest.raises(
        UnknownName, match=r"There is no constraint named 'schema'. model.constraint is one of json_sch"
    ):
        check(ModelConfig("openai", "gpt-4o", constraint="schema"))
    with pytest.raises(UsageError, match=r"model.constraint is for servers of OpenAI's API \(openai, compatible\)"):
        check(ModelConfig("google", "gemini", constraint="json_schema"))


# --------------------------------------------------------------------------- services


def opened(stub: Stub, provider: str, fault: str = "ok", constraint: str | None = None) -> Model:
    path = "/v1" if provider in ("openai", "compatible") else ""
    config = ModelConfig(provider, "some-model", base_url=f"{stub.url}/fault/{fault}{path}", attempts=1)
    config.api_key_env = "OPENAI_API_KEY" if provider == "compatible" else None
    return build(replace(config, constraint=constraint), MemoryBlobs())


async def asked(model: Model, choices: tuple[str, ...] = ("north", "go north")) -> Reply:
    try:
        return await model.generate(HELLO, Settings(choices=choices))
    finally:
        await model.aclose()


@pytest.mark.parametrize(
    ("provider", "constraint", "where"),
    [
        ("openai", "json_schema", ("response_format", "json_schema", "schema")),
        ("compatible", "json_schema", ("response_format", "json_schema", "schema")),
        ("anthropic", None, ("output_config", "format", "schema")),
        ("google", None, ("generationConfig", "responseJsonSchema")),
    ],
)
async def test_structured_output(
    provider: str, constraint: str | None, where: tuple[str, ...], stub: Stub, keys: str
) -> None:
    model = opened(stub, provider, constraint=constraint)
    assert chooses(model)
    assert (await asked(model)).text == "north"
    body = stub.seen[0].body
    for key in where:
        body = body[key]
    assert body == schema(("north", "go north"))


@pytest.mark.parametrize(
    ("constraint", "sent"),
    [
        ("structured_outputs", {"structured_outputs": {"choice": ["north", "go north"]}}),
        ("guided_choice", {"guided_choice": ["north", "go north"]}),
    ],
)
async def test_the_words_of_vllm(constraint: str, sent: dict, stub: Stub, keys: str) -> None:
    assert (await asked(opened(stub, "compatible", constraint=constraint))).text == "north"
    assert {k: v for k, v in stub.seen[0].body.items() if k not in ("model", "messages")} == sent


@pytest.mark.parametrize("provider", ["openai", "compatible"])
async def test_nobody_guesses_what_a_server_takes(provider: str, stub: Stub, keys: str) -> None:
    model = opened(stub, provider)
    assert not chooses(model)
    with pytest.raises(ModelRefused, match=r"Set model.constraint to one of json_schema, structured_outputs"):
        await asked(model)
    assert not stub.seen


async def test_at_openai_the_schema_is_the_way(keys: str) -> None:
    model = build(ModelConfig("openai", "gpt-4o"), MemoryBlobs())
    assert chooses(model)
    await model.aclose()


async def test_effort_and_the_schema_go_together(stub: Stub, keys: str) -> None:
    model = opened(stub, "anthropic")
    await model.generate(HELLO, Settings(choices=("north",), reasoning_effort="low"))
    await model.aclose()
    assert set(stub.seen[0].body["output_config"]) == {"effort", "format"}


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
async def test_a_server_that_ignores_it_is_not_believed(provider: str, stub: Stub, keys: str) -> None:
    stub.reply = "I would go north."
    model = opened(stub, provider, "ignores", "json_schema" if provider == "openai" else None)
    assert (await asked(model)).text == "I would go north."


async def test_a_server_that_does_not_know_the_field(stub: Stub, keys: str) -> None:
    """The stub answers as a service does to a field that it does not know."""
    with pytest.raises(PromptRefused, match="Unrecognized request argument supplied: grammar"):
        await asked(opened(stub, "compatible", constraint="grammar"))


@pytest.mark.parametrize("constraint", ["json_schema", "grammar"])
async def test_a_real_server(constraint: str, llama_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """llama.cpp's own, with SmolLM2, which says something else when nobody holds it."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    config = ModelConfig("compatible", "smollm2", base_url=llama_url, timeout=120, constraint=constraint)
    model, choices = build(config, MemoryBlobs()), ("go", "go north", "größe 日本")
    settings = Settings(temperature=1.5, max_tokens=40)
    said = [(await model.generate(HELLO, replace(settings, seed=i, choices=choices))).text for i in range(4)]
    free = await model.generate(HELLO, settings)
    await model.aclose()
    assert set(said) <= set(choices) and free.text not in choices


# --------------------------------------------------------------------------- the cache


async def test_the_cache_tells_choices_apart(tmp_path: Path) -> None:
    counting = Counting()
    cache = Cache(counting, CONFIG, folder=tmp_path)
    held = [replace(COLD, choices=c) for c in (("a", "b"), ("b", "a"), ("a",))]
    said = [(await cache.generate(HELLO, s)).text for s in (COLD, *held, COLD, *held)]
    assert said == [f"reply {i}" for i in (1, 2, 3, 4)] * 2 and counting.calls == 4
    other = Cache(counting, replace(CONFIG, constraint="json_schema"), folder=tmp_path)
    assert (await other.generate(HELLO, held[0])).text == "reply 5"


async def test_a_kept_reply_holds_its_weights(tmp_path: Path) -> None:
    class Weighing(Counting):
        async def generate(self, messages: object, settings: Settings) -> Reply:
            return Reply("a", weighed={"a": -0.1, "b": -2.4})

    cache = Cache(Weighing(), CONFIG, folder=tmp_path)
    first, again = [await cache.generate(HELLO, COLD) for _ in range(2)]
    assert again.cached and again.weighed == first.weighed == {"a": -0.1, "b": -2.4}


# --------------------------------------------------------------------------- llama.cpp


@pytest.fixture(scope="module")
def engine() -> Iterator[Model]:
    pytest.importorskip("xllamacpp")
    from embodied.models.local.gguf import Gguf

    model = Gguf(ModelConfig(threads=1, context=2048), MemoryBlobs())
    yield model
    asyncio.run(model.aclose())


def user(text: str) -> list[Message]:
    return [Message("user", (Text(text),))]


async def said(engine: Model, choices: tuple[str, ...], prompt: str = "Say something.", **settings: object) -> Reply:
    return await engine.generate(user(prompt), replace(Settings(**settings), choices=choices))


async def test_every_text_can_be_said(engine: Model) -> None:
    """One action at a time: whatever its characters, it comes out as it is."""
    for choice in ODD:
        assert (await said(engine, (choice,), temperature=0)).text == choice


async def test_a_grammar_holds_the_model(engine: Model) -> None:
    choices = ("go", "go north", "turn left")
    found = Counter([(await said(engine, choices, temperature=2.0, seed=i)).text for i in range(30)])
    assert set(found) == set(choices)  # the shorter of two that begin alike too


async def test_a_hundred_actions_and_no_limit_of_tokens(engine: Model) -> None:
    choices = tuple(f"walk to the landmark with the number {i}" for i in range(100))
    replies = [await said(engine, choices, temperature=1.0, seed=i, max_tokens=1, stop=("land",)) for i in range(3)]
    assert {r.text for r in replies} <= set(choices) and {r.stop for r in replies} == {"stop"}
    assert all(r.usage.output > 5 for r in replies)


async def test_the_seed_decides_and_the_next_free_reply_is_unchanged(engine: Model) -> None:
    warm = Settings(temperature=1.0, max_tokens=8, seed=3)
    free = (await engine.generate(user("Tell me a story."), warm)).text
    twice = [(await said(engine, ("a", "b", "c"), temperature=2.0, seed=9)).text for _ in range(2)]
    assert twice[0] == twice[1]
    assert (await engine.generate(user("Tell me a story."), warm)).text == free


async def test_a_cancelled_choice(engine: Model) -> None:
    task = asyncio.create_task(said(engine, ("a", "b"), "word " * 1500, temperature=0))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await said(engine, ("a", "b"), temperature=0)).text in ("a", "b")

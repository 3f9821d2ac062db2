"""Batches: when they are launched, and that a reply does not depend on them."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from embodied.blobs import MemoryBlobs
from embodied.errors import ModelFailure, ModelRefused, PromptTooLong
from embodied.models import ModelConfig, build
from embodied.models.local.batcher import Batcher
from embodied.types import Message, Reply, Settings, Text

pytest.importorskip("torch")
import torch

from embodied.models.local.packed import WASTE, _buckets, _Prompt
from embodied.models.local.prefixes import Evaluated, Prefixes
from embodied.models.local.transformers import Transformers
from tests.models import tiny


def ask(text: str) -> list[Message]:
    return [Message("user", (Text(text),))]


# --------------------------------------------------------------------------- when


class Kitchen:
    """Answers batches when told to, and keeps them."""

    def __init__(self, size: int = 8):
        self.batches: list[list[str]] = []
        self.size = size
        self.served = asyncio.Event()
        self.batcher = Batcher[str](self.answer, lambda: self.size)

    async def answer(self, requests: Sequence[str]) -> list[Reply | Exception]:
        self.batches.append(list(requests))
        await self.served.wait()
        return [ModelRefused("bad.") if "bad" in r else Reply(r.upper()) for r in requests]

    def call(self, *requests: str) -> list[asyncio.Task[Reply]]:
        return [asyncio.create_task(self.batcher.ask(r)) for r in requests]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_it_waits_for_every_live_episode() -> None:
    kitchen = Kitchen()
    kitchen.served.set()
    kitchen.batcher.live(3)
    calls = kitchen.call("a", "b")
    await settle()
    assert kitchen.batches == []
    calls += kitchen.call("c")
    assert [r.text for r in await asyncio.gather(*calls)] == ["A", "B", "C"]
    assert kitchen.batches == [["a", "b", "c"]]


async def test_it_does_not_wait_for_who_has_ended_but_for_who_begins_in_the_same_moment() -> None:
    kitchen = Kitchen()
    kitchen.served.set()
    kitchen.batcher.live(3)
    kitchen.call("a", "b")
    await settle()
    kitchen.batcher.live(2)
    kitchen.batcher.live(3)  # the next episode
    await settle()
    assert kitchen.batches == []
    kitchen.batcher.live(2)
    await settle()
    assert kitchen.batches == [["a", "b"]]


async def test_a_full_batch_goes_and_what_comes_meanwhile_waits() -> None:
    kitchen = Kitchen(size=2)
    kitchen.batcher.live(5)
    calls = kitchen.call("a", "b", "c", "d", "e")
    await settle()
    assert kitchen.batches == [["a", "b"]]
    kitchen.served.set()
    await settle()
    assert kitchen.batches == [["a", "b"], ["c", "d"]]  # e waits: four others may yet come
    calls += kitchen.call("f")
    assert len(await asyncio.gather(*calls)) == 6 and kitchen.batches[-1] == ["e", "f"]


async def test_without_a_word_calls_are_served_as_they_come() -> None:
    kitchen = Kitchen()
    kitchen.call("a")
    await settle()
    kitchen.call("b", "c")
    kitchen.served.set()
    await settle()
    assert kitchen.batches == [["a"], ["b", "c"]]


async def test_an_error_is_its_own_calls_alone() -> None:
    kitchen = Kitchen()
    kitchen.served.set()
    kitchen.batcher.live(2)
    good, bad = await asyncio.gather(*kitchen.call("good", "bad"), return_exceptions=True)
    assert good.text == "GOOD" and isinstance(bad, ModelRefused)


async def test_an_engine_that_breaks_fails_the_batch_and_serves_the_next() -> None:
    async def broken(requests: Sequence[str]) -> list[Reply | Exception]:
        if "break" in requests:
            raise ZeroDivisionError
        return [Reply("fine")] * len(requests)

    batcher = Batcher[str](broken, lambda: 8)
    batcher.live(2)
    calls = [asyncio.create_task(batcher.ask(r)) for r in ("break", "b")]
    assert [type(e) for e in await asyncio.gather(*calls, return_exceptions=True)] == [ZeroDivisionError] * 2
    batcher.live(1)
    assert (await batcher.ask("c")).text == "fine"


async def test_cancelled_calls_leave() -> None:
    kitchen = Kitchen()
    kitchen.batcher.live(3)
    first, second, third = kitchen.call("a", "b", "c")
    await settle()
    first.cancel()
    await settle()
    assert kitchen.batcher._serving is not None  # the others still want theirs
    second.cancel(), third.cancel()
    await settle()
    assert kitchen.batcher._serving is None
    kitchen.batcher.live(2)
    waiting, cancelled = kitchen.call("d", "e")[:1], kitchen.call("x")[0]
    cancelled.cancel()
    kitchen.served.set()
    await asyncio.gather(*waiting)
    assert [b for b in kitchen.batches if "x" in b] == []


# --------------------------------------------------------------------------- what


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.text_model(tmp_path_factory.mktemp("model") / "text")


@pytest.fixture
def reading(folder: Path) -> Iterator[Transformers]:
    yield Transformers(ModelConfig("transformers", "tiny", path=str(folder), threads=1, logprobs=True), MemoryBlobs())


def requests_of(seed: int, count: int = 9) -> list[tuple[list[Message], Settings]]:
    """Prompts of many lengths, several of which begin alike; greedy and sampled, with stop strings and limits of their
    own.
    """
    rng = random.Random(seed)
    stem = "".join(rng.choices("abcdefgh ", k=120))
    found = []
    for number in range(count):
        text = stem[: rng.choice([0, 60, 120])] + "".join(rng.choices("ijklmnop ", k=rng.randrange(1, 200)))
        stop = ("q", "zz") if rng.random() < 0.3 else ()
        found.append(
            (
                ask(text),
                Settings(temperature=rng.choice([0.0, 1.0]), max_tokens=rng.randrange(1, 24), seed=number, stop=stop),
            )
        )
    return found


def whole(model: Transformers) -> Transformers:
    """The same model, answering by transformers' own generation."""
    other = object.__new__(Transformers)
    other.__dict__ = model.__dict__ | {"_packed": None}
    return other


@pytest.mark.parametrize("seed", range(4))
def test_packed_replies_are_those_of_transformers_own_generation(reading: Transformers, seed: int) -> None:
    requests = requests_of(seed)
    for _ in range(2):  # the second time everything is known
        packed = reading.generate_batch(requests)
        expected = [whole(reading).generate_batch([request])[0] for request in requests]
        for one, other in zip(packed, expected, strict=True):
            assert (one.text, one.token_ids, one.stop, one.usage.input) == (
                other.text,
                other.token_ids,
                other.stop,
                other.usage.input,
            )
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert all(reply.usage.cached == reply.usage.input - 1 for reply in packed)


def test_only_what_is_new_is_computed(reading: Transformers) -> None:
    computed = []
    original = reading._packed._forward

    def counting(tokens: torch.Tensor, *rest: object) -> torch.Tensor:
        computed.append(tokens.shape)
        return original(tokens, *rest)

    reading._packed._forward = counting
    one = Settings(temperature=0.0, max_tokens=1)
    (first,) = reading.generate_batch([(ask("a" * 200), one)])
    (longer,) = reading.generate_batch([(ask("a" * 230), one)])
    assert (first.usage.cached, computed[0]) == (0, (1, first.usage.input))
    assert longer.usage.cached > 200 and computed[1] == (1, longer.usage.input - longer.usage.cached)


def test_memory_of_prompts_is_bounded_and_the_least_recently_used_goes() -> None:
    def evaluated(text: str) -> Evaluated:
        tokens = np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int64)
        return Evaluated(tokens, ((torch.zeros(1, len(text), 4), torch.zeros(1, len(text), 4)),))

    size = evaluated("x" * 10).bytes
    kept = Prefixes(capacity=3 * size)
    for letter in "abc":
        kept.put(evaluated(letter * 10))
    assert kept.longest(evaluated("a" * 9 + "z").tokens)[1] == 9
    kept.put(evaluated("d" * 10))
    # b had not been used for longest
    assert [kept.longest(evaluated(letter * 10).tokens)[1] for letter in "abcd"] == [9, 0, 9, 9]
    kept.put(evaluated("e" * 1000))
    assert kept.bytes == 3 * size and kept.longest(evaluated("e" * 10).tokens)[1] == 0
    assert Prefixes(0).longest(evaluated("a").tokens) == (None, 0)


def test_without_reuse_nothing_is_kept(folder: Path) -> None:
    model = Transformers(
        ModelConfig("transformers", "tiny", path=str(folder), threads=1, reuse_prompt=False), MemoryBlobs()
    )
    assert [model.generate_batch([(ask("hello"), Settings(max_tokens=2))])[0].usage.cached for _ in range(2)] == [0, 0]


def test_buckets_waste_little() -> None:
    rng = random.Random(0)
    for _ in range(50):
        lengths = sorted(rng.choice([rng.randrange(1, 40), rng.randrange(1, 900)]) for _ in range(rng.randrange(1, 12)))
        prompts = [_Prompt(None, np.zeros(n, dtype=np.int64), None, 0, i) for i, n in enumerate(lengths)]
        buckets = _buckets(prompts)
        assert [p.number for b in buckets for p in b] == list(range(len(lengths)))
        assert all(b[-1].new * len(b) <= WASTE * sum(p.new for p in b) for b in buckets)
    assert len(_buckets([_Prompt(None, np.zeros(n), None, 0, 0) for n in (60, 62, 64, 70, 900)])) == 2


def test_a_batch_that_does_not_fit_is_halved(reading: Transformers) -> None:
    requests = requests_of(7, count=8)
    expected = [reply.text for reply in reading.generate_batch(requests)]
    rows, original = [], reading._model.forward

    def small(*args: object, **kwargs: object) -> object:
        rows.append(len(kwargs["input_ids"]))
        if rows[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(*args, **kwargs)

    reading._model.forward = small
    reading._packed.prefixes.clear()
    assert [reply.text for reply in reading.generate_batch(requests)] == expected
    assert reading._size == 2 and max(rows) > 2
    assert reading._packed.prefixes.bytes > 0
    reading._model.forward = lambda *a, **k: (_ for _ in ()).throw(torch.OutOfMemoryError("CUDA out of memory."))
    (refused,) = reading.answer(requests[:1])
    assert isinstance(refused, ModelFailure) and "is too small for one prompt" in str(refused)


async def test_episodes_share_batches_through_every_layer(folder: Path) -> None:
    """Eight episodes of five calls each, one of which ends early: five batches of eight, eight, eight, seven, seven."""
    model = build(ModelConfig("transformers", "tiny", path=str(folder), threads=1), MemoryBlobs())
    provider = model._model._model._model
    sizes, original = [], provider.answer
    provider.answer = lambda requests, halt: sizes.append(len(requests)) or original(requests, halt)
    live = 8
    model.live(live)

    async def episode(number: int) -> list[str]:
        nonlocal live
        texts, prompt = [], ask(f"episode {number}")
        for step in range(3 if number == 5 else 5):
            texts.append(
                (await model.generate(prompt, Settings(temperature=1.0, max_tokens=4, seed=100 * number + step))).text
            )
            prompt = [*prompt, Message("assistant", (Text("go"),)), *ask(f"step {step}")]
        live -= 1
        model.live(live)
        return texts

    together = await asyncio.gather(*(episode(n) for n in range(8)))
    assert sizes == [8, 8, 8, 7, 7]
    live = 1
    model.live(live)
    alone = []
    for number in range(8):
        live = 1
        alone.append(await episode(number))
    await model.aclose()
    assert together == alone


async def test_a_prompt_too_long_fails_alone(reading: Transformers) -> None:
    reading.live(2)
    settings = Settings(temperature=0.0, max_tokens=3)
    good, bad = await asyncio.gather(
        reading.generate(ask("hi"), settings),
        reading.generate(ask("x" * 3000), dataclasses.replace(settings)),
        return_exceptions=True,
    )
    await reading.aclose()
    assert good.usage.output == 3 and isinstance(bad, PromptTooLong) and "does not fit its context" in str(bad)

"""Retry: which failures, how often, how long, how the waits are chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from embodied.blobs import MemoryBlobs
from embodied.errors import ModelBusy, ModelErred, ModelRefused, ModelTimeout, ModelUnavailable
from embodied.models import ModelConfig, build
from embodied.models.layers.retry import FIRST_WAIT, LONGEST_WAIT, Retry
from embodied.types import Message, Reply, Settings, Text
from tests.servers import Stub

HELLO = [Message("user", (Text("hello"),))]


class Troubled:
    """A model that fails as told and then answers."""

    name = "test/troubled"

    def __init__(self, *failures: Exception):
        self.failures = list(failures)
        self.calls = 0

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return Reply("north")

    async def aclose(self) -> None:
        pass


class Clock:
    """Waits that take no time and are remembered."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)


def busy(retry_after: float | None = None) -> ModelUnavailable:
    return ModelUnavailable("busy.", retry_after)


async def test_tries_again_and_says_how_often() -> None:
    clock = Clock()
    reply = await Retry(Troubled(busy(), ModelTimeout("late."), busy()), attempts=4, sleep=clock).generate(
        HELLO, Settings()
    )
    assert (reply.text, reply.attempts, len(clock.waits)) == ("north", 4, 3)
    assert all(FIRST_WAIT * 2**n / 2 <= wait <= FIRST_WAIT * 2**n for n, wait in enumerate(clock.waits))


async def test_the_first_answer_counts_one() -> None:
    assert (await Retry(Troubled()).generate(HELLO, Settings())).attempts == 1


async def test_gives_up_after_the_attempts_allowed() -> None:
    model = Troubled(*[busy() for _ in range(9)])
    with pytest.raises(ModelUnavailable, match=r"busy\. Gave up after 3 attempts\."):
        await Retry(model, attempts=3, sleep=Clock()).generate(HELLO, Settings())
    assert model.calls == 3


async def test_the_same_error_is_the_last_the_third_time() -> None:
    errors = [ModelErred(f"the template failed, request req_{n}7a.") for n in range(9)]
    model = Troubled(*errors)
    with pytest.raises(ModelErred, match=r"Gave up after 3 attempts\."):
        await Retry(model, attempts=7, sleep=Clock()).generate(HELLO, Settings())
    assert model.calls == 3


async def test_errors_that_differ_or_pass_are_not_the_same() -> None:
    one, two = ModelErred("sent nonsense."), ModelErred("sent other nonsense.")
    reply = await Retry(Troubled(one, one, two, one, one, busy(), one), attempts=9, sleep=Clock()).generate(
        HELLO, Settings()
    )
    assert reply.attempts == 8
    late = [ModelBusy("429.") for _ in range(6)]
    assert (
        await Retry(Troubled(*late), attempts=7, total_seconds=1e6, sleep=Clock()).generate(HELLO, Settings())
    ).attempts == 7


@pytest.mark.parametrize("error", [ModelRefused("no."), ZeroDivisionError("a defect, not a failure")])
async def test_never_repeats_what_cannot_help(error: Exception) -> None:
    model, clock = Troubled(error), Clock()
    with pytest.raises(type(error), match=str(error)):
        await Retry(model, sleep=clock).generate(HELLO, Settings())
    assert (model.calls, clock.waits) == (1, [])


async def test_a_time_out_stays_one() -> None:
    with pytest.raises(ModelTimeout, match="Gave up after 2 attempts"):
        await Retry(Troubled(busy(), ModelTimeout("late.")), attempts=2, sleep=Clock()).generate(HELLO, Settings())


async def test_honours_retry_after() -> None:
    clock = Clock()
    await Retry(Troubled(busy(33.0), busy(0.01)), sleep=clock).generate(HELLO, Settings())
    assert clock.waits[0] == 33.0
    assert clock.waits[1] >= FIRST_WAIT  # never sooner than our own wait


async def test_does_not_wait_for_a_server_beyond_the_total() -> None:
    model, clock = Troubled(busy(3600.0)), Clock()
    with pytest.raises(ModelUnavailable, match=r"asked to wait 3600 s\. Gave up after 1 attempt\."):
        await Retry(model, total_seconds=60, sleep=clock).generate(HELLO, Settings())
    assert (model.calls, clock.waits) == (1, [])


async def test_one_attempt_cannot_outlast_the_total() -> None:
    class Stuck(Troubled):
        async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
            await asyncio.sleep(3600)
            return Reply("never")

    with pytest.raises(ModelTimeout, match=r"total_seconds=0\.05"):
        await Retry(Stuck(), total_seconds=0.05).generate(HELLO, Settings())


async def test_waits_come_from_the_seed() -> None:
    async def waits(seed: int) -> list[float]:
        clock = Clock()
        await Retry(
            Troubled(*[busy() for _ in range(8)]), attempts=9, total_seconds=1e6, seed=seed, sleep=clock
        ).generate(HELLO, Settings())
        return clock.waits

    assert await waits(1) == await waits(1) != await waits(2)
    assert max(await waits(1)) <= LONGEST_WAIT


async def test_a_cancelled_call_is_not_repeated() -> None:
    class Slow(Troubled):
        async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
            self.calls += 1
            await asyncio.sleep(3600)
            return Reply("never")

    model = Slow()
    task = asyncio.create_task(Retry(model).generate(HELLO, Settings()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.calls == 1


async def test_over_a_real_connection(keys: str, stub: Stub) -> None:
    config = ModelConfig("openai", "x", base_url=f"{stub.url}/fault/429@0.01,reset,ok/v1", timeout=5)
    model = build(config, MemoryBlobs())
    retry = model._model
    assert isinstance(retry, Retry)
    retry._sleep = Clock()
    reply = await model.generate(HELLO, Settings())
    await model.aclose()
    assert (reply.text, reply.attempts, stub.requests) == ("north", 3, 3)

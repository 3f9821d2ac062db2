"""The layers that mind the provider's limits and the run's money: limit, budget, cache, prices."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from embodied.blobs import MemoryBlobs
from embodied.errors import BudgetSpent, ModelBusy, ModelErred, UnknownName, UsageError
from embodied.models import ModelConfig, build, spending
from embodied.models.layers.budget import Allowance, Budget
from embodied.models.layers.cache import MAX_AGE, Cache
from embodied.models.layers.limit import Limit, Rate, Sense
from embodied.models.layers.retry import Retry
from embodied.models.prices import Price, price_of, prices_date
from embodied.types import Image, Message, Reply, Settings, Text, Usage
from tests.servers import Stub

HELLO = [Message("user", (Text("hello"),))]
COLD = Settings(temperature=0.0, seed=1)
CONFIG = ModelConfig("openai", "gpt-4o")


class Counting:
    """A model that counts its calls; each uses as many tokens as told."""

    name = "test/counting"

    def __init__(self, usage: Usage | None = None):
        self.calls = 0
        self.usage = usage or Usage(input=90, output=10)

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        self.calls += 1
        await asyncio.sleep(0)
        return Reply(f"reply {self.calls}", usage=self.usage, seconds=1.5, attempts=2)

    async def aclose(self) -> None:
        pass


# --------------------------------------------------------------------------- limit


class Crowded:
    """A provider that bears `room` calls at a time and refuses the rest."""

    name = "test/crowded"

    def __init__(self, room: int):
        self.room = room
        self.now = self.most = self.refused = self.calls = 0

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        self.calls += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.now > self.room:
                self.refused += 1
                raise ModelBusy("429.")
            for _ in range(5):
                await asyncio.sleep(0)
            return Reply("north")
        finally:
            self.now -= 1

    async def aclose(self) -> None:
        pass


async def soon(seconds: float) -> None:
    """A wait of a few turns of the event loop for each second."""
    for _ in range(int(seconds * 20)):
        await asyncio.sleep(0)


async def test_the_limit_finds_what_the_provider_bears() -> None:
    crowded, rate = Crowded(8), Rate()
    model = Limit(Retry(Sense(crowded, rate), attempts=30, total_seconds=1e6, sleep=soon), rate)
    replies = await asyncio.gather(*(model.generate(HELLO, Settings()) for _ in range(64)))
    assert len(replies) == 64 and crowded.most > 8 and rate.under_way == 0
    crowded.refused = crowded.calls = 0
    await asyncio.gather(*(model.generate(HELLO, Settings()) for _ in range(400)))
    assert 2 <= rate.limit <= 17
    assert 0 < crowded.refused < 0.15 * crowded.calls


async def test_without_refusals_there_is_no_limit() -> None:
    crowded, rate = Crowded(1000), Rate()
    model = Limit(Sense(crowded, rate), rate)
    await asyncio.gather(*(model.generate(HELLO, Settings()) for _ in range(100)))
    assert crowded.most == 100 and rate.limit == float("inf")


def test_one_crowd_halves_once_and_one_is_the_least() -> None:
    rate = Rate()
    rate.under_way = 16
    sent = [rate.sent() for _ in range(16)]
    for number in sent:
        rate.busy(number)
    assert rate.limit == 8
    for _ in range(9):
        rate.busy(rate.sent())
    assert rate.limit == 1


async def test_a_cancelled_call_leaves_its_place_in_the_queue() -> None:
    rate = Rate()
    rate.limit = 1

    async def hold(seconds: float) -> None:
        async with rate.place():
            await asyncio.sleep(seconds)

    holder = asyncio.create_task(hold(3600))
    waiting = [asyncio.create_task(hold(0)) for _ in range(3)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()
    holder.cancel()
    done = await asyncio.gather(holder, *waiting, return_exceptions=True)
    assert [type(d).__name__ for d in done] == ["CancelledError", "CancelledError", "NoneType", "NoneType"]
    assert rate.under_way == 0


async def test_a_place_given_to_a_cancelled_call_goes_on() -> None:
    rate = Rate()
    rate.limit = 1
    entered = asyncio.Event()

    async def hold() -> None:
        async with rate.place():
            entered.set()

    async with rate.place():
        first, second = asyncio.create_task(hold()), asyncio.create_task(hold())
        await asyncio.sleep(0)
    first.cancel()  # it has its place by now, but has not run
    await asyncio.gather(first, second, return_exceptions=True)
    assert entered.is_set() and rate.under_way == 0


# --------------------------------------------------------------------------- budget


async def test_a_budget_in_tokens_is_never_exceeded() -> None:
    counting = Counting()
    model = Budget(counting, Allowance(tokens=1050))
    for _ in range(10):
        await model.generate(HELLO, Settings())
    with pytest.raises(BudgetSpent, match=r"1,050 tokens is spent: 1,000 tokens so far.*run\.budget\.tokens"):
        await model.generate(HELLO, Settings())
    assert counting.calls == 10


async def test_calls_under_way_count() -> None:
    counting = Counting()
    model = Budget(counting, Allowance(tokens=1000))
    await model.generate(HELLO, Settings())
    done = await asyncio.gather(*(model.generate(HELLO, Settings()) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(d, Reply) for d in done) == 9 and sum(isinstance(d, BudgetSpent) for d in done) == 11


async def test_a_budget_in_dollars_counts_what_was_used_before() -> None:
    price = Price(10.0, 1.0, 100.0)
    counting = Counting(Usage(input=1000, cached=500, output=10))  # 0.005 + 0.0005 + 0.001 dollars
    model = Budget(counting, Allowance(dollars=0.0199), price, Usage(input=600, output=10))  # 0.007 dollars before
    assert price.cost(counting.usage) == pytest.approx(0.0065)
    await model.generate(HELLO, Settings())
    with pytest.raises(BudgetSpent, match=r"0\.0199 dollars is spent: 1,620 tokens for 0\.0135 dollars"):
        await model.generate(HELLO, Settings())


async def test_what_fails_is_not_charged() -> None:
    class Failing(Counting):
        async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
            raise ModelErred("no.")

    model = Budget(Failing(), Allowance(tokens=100))
    for _ in range(5):
        with pytest.raises(ModelErred):
            await model.generate(HELLO, Settings())
    assert model.used == Usage() and model._under_way == 0


@pytest.mark.parametrize(
    ("allowance", "price", "says"),
    [
        (Allowance(tokens=0), None, r"run\.budget\.tokens must be above 0"),
        (Allowance(dollars=-1.0), Price(1, 1, 1), r"run\.budget\.dollars must be above 0"),
        (Allowance(dollars=1.0), None, r"price of openai/gpt-4o is not known.*run\.price"),
    ],
)
def test_budgets_that_make_no_sense(allowance: Allowance, price: Price | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        spending(Counting(), CONFIG, allowance, price, Usage())


def test_a_budget_that_is_spent_before_anything_is_called() -> None:
    with pytest.raises(BudgetSpent, match="100 tokens is spent: 100 tokens"):
        spending(Counting(), CONFIG, Allowance(tokens=100), None, Usage(input=80, output=20))


# --------------------------------------------------------------------------- prices


@pytest.mark.parametrize(
    ("provider", "name", "input"),
    [
        ("openai", "gpt-4o", 2.5),
        ("openai", "gpt-4o-2024-08-06", 2.5),
        ("anthropic", "claude-sonnet-4-5-20250929", 3.0),
        ("google", "gemini-2.5-flash", 0.3),
    ],
)
def test_public_prices(provider: str, name: str, input: float) -> None:
    price = price_of(ModelConfig(provider, name))
    assert price is not None and price.input == input and price.cached < price.input < price.output
    assert prices_date().year >= 2026


def test_what_is_not_known_is_not_free() -> None:
    assert price_of(ModelConfig("openai", "gpt-4o-next")) is None
    assert price_of(ModelConfig("compatible", "gpt-4o", base_url="http://127.0.0.1:1/v1")) is None
    assert price_of(ModelConfig("openai", "gpt-4o", base_url="http://127.0.0.1:1/v1")) is None
    assert price_of(ModelConfig("gguf", "smollm2")) == Price(0, 0, 0)
    assert price_of(ModelConfig("openai", "mine"), [1, 0.5, 2]) == Price(1, 0.5, 2)
    for wrong in ([1, 2], [1, 2, -3], [1, 2, float("nan")]):
        with pytest.raises(UsageError, match=r"run\.price"):
            price_of(CONFIG, wrong)


@pytest.mark.parametrize("preset", ["gpt4o", "gpt4o-mini", "gpt5", "claude", "claude-opus", "claude-haiku"])
def test_the_presets_have_a_price(preset: str) -> None:
    from embodied.config import compose

    assert price_of(compose([f"agent={preset}"]).model) is not None


# --------------------------------------------------------------------------- cache


def cached(model: Counting, folder: Path, config: ModelConfig = CONFIG, sampled: bool = False) -> Cache:
    return Cache(model, config, sampled, folder)


async def test_the_same_call_is_answered_from_disk_and_costs_nothing(tmp_path: Path) -> None:
    counting = Counting()
    first = await cached(counting, tmp_path).generate(HELLO, COLD)
    again = await cached(counting, tmp_path).generate(HELLO, replace(COLD, seed=2))
    assert counting.calls == 1
    assert (first.text, first.cached, first.usage.input) == ("reply 1", False, 90)
    assert (again.text, again.cached, again.usage, again.seconds) == ("reply 1", True, Usage(), 0.0)


@pytest.mark.parametrize(
    "other",
    [
        {"messages": [Message("user", (Text("hello!"),))]},
        {"messages": [Message("system", (Text("hello"),))]},
        {"messages": [Message("user", (Text("hello"), Image("a" * 64, 8, 8)))]},
        {"settings": replace(COLD, max_tokens=9)},
        {"settings": replace(COLD, stop=("x",))},
        {"config": replace(CONFIG, name="gpt-4o-mini")},
        {"config": replace(CONFIG, base_url="http://127.0.0.1:1/v1")},
    ],
)
async def test_what_differs_is_asked_anew(tmp_path: Path, other: dict) -> None:
    counting = Counting()
    await cached(counting, tmp_path).generate(HELLO, COLD)
    reply = await cached(counting, tmp_path, other.get("config", CONFIG)).generate(
        other.get("messages", HELLO), other.get("settings", COLD)
    )
    assert counting.calls == 2 and not reply.cached


async def test_pictures_are_told_apart(tmp_path: Path) -> None:
    counting = Counting()
    for digest in ("a" * 64, "b" * 64, "a" * 64):
        await cached(counting, tmp_path).generate([Message("user", (Image(digest, 8, 8),))], COLD)
    assert counting.calls == 2


@pytest.mark.parametrize("settings", [Settings(), Settings(temperature=1.0, seed=1)])
async def test_sampled_calls_are_kept_only_if_asked(tmp_path: Path, settings: Settings) -> None:
    counting = Counting()
    for _ in range(2):
        await cached(counting, tmp_path).generate(HELLO, settings)
    assert counting.calls == 2 and not list(tmp_path.iterdir())
    for _ in range(2):
        await cached(counting, tmp_path, sampled=True).generate(HELLO, settings)
    await cached(counting, tmp_path, sampled=True).generate(HELLO, replace(settings, seed=7))
    assert counting.calls == 4  # the seed of a sampled call is part of what decides it


def entry(folder: Path) -> Path:
    (path,) = folder.rglob("*.json")
    return path


@pytest.mark.parametrize("damage", ["torn", "garbage", "empty", "flipped", "folder", "old"])
async def test_a_damaged_entry_is_a_miss_and_is_mended(tmp_path: Path, damage: str) -> None:
    counting = Counting()
    await cached(counting, tmp_path).generate(HELLO, COLD)
    path = entry(tmp_path)
    data = path.read_bytes()
    if damage == "old":
        os.utime(path, (time.time() - MAX_AGE - 60,) * 2)
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(
            {"torn": data[:-9], "garbage": b"\xff\x00{", "empty": b"", "flipped": data.replace(b"reply 1", b"reply 9")}[
                damage
            ]
        )
    assert (await cached(counting, tmp_path).generate(HELLO, COLD)).text == "reply 2"
    assert (await cached(counting, tmp_path).generate(HELLO, COLD)).text == (
        "reply 3" if damage == "folder" else "reply 2"
    )
    assert not [p for p in tmp_path.rglob("tmp*")]


class Saying(Counting):
    """Answers with one reply."""

    def __init__(self, reply: Reply):
        super().__init__()
        self.reply = reply

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        self.calls += 1
        return self.reply


@pytest.mark.parametrize(
    ("reply", "calls"),
    [
        (Reply("go"), 1),
        (Reply(""), 2),
        (Reply("  \n"), 2),
        (Reply("go", stop="length"), 2),
        (Reply("go", stop="content_filter"), 2),
    ],
    ids=["whole", "empty", "blank", "cut", "filtered"],
)
async def test_only_whole_replies_are_kept(tmp_path: Path, reply: Reply, calls: int) -> None:
    saying = Saying(reply)
    said = [await cached(saying, tmp_path).generate(HELLO, COLD) for _ in range(2)]
    assert saying.calls == calls and [one.cached for one in said] == [False, calls == 1]


async def test_a_folder_that_cannot_be_written_costs_nothing_but_the_call(tmp_path: Path) -> None:
    counting = Counting()
    (tmp_path / "file").write_text("")
    model = Cache(counting, CONFIG, folder=tmp_path / "file")
    assert [(await model.generate(HELLO, COLD)).text for _ in range(2)] == ["reply 1", "reply 2"]


def _fill(folder: str, start: int) -> None:
    async def fill() -> None:
        model = Cache(Counting(), CONFIG, folder=Path(folder))
        for n in range(start, start + 60):
            reply = await model.generate([Message("user", (Text(f"{n % 20} " + "x" * 20_000),))], COLD)
            assert reply.text.startswith("reply ")

    asyncio.run(fill())


def test_several_processes_share_a_folder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=_fill, args=(str(tmp_path), start)) for start in (0, 7, 13)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert len(list(tmp_path.rglob("*.json"))) == 20 and not list(tmp_path.rglob("tmp*"))


def test_where_the_cache_is_on(tmp_path: Path) -> None:
    def made(cache: str, config: ModelConfig) -> type:
        return type(spending(Counting(), config, Allowance(), None, Usage(), cache))

    local = ModelConfig("gguf", "smollm2")
    assert [made(c, CONFIG) for c in ("off", "deterministic", "all")] == [Budget, Cache, Cache]
    assert [made(c, local) for c in ("off", "deterministic", "all")] == [Budget, Budget, Cache]
    with pytest.raises(UnknownName, match="off, deterministic, all"):
        made("some", CONFIG)


async def test_all_layers_over_a_real_connection(
    tmp_path: Path, keys: str, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429 and a cut connection on the way, then an answer, which the second run of the same call has from disk."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    config = ModelConfig("openai", "gpt-4o", base_url=f"{stub.url}/fault/429@0.01,reset,ok/v1", timeout=5)
    replies = []
    for _ in range(2):
        provider = build(config, MemoryBlobs())
        provider._model._sleep = soon
        model = spending(provider, config, Allowance(tokens=1000), None, Usage())
        replies.append(await model.generate(HELLO, COLD))
        await model.aclose()
    assert [(r.text, r.cached, r.attempts) for r in replies] == [("north", False, 3), ("north", True, 1)]
    assert stub.requests == 3

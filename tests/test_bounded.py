"""Work at most so many at a time: in order, ended early, and with the first error."""

from __future__ import annotations

import asyncio

import pytest

from embodied.bounded import SAME_FAILURES, FailuresInARow, Waiting, work_off


async def test_at_most_so_many_at_a_time_and_in_order():
    begun: list[int] = []
    present = most = 0

    async def work(item: int) -> str:
        nonlocal present, most
        begun.append(item)
        present += 1
        most = max(most, present)
        await asyncio.sleep(0)
        present -= 1
        return ""

    assert await work_off(range(10), work, 3, asyncio.Event()) == ""
    assert begun == list(range(10)) and most == 3


async def test_a_reason_to_stop_lets_nothing_else_begin():
    begun: list[int] = []

    async def work(item: int) -> str:
        begun.append(item)
        return "the key is wrong" if item == 2 else ""

    assert await work_off(range(10), work, 1, asyncio.Event()) == "the key is wrong"
    assert begun == [0, 1, 2]


async def test_what_was_begun_when_stopping_was_set_comes_to_its_end():
    stopping, ended = asyncio.Event(), []

    async def work(item: int) -> str:
        stopping.set()
        await asyncio.sleep(0)
        ended.append(item)
        return ""

    assert await work_off(range(10), work, 2, stopping) == ""
    assert ended == [0]


async def test_the_first_error_ends_all_work():
    async def work(item: int) -> str:
        if item == 1:
            raise OSError("the disk is full")
        await asyncio.sleep(60)
        return ""

    with pytest.raises(OSError, match="the disk is full"):
        await work_off(range(10), work, 4, asyncio.Event())


def test_only_the_same_error_in_a_row_is_enough():
    failures = FailuresInARow()
    assert not any(failures.enough(error) for error in ("a", "a", "b", "b", "", "b", "b"))
    assert failures.enough("b") and SAME_FAILURES == 3
    assert not failures.enough("") and not failures.enough("") and not failures.enough("")


async def test_what_arrives_comes_next_and_beside_what_is_worked_on():
    done, go = [], asyncio.Event()
    waiting = Waiting(["long", "after"])

    async def work(item: str) -> str:
        if item == "long":
            waiting.add("arrived")
            await go.wait()
        if item == "arrived":
            go.set()
        done.append(item)
        return ""

    await asyncio.wait_for(work_off(waiting, work, 2, asyncio.Event()), 10)
    assert done.index("arrived") < done.index("long") and sorted(done) == ["after", "arrived", "long"]


async def test_one_at_a_time_what_arrives_comes_before_what_waited():
    done = []
    waiting = Waiting(["first", "second"])

    async def work(item: str) -> str:
        if item == "first":
            waiting.add("arrived")
        done.append(item)
        return ""

    await work_off(waiting, work, 1, asyncio.Event())
    assert done == ["first", "arrived", "second"]

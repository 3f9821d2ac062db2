"""Work on many things, with a limit on how many at a time. It ends early when continuing makes no sense."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
SAME_FAILURES = 3
"""After this many failures in a row with the same error, work stops: the next would fail too."""


class FailuresInARow:
    """Counts how often in a row the same thing went wrong."""

    def __init__(self) -> None:
        self._last = ""
        self._times = 0

    def enough(self, error: str) -> bool:
        """Takes in how a piece of work ended; empty means well. True from the `SAME_FAILURES`th time in a row on."""
        self._times = self._times + 1 if error == self._last else 1
        self._last = error
        return bool(error) and self._times >= SAME_FAILURES


class Places:
    """How many things are worked on at a time. One that waits for a person gives its place to another. When it goes on,
    there is one too many, until any of them ends.
    """

    def __init__(self, most: int):
        self.most = most
        self.given = 0
        """Places that were given to others."""
        self.open: Callable[[], None] = lambda: None
        """Begins another thing, if there is a place."""

    def give(self) -> None:
        """One waits."""
        self.given += 1
        self.open()

    def take_back(self) -> None:
        """One goes on."""
        self.given -= 1


class Waiting(Generic[T]):
    """What waits to be worked on. More may come while others are worked on, and comes next."""

    def __init__(self, items: Iterable[T]):
        self._items = deque(items)
        self.arrived: Callable[[], None] = lambda: None
        """Hears that something came."""

    def add(self, item: T) -> None:
        """Puts something in front. Call it only while something is worked on."""
        self._items.appendleft(item)
        self.arrived()

    def __len__(self) -> int:
        return len(self._items)

    def take(self) -> T:
        return self._items.popleft()


async def work_off(
    waiting: Sequence[T] | Waiting[T],
    work: Callable[[T], Awaitable[str]],
    concurrency: int | Places,
    stopping: asyncio.Event,
) -> str:
    """Does `work` on everything that waits, in order, on at most `concurrency` things at a time.

    Args:
        waiting: What to work on.
        work: Returns why nothing else may begin; empty to continue.
        concurrency: At least 1. `Places` where what is worked on may give its place to another.
        stopping: Once it is set, nothing else begins.

    Returns:
        Why it ended early, from the last `work` that gave a reason; empty when it did not, or when `stopping` ended it.

    Raises:
        Exception: What `work` raises, the first of them; all other work is cancelled.
    """
    todo = waiting if isinstance(waiting, Waiting) else Waiting(waiting)
    places = concurrency if isinstance(concurrency, Places) else Places(concurrency)
    stopped = ""
    busy = 0

    async def go_on() -> None:
        nonlocal stopped, busy
        try:
            while todo and not (stopped or stopping.is_set()) and busy <= places.most + places.given:
                stopped = await work(todo.take()) or stopped
        finally:
            busy -= 1

    try:
        async with asyncio.TaskGroup() as group:

            def begin() -> None:
                nonlocal busy
                if todo and busy < places.most + places.given:
                    busy += 1
                    group.create_task(go_on())

            places.open = todo.arrived = begin
            for _ in range(min(places.most, len(todo))):
                begin()
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return stopped

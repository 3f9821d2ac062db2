"""Work on many things, with a limit on how many at a time. It ends early when continuing makes no sense."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

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


async def work_off(
    waiting: Sequence[T], work: Callable[[T], Awaitable[str]], concurrency: int, stopping: asyncio.Event
) -> str:
    """Does `work` on everything that waits, in order, on at most `concurrency` things at a time.

    Args:
        waiting: What to work on.
        work: Returns why nothing else may begin; empty to continue.
        concurrency: At least 1.
        stopping: Once it is set, nothing else begins.

    Returns:
        Why it ended early, from the last `work` that gave a reason; empty when it did not, or when `stopping` ended it.

    Raises:
        Exception: What `work` raises, the first of them; all other work is cancelled.
    """
    todo = iter(waiting)
    stopped = ""

    async def go_on() -> None:
        nonlocal stopped
        for item in todo:
            if stopped or stopping.is_set():
                return
            stopped = await work(item) or stopped

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(waiting))):
                group.create_task(go_on())
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return stopped

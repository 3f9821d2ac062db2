"""Batcher: calls that are answered together. It waits for calls, never for time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from embodied.types import Reply

Request = TypeVar("Request")
AnswerAll = Callable[[Sequence[Request]], Awaitable[Sequence[Reply | Exception]]]


class Batcher(Generic[Request]):
    """Collects calls, and has them answered together once every live episode waits for one, or the batch is full.

    `live` tells it how many episodes are live. Before that, a call is answered as soon as the model is free. As
    long as the episodes are not more than a batch holds, which calls are answered together depends only on the
    episodes.

    Args:
        answer: Answers calls together; gives a reply or an error for each.
        size: Calls that are answered together at most; asked again every time.
    """

    def __init__(self, answer: AnswerAll[Request], size: Callable[[], int]):
        self._answer = answer
        self._size = size
        self._live = 0
        self._waiting: deque[tuple[Request, asyncio.Future[Reply]]] = deque()
        self._serving: asyncio.Task[None] | None = None

    def live(self, episodes: int) -> None:
        """Sets the number of episodes that are being played."""
        self._live = episodes
        # Not at once: when one episode ends and the next begins in its place, no call must be answered in between.
        asyncio.get_running_loop().call_soon(self._consider)

    async def ask(self, request: Request) -> Reply:
        """The reply to `request`, or its error."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        self._consider()
        return await future

    def _consider(self) -> None:
        while self._waiting and self._waiting[0][1].cancelled():
            self._waiting.popleft()
        waiting = sum(not future.cancelled() for _, future in self._waiting)
        if self._serving is None and waiting and waiting >= min(self._live, self._size()):
            batch: list[tuple[Request, asyncio.Future[Reply]]] = []
            while self._waiting and len(batch) < self._size():
                call = self._waiting.popleft()
                batch += [call] * (not call[1].cancelled())
            self._serving = asyncio.create_task(self._serve(batch))

    async def _serve(self, batch: list[tuple[Request, asyncio.Future[Reply]]]) -> None:
        for _, future in batch:
            future.add_done_callback(lambda _: self._leave(batch))
        (answers,) = await asyncio.gather(self._answer([request for request, _ in batch]), return_exceptions=True)
        for (_, future), answer in zip(
            batch, [answers] * len(batch) if isinstance(answers, BaseException) else answers, strict=True
        ):
            if future.done():
                continue
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        self._serving = None
        self._consider()

    def _leave(self, batch: list[tuple[Request, asyncio.Future[Reply]]]) -> None:
        """When all calls that wait for a batch have been cancelled, the batch is cancelled, too."""
        if self._serving is not None and all(future.cancelled() for _, future in batch):
            self._serving.cancel()
            self._serving = None
            self._consider()

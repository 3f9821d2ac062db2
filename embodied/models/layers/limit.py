"""Limit: how many calls are under way at a time, learnt from the provider's own 429s (additive increase, multiplicative
decrease).
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from embodied.errors import ModelBusy
from embodied.models.base import Layer, Model
from embodied.types import Message, Reply, Settings


class Rate:
    """Places for calls. There is no limit until the provider says that there is one.

    At a `ModelBusy` the limit becomes half of what is under way, at least 1; once for all calls that had been sent by
    then, because they all met the same crowd. Each call that succeeds while the limit binds raises it by 1 / limit: by
    1 in the time of one round (Chiu and Jain 1989; TCP's congestion avoidance).
    """

    def __init__(self) -> None:
        self.limit = math.inf
        self.under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._sent = 0
        self._reduced_at = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place for one call, given in the order in which they are asked for."""
        if self._waiting or not self._free():
            await self._wait()
        else:
            self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._admit()

    def sent(self) -> int:
        """Counts an attempt; its number is for `busy`."""
        self._sent += 1
        return self._sent

    def succeeded(self) -> None:
        if self.under_way + 1 > self.limit:
            self.limit += 1 / self.limit
            self._admit()

    def busy(self, number: int) -> None:
        """The attempt of this number was refused for the rate of calls."""
        if number > self._reduced_at:
            self.limit = max(1.0, min(self.limit, self.under_way) / 2)
            self._reduced_at = self._sent

    def _free(self) -> bool:
        return self.under_way + 1 <= self.limit

    async def _wait(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove(turn)
            else:  # the place was given at the same moment
                self.under_way -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._free():
            self.under_way += 1
            self._waiting.popleft().set_result(None)


class Limit(Layer):
    """Goes around the retry layer: a call keeps its place while it waits to be tried again, and waiting for a place is
    not part of its time.
    """

    def __init__(self, model: Model, rate: Rate):
        super().__init__(model)
        self._rate = rate

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        async with self._rate.place():
            return await self._model.generate(messages, settings)


class Sense(Layer):
    """Goes below the retry layer, where every attempt is seen, and tells `rate` how it went."""

    def __init__(self, model: Model, rate: Rate):
        super().__init__(model)
        self._rate = rate

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        number = self._rate.sent()
        try:
            reply = await self._model.generate(messages, settings)
        except ModelBusy:
            self._rate.busy(number)
            raise
        self._rate.succeeded()
        return reply

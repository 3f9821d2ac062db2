"""Retry: a Model around a Model that tries again when another attempt may work, for a bounded number of times and a
bounded time.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import re
import time
from collections.abc import Awaitable, Callable, Sequence

import tenacity

from embodied.errors import ModelAbsent, ModelErred, ModelFailure, ModelTimeout, ModelUnavailable
from embodied.models.base import Layer, Model
from embodied.seeding import derive
from embodied.types import Message, Reply, Settings

FIRST_WAIT = 1.0
"""Seconds before the second attempt; doubles with each attempt after it."""
LONGEST_WAIT = 60.0
"""Seconds; a server's own Retry-After may ask for more."""


SAME_ERRORS = 3
"""How often a call is tried when the provider fails with the same words each time: it would fail again."""
_NUMBERED = re.compile(r"\w*\d\w*")
"""Numbers and request ids, which differ between the same words."""


class Retry(Layer):
    """Tries a call again after `ModelUnavailable`, never after `ModelRefused`; a `ModelErred` of the same words is the
    last at `SAME_ERRORS`.

    If there is no server (`ModelAbsent`) and none has answered before, a call fails at once. A server that has answered
    before may be restarting.

    Waits double from `FIRST_WAIT` to `LONGEST_WAIT`, shortened by up to half from a random stream of its own, so that
    episodes that failed together do not try again together. A Retry-After from the server is honoured: never sooner,
    and if it lies beyond `total_seconds` the call fails at once.

    Args:
        model: The model to call.
        attempts: How often a call is tried in all, at least 1.
        total_seconds: What all attempts of a call and the waits between them may take.
        seed: Root of the random stream.
        sleep: Waits for some seconds; tests replace it.
    """

    def __init__(
        self,
        model: Model,
        attempts: int = 5,
        total_seconds: float = 900.0,
        seed: int = 0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ):
        super().__init__(model)
        self._attempts = attempts
        self._total = total_seconds
        self._random = random.Random(derive(seed, "retry", model.name))
        self._sleep = sleep
        self._met = False

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        start = time.monotonic()
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(self._may_work),
            stop=tenacity.stop_after_attempt(self._attempts) | tenacity.stop_before_delay(self._total) | _Same(),
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        tried = 0
        try:
            async for attempt in retrying:
                with attempt:
                    tried = attempt.retry_state.attempt_number
                    reply = await self._once(messages, settings, self._total - (time.monotonic() - start))
        except ModelUnavailable as error:
            raise self._given_up(error, tried) from error
        return dataclasses.replace(reply, attempts=tried)

    async def _once(self, messages: Sequence[Message], settings: Settings, seconds_left: float) -> Reply:
        try:
            async with asyncio.timeout(seconds_left):
                reply = await self._model.generate(messages, settings)
        except TimeoutError:
            raise ModelTimeout(f"{self.name}: no answer within model.total_seconds={self._total:g}.") from None
        self._met = True
        return reply

    def _may_work(self, error: BaseException) -> bool:
        return isinstance(error, ModelFailure) and error.retryable and (self._met or not isinstance(error, ModelAbsent))

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        backoff: float = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (state.attempt_number - 1)) * self._random.uniform(
            0.5, 1.0
        )
        asked = error.retry_after if isinstance(error, ModelUnavailable) else None
        return max(backoff, asked or 0.0)

    def _given_up(self, error: ModelUnavailable, attempts: int) -> ModelUnavailable:
        if isinstance(error, ModelAbsent) and attempts == 1:
            return error
        # Without the seconds: the runner stops when episodes fail with the same words.
        asked = f" The server asked to wait {error.retry_after:g} s." if error.retry_after else ""
        return type(error)(
            f"{error}{asked} Gave up after {attempts} {'attempt' if attempts == 1 else 'attempts'}.", error.retry_after
        )


class _Same(tenacity.stop.stop_base):
    """Stops a call at the error that is the same `ModelErred` for the `SAME_ERRORS`-th time in a row."""

    def __init__(self) -> None:
        self._said, self._times = "", 0

    def __call__(self, state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        said = _NUMBERED.sub("", str(error)) if isinstance(error, ModelErred) else ""
        self._said, self._times = said, self._times + 1 if said and said == self._said else 1
        return bool(said) and self._times >= SAME_ERRORS

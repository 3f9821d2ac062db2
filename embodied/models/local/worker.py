"""One thread that owns a local engine: its calls run one after another, off the event loop, and can be stopped."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from embodied.errors import ModelRefused, ModelTimeout

T = TypeVar("T")


class Halt:
    """Asked by an engine between two tokens: should it stop?"""

    def __init__(self) -> None:
        self._until = math.inf
        self.cancelled = threading.Event()

    def begin(self, seconds: float) -> None:
        """Starts the time allowed."""
        self._until = time.monotonic() + seconds

    @property
    def late(self) -> bool:
        return time.monotonic() > self._until

    def __call__(self) -> bool:
        return self.cancelled.is_set() or self.late


class EngineThread:
    """Runs an engine's calls in one thread of its own.

    Args:
        model: `provider/name`, for messages.
        timeout: Seconds a call may run; waiting for earlier calls does not count.
    """

    def __init__(self, model: str, timeout: float):
        self._model = model
        self._timeout = timeout
        self._closed = False
        self._running: Halt | None = None
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=model.partition("/")[0])

    async def run(self, job: Callable[[Halt], T]) -> T:
        """Runs `job`, which must return soon after its `Halt` says so; what it returns then does not matter.

        When the caller is cancelled the job is told to stop, and dropped if it has not begun.

        Raises:
            ModelRefused: The worker is closed.
            ModelTimeout: The job ran longer than allowed.
        """
        if self._closed:
            raise ModelRefused(f"{self._model} is closed.")
        halt = Halt()

        def call() -> T:
            halt.begin(self._timeout)
            self._running = halt
            result = job(halt)
            if halt.cancelled.is_set():
                raise ModelRefused(f"{self._model} is closed.")
            if halt.late:
                raise ModelTimeout(
                    f"{self._model}: no complete reply within {self._timeout:g} s. Raise model.timeout, or lower"
                    " model.max_tokens."
                )
            return result

        future = self._pool.submit(call)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.cancel()
            halt.cancelled.set()
            raise

    def close(self) -> None:
        """Drops calls that have not begun, stops the one that runs, and waits for it."""
        self._closed = True
        if self._running is not None:
            self._running.cancelled.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

"""One thread that owns a local engine: its calls run one after another, off the event loop, and can be stopped."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from embodied.errors import ModelRefused, ModelTimeout

T = TypeVar("T")


class Halt:
    """Asked by an engine between two tokens: should it stop?"""

    def __init__(self, seconds: float):
        self._until = time.monotonic() + seconds
        self.cancelled = threading.Event()

    @property
    def late(self) -> bool:
        return time.monotonic() > self._until

    def __call__(self) -> bool:
        return self.cancelled.is_set() or self.late


class Worker:
    """Runs an engine's calls in one thread of its own.

    Args:
        model: `provider/name`, for messages.
        timeout: Seconds a call may run; waiting for earlier calls does not count.
    """

    def __init__(self, model: str, timeout: float):
        self._model = model
        self._timeout = timeout
        self._closed = False
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=model.partition("/")[0])

    async def run(self, job: Callable[[Halt], T]) -> T:
        """Runs `job`. When the caller is cancelled the job is told to stop, and dropped if it has not begun.

        Raises:
            ModelRefused: The worker is closed.
            ModelTimeout: It ran longer than allowed; `job` must return soon after its `Halt` says so, whatever it returns then.
        """
        if self._closed:
            raise ModelRefused(f"{self._model} is closed.")
        halts: list[Halt] = []

        def call() -> T:
            halt = Halt(self._timeout)
            halts.append(halt)
            result = job(halt)
            if halt.late:
                raise ModelTimeout(f"{self._model}: no complete reply within {self._timeout:g} s. Raise model.timeout, or lower model.max_tokens.")
            return result

        future = self._pool.submit(call)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.cancel()
            for halt in halts:
                halt.cancelled.set()
            raise

    def close(self) -> None:
        """Drops calls that have not begun, and waits for the one that runs."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

"""Ctrl-C while a run plays: once to finish the steps in flight, twice to stop now. What is recorded can be resumed either way."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible(stopping: asyncio.Event) -> Iterator[None]:
    """Turns the first SIGINT or SIGTERM into `stopping.set()` and the second into a cancellation of the present task."""
    if threading.current_thread() is not threading.main_thread():  # signals are for the main thread
        yield
        return
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    heard = False

    def handle(*_: object) -> None:
        nonlocal heard
        if heard:
            loop.call_soon_threadsafe(task.cancel)
        else:
            heard = True
            loop.call_soon_threadsafe(stopping.set)
            print("Stopping after the steps in flight. Ctrl-C again stops now; either way the run can be resumed.", file=sys.stderr, flush=True)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

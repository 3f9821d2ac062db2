"""Ctrl-C while a run plays: once to let steps in progress finish for a moment; twice to stop now. What is recorded can
be resumed either way.

A slow call looks like one that hangs. So everything that has not ended `FINISHING` seconds after the first signal is
cancelled. Something may be impossible to cancel: if the process has not ended after `AT_LAST` seconds, it is ended as
it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

FINISHING = 2.5
"""Seconds that calls and steps in flight have to end after the first signal."""
AT_LAST = 4.0
"""Seconds after which nothing delays the end any more: a model or an agent may hang in a thread of this process."""
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
INTERRUPTED = 130
"""Exit code."""


class Bound:
    """Ends this process some seconds after it was told to stop, unless that is cancelled."""

    def __init__(self, cleanup: Callable[[], None] = lambda: None):
        """`cleanup` must neither wait nor fail."""
        self._cleanup = cleanup
        self.loading = False
        """Whether libraries and models are being loaded, which nothing can stop halfway. Nothing hangs then."""
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """From now on there are `AT_LAST` seconds left."""
        self._timer = threading.Timer(AT_LAST, self._end)
        self._timer.daemon = True
        self._timer.start()

    def call_off(self) -> None:
        """All has ended in good order."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        say(
            "Stopped while libraries or a model were being loaded. Nothing recorded is lost: the same command starts"
            " again."
            if self.loading
            else "Something in this process hangs, and embodied does not wait for it. Nothing recorded is lost: the"
            " same command continues from here."
        )
        self._cleanup()
        os._exit(INTERRUPTED)


def run(main: Callable[[Bound], Coroutine[Any, Any, T]], cleanup: Callable[[], None] = lambda: None) -> T:
    """As `asyncio.run`, for a coroutine that hands what it is given to `interruptible`.

    Raises:
        asyncio.CancelledError: It was interrupted.
    """
    bound = Bound(cleanup)
    try:
        return asyncio.run(main(bound))
    finally:
        bound.call_off()


def ended(busy: str) -> int:
    """The exit code after an interruption. If a thread whose name begins with `busy` still works, the process ends
    here: nothing can stop that thread, and Python must not be taken down under it.
    """
    if any(thread.name.startswith(busy) for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(INTERRUPTED)
    return INTERRUPTED


@contextmanager
def interruptible(stopping: asyncio.Event, bound: Bound) -> Iterator[None]:
    """Turns the first SIGINT, SIGTERM or SIGHUP into `stopping.set()`, and the second, or `FINISHING` seconds, into a
    cancellation of the present task.
    """
    if threading.current_thread() is not threading.main_thread():  # signals are for the main thread
        yield
        return
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # a coroutine runs in a task
    terminals = [descriptor for descriptor in (1, 2) if _is_terminal(descriptor)]
    heard = False

    def handle(number: int, _: object) -> None:
        nonlocal heard
        if number == getattr(signal, "SIGHUP", None):
            _leave(terminals)
        if heard:
            loop.call_soon_threadsafe(task.cancel)
            return
        heard = True
        bound.begin()
        loop.call_soon_threadsafe(stopping.set)
        loop.call_soon_threadsafe(lambda: loop.call_later(FINISHING, task.cancel))
        say(
            f"Stopping: steps in progress have {FINISHING:g} s to finish. Ctrl-C again stops now. Either way the run"
            " can be resumed."
        )

    # A signal that is ignored stays ignored: `nohup` does that with SIGHUP.
    before = {
        number: signal.signal(number, handle) for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(text: str) -> None:
    """Prints on standard error, where there is one."""
    with contextlib.suppress(OSError, ValueError):  # the reader may be gone
        print(text, file=sys.stderr, flush=True)


def _is_terminal(descriptor: int) -> bool:
    with contextlib.suppress(OSError):
        return os.isatty(descriptor)
    return False


def _leave(terminals: list[int]) -> None:
    """The terminal has gone: what is printed from now on would be an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in terminals:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)

"""Keyboard: lines from standard input, while the event loop runs.

Python cannot stop a thread that waits for input. So a wait that is given up leaves its thread behind: what is typed
then belongs to the next wait. The thread does not keep the process alive.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from types import BuiltinFunctionType
from typing import Any, NoReturn

try:
    import termios
except ModuleNotFoundError:  # not on Windows
    termios = None  # type: ignore[assignment]  # a module has no type of its own

BLOCK = 65_536
"""Bytes that are read from a pipe at a time."""


class Keyboard:
    """Standard input of this process."""

    def __init__(self) -> None:
        self._reading: Future[str] | None = None
        self._rest = b""
        self._edited: list[Any] | None = None
        """What the terminal was set to while a line was edited that nobody waited for any more."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken: asyncio.Event | None = None

    async def line(self, prompt: str) -> str:
        """The next line, without its end. The event loop goes on while a person thinks and types.

        Raises:
            EOFError: There is no further line.
            KeyboardInterrupt: See `interrupt`.
            UnicodeDecodeError: It is not text in the encoding of standard input.
        """
        loop, woken = self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        before = _terminal()
        reading = self._reading
        if reading is None:
            reading = self._reading = Future()
            reading.set_running_or_notify_cancel()  # so that nobody can cancel it
            threading.Thread(target=self._read, args=(prompt, reading), daemon=True, name="keyboard").start()
        else:
            _set_terminal(self._edited)
            print(prompt, end="", flush=True)
        reading.add_done_callback(lambda _: _wake(loop, woken))
        try:
            await woken.wait()
            if not reading.done():
                raise KeyboardInterrupt
        finally:
            self._woken = None
            if reading.done():
                self._reading = None
            else:
                self._edited = _terminal()
                _set_terminal(before)
        return reading.result()

    def interrupt(self) -> None:
        """Ends the present wait with `KeyboardInterrupt`, at once. For a signal handler."""
        if self._loop is not None and self._woken is not None:
            _wake(self._loop, self._woken)

    def _read(self, prompt: str, reading: Future[str]) -> None:
        """What the thread does."""
        try:
            line = self._from_pipe(prompt) if _is_pipe() else input(prompt)
        except BaseException as error:  # noqa: BLE001 - raised again where the line is waited for
            reading.set_exception(error)
        else:
            reading.set_result(line)

    def _from_pipe(self, prompt: str) -> str:
        """As `input`. A thread that waits in `input` for a pipe holds a lock without which Python cannot end."""
        print(prompt, end="", flush=True)
        while b"\n" not in self._rest:
            block = os.read(sys.stdin.fileno(), BLOCK)
            if not block and not self._rest:
                raise EOFError
            self._rest += block or b"\n"
        line, _, self._rest = self._rest.partition(b"\n")
        return line.removesuffix(b"\r").decode(sys.stdin.encoding, sys.stdin.errors or "strict")


KEYBOARD = Keyboard()
"""There is one standard input."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Lets Ctrl-C end the wait for a line at once: the handler that is in place may leave the present step time to end,
    and this step ends only when the person says so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: KEYBOARD.interrupt())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def leave() -> NoReturn:
    """Stops the run as Ctrl-C does: what is recorded stays.

    Raises:
        KeyboardInterrupt: Always, unless it is cancelled before.
    """
    # to asyncio's handler, which is back in place and cancels everything in good order
    signal.raise_signal(signal.SIGINT)
    await asyncio.sleep(1)
    raise KeyboardInterrupt from None


def _wake(loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
        loop.call_soon_threadsafe(woken.set)


def _is_pipe() -> bool:
    """Whether standard input is this process's own, and no terminal. A notebook has an `input` of its own."""
    own = isinstance(builtins.input, BuiltinFunctionType) and sys.stdin is sys.__stdin__
    return own and sys.__stdin__ is not None and not sys.__stdin__.isatty()


def _terminal() -> list[Any] | None:
    """The settings of the terminal; None where there is none."""
    own = sys.__stdin__
    if termios is None or own is None or sys.stdin is not own or not own.isatty():
        return None
    return termios.tcgetattr(own)


def _set_terminal(settings: list[Any] | None) -> None:
    if settings is not None and termios is not None:
        termios.tcsetattr(sys.stdin, termios.TCSANOW, settings)

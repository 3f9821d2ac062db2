"""Frames of a step on their way to who watches: they never hold up the step. What does not fit is dropped."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

from embodied.arrays import Pixels
from embodied.envs.base import Frame
from embodied.rollout.worlds.frame_png import encode_frame
from embodied.store.codec import pack

WAITING = 16
"""Frames that wait at most, on each side."""
REAL_TIME = 1.0
"""The pace of a clock: a second of the environment's time takes a second."""
LONGEST_WAIT = 10.0
"""Seconds that a step waits for who watches at most, so that it does not look like one that hangs."""


class Shown(msgspec.Struct):
    """A frame as it travels."""

    env: int
    """Number of the environment in its pool."""
    step: int
    """Number of the step that it belongs to."""
    frame: int
    """Number of the frame in its step, from 0; numbers are missing where frames were dropped."""
    seconds: float
    """How long it lasts, in the environment's time."""
    png: bytes


class Projector:
    """The worker's side: draws the frames of steps, and sends them from a thread of its own.

    Args:
        send: Sends a packed `Shown`. It may wait.
    """

    def __init__(self, send: Callable[[bytes], None]):
        self._send = send
        self._waiting: queue.Queue[tuple[Shown, Pixels]] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None

    def watch(self, env: int, step: int, pace: float = 0.0) -> Callable[[Frame], None]:
        """What the frames of one step are told to.

        Args:
            env: Number of the environment.
            step: Number of the step.
            pace: Seconds of the clock that a second of the environment's time takes at least; 0 to wait for nobody.
                The step waits behind each frame, so that a person can speak while they see it.
        """
        number = -1
        began = due = time.monotonic()

        def show(frame: Frame) -> None:
            nonlocal due
            draw(frame)
            if pace > 0:
                due = min(due + pace * frame.seconds, began + LONGEST_WAIT)
                time.sleep(max(0.0, due - time.monotonic()))

        def draw(frame: Frame) -> None:
            nonlocal number
            number += 1
            if self._waiting.full():
                return
            try:
                picture = frame.draw()
            except Exception:  # noqa: BLE001  an episode must not end because someone watches; `check` tells of it
                return
            # this thread alone puts frames there
            self._waiting.put_nowait((Shown(env, step, number, frame.seconds, b""), picture))

        if self._thread is None:
            self._thread = threading.Thread(target=self._project, daemon=True)
            self._thread.start()
        return show

    def _project(self) -> None:
        while True:
            shown, picture = self._waiting.get()
            try:
                shown.png = encode_frame(picture)
                self._send(pack(shown))
            except (TypeError, ValueError):  # this is not a picture
                continue
            except OSError:  # the parent is gone
                return


class Watcher:
    """The parent's side: the newest frames, until someone takes them. Give it to `Environment.watcher`."""

    def __init__(self) -> None:
        self.unseen = ""
        """Why no frames come, in a sentence for who watches; empty where they can come. Known after the first step."""
        self.pace = 0.0
        """Seconds of the clock that a second of the environment's time takes at least; 0 for as fast as possible."""
        self._waiting: deque[Shown] = deque(maxlen=WAITING)

    def show(self, shown: Shown) -> None:
        """Takes a frame; the oldest one that waits goes where there are too many. Subclasses may do more, quickly."""
        self._waiting.append(shown)

    def take(self) -> list[Shown]:
        """The frames that wait, in order."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

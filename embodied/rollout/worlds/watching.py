"""Frames of a step on their way to who watches: they never hold up the step. What does not fit is dropped."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable

import msgspec

from embodied.arrays import Pixels
from embodied.envs.base import Frame
from embodied.rollout.worlds.frame_png import encode_frame
from embodied.store.codec import pack

WAITING = 16
"""Frames that wait at most, on each side."""


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

    def watch(self, env: int, step: int) -> Callable[[Frame], None]:
        """What the frames of one step are told to."""
        number = -1

        def show(frame: Frame) -> None:
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
        self._waiting: deque[Shown] = deque(maxlen=WAITING)

    def show(self, shown: Shown) -> None:
        """Takes a frame; the oldest one that waits goes where there are too many. Subclasses may do more, quickly."""
        self._waiting.append(shown)

    def take(self) -> list[Shown]:
        """The frames that wait, in order."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

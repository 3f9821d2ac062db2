"""The program in a worker process: a host of environments that executes one request after another.

`python -m embodied.rollout.worlds.host` reads requests from standard input and writes answers to standard output. A
packet is four bytes of length, big-endian, and a msgpack record; an empty packet is a heartbeat, sent while a request
is being worked on. Where the highest bit of the length is set, the packet is a picture for who watches (`Shown`). The
parent sends an empty packet while a step is being worked on: then the step is interrupted behind its next frame.
Simulators that print do so on standard error. The process ends with its parent.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
import time
from io import FileIO
from typing import BinaryIO

import msgspec

from embodied.blobs import MemoryBlobs
from embodied.envs.base import Asked
from embodied.errors import EmbodiedError, EnvironmentFailure
from embodied.rollout.worlds.environment import Answer, LocalEnvironment, Start, check_environment
from embodied.rollout.worlds.watching import Projector
from embodied.store.codec import pack
from embodied.types import TaskSpec

SHOWN = 1 << 31
"""This bit of a length marks a picture for who watches."""
BEAT = 1.0
"""Seconds between heartbeats."""


class Make(msgspec.Struct, tag=True):
    """Makes an environment for a moment, to see whether it can be made."""

    task: TaskSpec


class Reset(msgspec.Struct, tag=True):
    """Starts an episode; makes the environment `env` when there is none yet."""

    env: int
    task: TaskSpec
    seed: int


class Act(msgspec.Struct, tag=True):
    """Executes a phrase."""

    env: int
    action: str
    interrupt_at: int | None = None
    """Number of the frame behind which the step is interrupted."""
    watched: bool = False
    """Whether frames are drawn and sent."""
    step: int = 0
    """What the frames say of the step."""
    pace: float = 0.0
    """See `Watcher.pace`."""


class Close(msgspec.Struct, tag=True):
    """Frees an environment; does nothing when there is none."""

    env: int


Request = Make | Reset | Act | Close


class Response(msgspec.Struct):
    """The answer to a request: `free_text` to `Make`, `start` to `Reset`, `answer` to `Act`, `error` to any."""

    start: Start | None = None
    answer: Answer | None = None
    free_text: bool = False
    """Whether the environment takes any phrase, and not one of a list."""
    pictures: list[bytes] = []
    """PNGs that the observation refers to."""
    error: str = ""
    kind: str = ""
    """Class name of the error."""


class Outbox(MemoryBlobs):
    """Pictures of the observations made since the last `take`."""

    def take(self) -> list[bytes]:
        taken = list(self._data.values())
        self._data.clear()
        return taken


class Host:
    """Environments by number.

    Args:
        projector: Shows frames; without one they are not drawn.
        broken_off: Asked behind each frame whether the step must be interrupted there.
    """

    def __init__(self, projector: Projector | None = None, broken_off: Asked | None = None) -> None:
        self._outbox = Outbox()
        self._projector = projector
        self._broken_off = broken_off
        self._environments: dict[int, LocalEnvironment] = {}

    def handle(self, data: bytes) -> bytes:
        """Executes a packed request and returns the packed response."""
        request = msgspec.msgpack.decode(data, type=Request)
        try:
            response = self._execute(request)
            response.pictures = self._outbox.take()
            return pack(response)
        except EmbodiedError as error:
            return pack(Response(error=str(error), kind=type(error).__name__))
        except (
            TypeError,
            OverflowError,
            msgspec.MsgspecError,
        ) as error:  # from pack(): what the environment gave is not a plain record
            return pack(
                Response(
                    error=f"An environment gave what cannot be recorded: {error}", kind=EnvironmentFailure.__name__
                )
            )

    def close(self) -> None:
        for environment in self._environments.values():
            environment.close()

    def _execute(self, request: Request) -> Response:
        match request:
            case Make(task):
                return Response(free_text=check_environment(task))
            case Reset(env, task, seed):
                if env not in self._environments:
                    self._environments[env] = LocalEnvironment(task, self._outbox)
                return Response(start=self._environments[env].reset(seed))
            case Act(env, action, interrupt_at, watched, step, pace):
                watch = self._projector.watch(env, step, pace) if watched and self._projector else None
                answer = self._environments[env].step(
                    action, watch=watch, interrupt_at=interrupt_at, broken_off=self._broken_off
                )
                return Response(answer=answer)
            case Close(env):
                if environment := self._environments.pop(env, None):
                    environment.close()
                return Response()


class Channel:
    """Packets over two pipes; its heart beats while `busy`.

    Args:
        requests: Without a buffer, so that what waits in the pipe can be seen.
        answers: Where answers go.
    """

    def __init__(self, requests: FileIO, answers: BinaryIO):
        self._requests = requests
        self._answers = answers
        self._lock = threading.Lock()
        self.busy = False
        threading.Thread(target=self._beat, daemon=True).start()

    def read(self) -> bytes | None:
        """The next request; None at the end."""
        while (head := self._exactly(4)) is not None:
            if size := int.from_bytes(head):
                return self._exactly(size)
            # else: an interruption that came behind the end of its step
        return None

    def broken_off(self) -> bool:
        """Whether the step that is being worked on must be interrupted. While it is, nothing else comes."""
        waiting, _, _ = select.select([self._requests], [], [], 0)
        return bool(waiting) and self._exactly(4) is not None

    def write(self, data: bytes) -> None:
        with self._lock:
            self._answers.write(len(data).to_bytes(4) + data)
            self._answers.flush()

    def show(self, data: bytes) -> None:
        """Sends a picture to who watches."""
        with self._lock:
            self._answers.write((len(data) | SHOWN).to_bytes(4) + data)
            self._answers.flush()

    def _exactly(self, size: int) -> bytes | None:
        """So many bytes; None where the requests end before."""
        data = bytearray()
        while len(data) < size:
            if not (more := self._requests.read(size - len(data))):
                return None
            data += more
        return bytes(data)

    def _beat(self) -> None:
        while True:
            time.sleep(BEAT)
            if self.busy:
                try:
                    self.write(b"")
                except OSError:  # the parent is gone, and the request may never end
                    os._exit(1)


def guard() -> None:
    """Starts a small process that waits until this one ends in any way, and then ends all processes that simulators
    started. This process must lead its own group; else it does nothing.
    """
    if os.getpgrp() != os.getpid():
        return
    waiting, held = os.pipe()
    os.register_at_fork(after_in_child=lambda: os.close(held))
    command = ("/bin/sh", "-c", f"read line; kill -s KILL -- -{os.getpid()}")
    subprocess.Popen(
        command, stdin=waiting, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    os.close(waiting)


def main() -> None:
    """Serves until the requests end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: not even a step that hangs outlives the parent
    guard()
    requests, answers = FileIO(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    channel = Channel(requests, answers)
    host = Host(Projector(channel.show), channel.broken_off)
    while (request := channel.read()) is not None:
        channel.busy = True
        response = host.handle(request)
        channel.busy = False
        channel.write(response)
    host.close()


if __name__ == "__main__":
    main()

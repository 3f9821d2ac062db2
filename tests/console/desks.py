"""A run with a desk, as a user starts it, and people at it without a browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PATIENCE = 180.0
"""Seconds that a test waits for a state before it fails: many, for a loaded machine that imports torch."""


class Person:
    """A page without a browser."""

    def __init__(self, address: str, since: int = -1, key: str = ""):
        self.told: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        self.number = 0
        self.socket = self._open(address)
        self.post({"kind": "hello", "since": since, "key": key})
        self.welcome = self.until(lambda told: told["kind"] == "welcome")

    @staticmethod
    def _open(address: str) -> ClientConnection:
        origin = "/".join(address.split("/")[:3])
        return connect(
            address.replace("http", "ws", 1) + "ws",
            origin=origin,
            max_size=2**24,
            legacy=True,
            open_timeout=PATIENCE,
            ping_interval=None,  # a loaded machine is slow, and `until` has patience
        )

    def post(self, message: dict[str, Any]) -> None:
        self.socket.send(json.dumps(message))

    def until(self, found: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first message like this; what came before it is in `told`."""
        for message in self.told:
            if found(message):
                return message
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            message = self.until_next()
            if message is not None and found(message):
                return message
        raise AssertionError(f"never told; the last: {self.told[-3:]}")

    def until_next(self) -> dict[str, Any] | None:
        """The next message; None for a frame, which is kept."""
        data = self.socket.recv(timeout=PATIENCE)
        if isinstance(data, bytes):
            self.frames.append(data)
            return None
        self.told.append(json.loads(data))
        return self.told[-1]

    def ask(self, kind: str, episode: str = "", **fields: Any) -> dict[str, Any]:
        """What the desk answers."""
        self.number += 1
        number = self.number
        self.post({"kind": kind, "id": number, "episode": episode, **fields})
        return self.until(lambda told: told["kind"] == "answer" and told["id"] == number)

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Waits for an event with these fields."""
        return self.until(lambda told: told["kind"] == kind and all(told.get(k) == v for k, v in fields.items()))

    def close(self) -> None:
        self.socket.close()


class Desk:
    """A command that plays with a desk."""

    def __init__(self, process: subprocess.Popen[str], control: str, watch: str):
        self.process, self.control, self.watch = process, control, watch
        self.people: list[Person] = []

    def person(self, role: str = "control", **more: Any) -> Person:
        person = Person(self.control if role == "control" else self.watch, **more)
        self.people.append(person)
        return person

    def episode(self, person: Person) -> str:
        """The first episode that begins."""
        there = person.welcome["episodes"] or []
        if there:
            return str(there[0]["id"])
        return str(person.event("opened")["episode"])


@contextmanager
def at_desk(out: Path, *words: str) -> Iterator[Desk]:
    """`embodied eval ... --console` in a process of its own."""
    with at_desk_of("eval", "--out", str(out), "--console", *words) as desk:
        yield desk


@contextmanager
def at_desk_of(*words: str) -> Iterator[Desk]:
    """A command that plays with a desk, in a process of its own."""
    command = [sys.executable, "-m", "embodied", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        desk = None
        try:
            desk = Desk(process, _address(process, "The desk: "), _address(process, "To watch only: "))
            yield desk
        finally:
            try:
                for person in desk.people if desk is not None else ():
                    person.close()
            finally:
                process.terminate()


def _address(process: subprocess.Popen[str], before: str) -> str:
    """The next line, which is an address behind these words."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith(before):
        raise AssertionError(f"no desk, but {line!r}; exit code {process.poll()}")
    return line.removeprefix(before).strip()

"""The two virtual machines that text adventures are compiled for: the Z-machine in this process, Glulx in a child process.

Both take a line and answer with what the game prints. Nothing is asked of them beyond that, so a step costs what the interpreter
itself costs.
"""

from __future__ import annotations

import importlib.resources
import socket
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Protocol

import jericho

from embodied.errors import EnvironmentFailure


class Interpreter(Protocol):
    """A machine that plays one story file at a time."""

    def start(self, story: Path, seed: int) -> str:
        """Begins `story` anew and returns what it prints before the first command. Raises `EnvironmentFailure`.

        Args:
            story: The compiled game.
            seed: In [0, 2**31 - 1), for the machine's own random numbers. TextWorld's games reseed them with 1234 as play begins.
        """
        ...

    def send(self, command: str) -> str | None:
        """What the game answers to a line; None when it has quit. Raises `EnvironmentFailure` when the machine crashed or hangs."""
        ...

    def close(self) -> None:
        """Frees everything; `start` begins anew."""
        ...


def interpreter(story: Path) -> Interpreter:
    """A machine for the kind of `story`, told by its suffix."""
    return Glulx() if story.suffix == ".ulx" else ZMachine()


class ZMachine:
    """Plays .z8 files with jericho (Frotz as a library). There is no undo."""

    LIMIT = 198
    """Bytes of a command (jericho's input buffer)."""

    def __init__(self) -> None:
        self._frotz: jericho.FrotzEnv | None = None

    def start(self, story: Path, seed: int) -> str:
        if self._frotz is None or self._frotz.story_file != str(story).encode():
            self.close()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", jericho.UnsupportedGameWarning)  # said of every game outside jericho's own list
                self._frotz = jericho.FrotzEnv(str(story), seed + 1)
        self._frotz.seed(seed + 1)  # jericho takes 0 for "by the clock"
        text, _ = self._frotz.reset()
        return text

    def send(self, command: str) -> str:
        text, *_ = self._frotz.step(_fit(command, self.LIMIT))
        return text

    def close(self) -> None:
        self._frotz = None  # its destructor frees the library


class Glulx:
    """Plays .ulx files with the git interpreter that TextWorld ships, over a socket.

    The protocol (cheapglk/agent.c in TextWorld's sources): the child connects to a Unix socket, sends its output and waits for a line; every
    message is a big-endian length of four bytes and as many bytes of UTF-8. On exit it sends the bytes of `_EXIT` instead.
    """

    LIMIT = 255
    """Bytes of a command: the interpreter reads longer ones into the void, and plays what happens to lie in memory."""
    TIMEOUT = 20.0
    """Seconds of wall time that an answer may take; a game's turn takes about a millisecond."""
    _EXIT = b"\x7f\x10++"

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._story = Path()

    def start(self, story: Path, seed: int) -> str:
        """Begins `story`. This interpreter seeds itself by the clock, which matters to no TextWorld game: they all reseed it."""
        self.close()
        self._story = story
        with tempfile.TemporaryDirectory(prefix="embodied-") as folder, socket.socket(socket.AF_UNIX) as server:
            address = f"{folder}/s"
            try:
                server.bind(address)
            except OSError as error:
                raise EnvironmentFailure(f"The interpreter's socket {address} cannot be made ({error}). Set TMPDIR to a short, writable path.") from error
            server.listen(1)
            nowhere = subprocess.DEVNULL
            self._process = subprocess.Popen([_git_glulx(), story, "-g", address, "-q"], stdin=nowhere, stdout=nowhere, stderr=nowhere)
            self._socket = self._accept(server)
        text = self._receive()
        if text is None:
            raise self._failure("quit before it began")
        return _without_prompt(text)

    def send(self, command: str) -> str | None:
        if self._socket is None:
            raise self._failure("is not running")
        line = _fit(command, self.LIMIT).encode() or b" "  # it waits for at least a byte
        try:
            self._socket.sendall(len(line).to_bytes(4, "big") + line)
        except OSError as error:
            raise self._failure("crashed") from error
        text = self._receive()
        return None if text is None else _without_prompt(text)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __del__(self) -> None:
        self.close()

    def _accept(self, server: socket.socket) -> socket.socket:
        server.settimeout(0.05)
        deadline = time.monotonic() + self.TIMEOUT
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            connection.settimeout(self.TIMEOUT)
            return connection
        raise self._failure("did not start")

    def _receive(self) -> str | None:
        head = self._read(4)
        if head == self._EXIT:
            self.close()
            return None
        return self._read(int.from_bytes(head, "big")).decode(errors="replace")

    def _read(self, size: int) -> bytes:
        parts = b""
        while len(parts) < size:
            try:
                part = self._socket.recv(size - len(parts))
            except TimeoutError as error:
                raise self._failure(f"gave no answer within {self.TIMEOUT:.0f} s") from error
            except OSError as error:
                raise self._failure("crashed") from error
            if not part:
                raise self._failure("crashed")
            parts += part
        return parts

    def _failure(self, what: str) -> EnvironmentFailure:
        self.close()
        return EnvironmentFailure(f"The interpreter of {self._story} {what}; reset the environment to play on.")


def _fit(command: str, limit: int) -> str:
    """`command` as one that can be sent: no NUL (which crashes jericho), at most `limit` bytes, cut between characters."""
    return command.replace("\0", " ").encode(errors="replace")[:limit].decode(errors="ignore")


def _without_prompt(text: str) -> str:
    return text.removesuffix("\n>")


def _git_glulx() -> str:
    return str(importlib.resources.files("textworld") / "thirdparty" / "glulx" / "Git-Glulx" / "git-glulx-ml")

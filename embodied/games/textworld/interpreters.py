"""The two virtual machines that text adventures are compiled for, Z-machine and Glulx, each in a child process.

Both take a line and answer with what the game prints. So a step costs only what the interpreter itself costs. A line is
always a command for the game, never for the interpreter: this module turns the interpreter's own commands into plain
text. An answer has a limit of time and size; a child that exceeds one is ended. Children cannot write files.
"""

from __future__ import annotations

import importlib.resources
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Protocol

from embodied.errors import EnvironmentFailure
from embodied.games.textworld.commands import printable

if sys.platform == "linux":
    import resource


class Interpreter(Protocol):
    """A machine that plays one story file at a time."""

    def start(self, story: Path, seed: int) -> str:
        """Begins `story` from its start and returns what it prints before the first command. Raises
        `EnvironmentFailure`.

        Args:
            story: The compiled game.
            seed: In [0, 2**31 - 1), for the machine's own random numbers. TextWorld's games reseed them with 1234 as
                play begins.
        """
        ...

    def send(self, command: str) -> str | None:
        """What the game answers to a line; None when it has quit. Raises `EnvironmentFailure` when the machine crashed
        or hangs.
        """
        ...

    def close(self) -> None:
        """Frees everything; `start` begins again."""
        ...


def interpreter(story: Path) -> Interpreter:
    """A machine for the kind of `story`, told by its suffix."""
    return Glulx() if story.suffix == ".ulx" else ZMachine()


class _Child:
    """A child process that is spoken to through a socket: every message is a big-endian length of four bytes and as
    many bytes.
    """

    START = 60.0
    """Seconds of wall time until the process is there; it takes a fraction of one."""
    TIMEOUT = 20.0
    """Seconds of wall time that an answer may take; a game's turn takes a few milliseconds."""
    LONGEST = 1 << 20
    """Bytes of an answer. Games print some hundred."""
    _EXIT = b"\x7f\x10++"
    """What the Glulx interpreter sends in place of a length when it ends."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._story = Path()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __del__(self) -> None:
        self.close()

    def _launch(self, command: list[str | Path], pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
        """Starts the process in its own empty folder. It can talk through the socket only."""
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="embodied-")
        nowhere = subprocess.DEVNULL
        self._process = subprocess.Popen(
            command, stdin=nowhere, stdout=nowhere, stderr=nowhere, cwd=self._folder.name, pass_fds=pass_fds
        )
        return self._process

    def _send(self, message: bytes) -> None:
        if self._socket is None:
            raise self._failure("is not running")
        try:
            self._socket.sendall(len(message).to_bytes(4, "big") + message)
        except OSError as error:
            raise self._failure("crashed") from error

    def _receive(self, seconds: float | None = None) -> str | None:
        """The answer; None when the interpreter has ended."""
        seconds = self.TIMEOUT if seconds is None else seconds
        until = time.monotonic() + seconds
        head = self._read(4, until, seconds)
        if head == self._EXIT:
            self.close()
            return None
        size = int.from_bytes(head, "big")
        if size > self.LONGEST:
            raise self._failure(f"printed more than {self.LONGEST >> 20} MiB in one answer")
        return self._read(size, until, seconds).decode(errors="replace")

    def _read(self, size: int, until: float, seconds: float) -> bytes:
        if self._socket is None:
            raise self._failure("is not running")
        parts = bytearray()
        while len(parts) < size:
            try:
                self._socket.settimeout(max(0.001, until - time.monotonic()))
                part = self._socket.recv(size - len(parts))
            except TimeoutError as error:
                raise self._failure(f"gave no answer within {seconds:.0f} s") from error
            except OSError as error:
                raise self._failure("crashed") from error
            if not part:
                raise self._failure("crashed")
            parts += part
        return bytes(parts)

    def _failure(self, what: str) -> EnvironmentFailure:
        self.close()
        return EnvironmentFailure(f"The interpreter of {self._story} {what}; reset the environment to play on.")


class ZMachine(_Child):
    """Plays .z8 files with jericho (Frotz as a library), in a process that is kept from game to game. There is no undo.

    Frotz takes a line that begins with a backslash for a command of its own, a backslash within one for an escape, and
    the control characters 14 to 21 for keys that record, play back, restart and quit. A backslash is sent doubled,
    which stands for itself.
    """

    LIMIT = 198
    """Bytes of a command (jericho's input buffer)."""

    def start(self, story: Path, seed: int) -> str:
        if self._socket is None:
            ours, theirs = socket.socketpair()
            with theirs:
                self._socket = ours
                program = Path(__file__).with_name("zmachine_host.py")
                self._launch([sys.executable, "-P", program, str(theirs.fileno())], pass_fds=(theirs.fileno(),))
        self._story = story.absolute()
        # jericho takes 0 for "by the clock"
        self._send(json.dumps({"story": str(self._story), "seed": seed + 1}).encode())
        text = self._receive(self.START)
        if text is None:
            raise self._failure("quit before it began")
        return text

    def send(self, command: str) -> str | None:
        line = ""
        size = 0
        for character in printable(command):
            piece = "\\\\" if character == "\\" else character
            size += len(piece.encode())
            if size > self.LIMIT:
                break
            line += piece
        self._send(json.dumps({"command": line}).encode())
        return self._receive()


class Glulx(_Child):
    """Plays .ulx files with the git interpreter that TextWorld ships, in a process for each game.

    The protocol is cheapglk/agent.c in TextWorld's sources: the child connects to a Unix socket, sends its output and
    waits for a line.
    """

    LIMIT = 255
    """Bytes of a command: the interpreter reads longer ones into the void, and plays what happens to lie in memory."""

    def start(self, story: Path, seed: int) -> str:
        """Begins `story`. This interpreter seeds itself by the clock, which matters to no TextWorld game: they all
        reseed it.
        """
        self.close()
        self._story = story.absolute()
        self._folder = tempfile.TemporaryDirectory(prefix="embodied-")
        with socket.socket(socket.AF_UNIX) as server:
            address = f"{self._folder.name}/s"
            try:
                server.bind(address)
            except OSError as error:
                raise EnvironmentFailure(
                    f"The interpreter's socket {address} cannot be made ({error}). Set TMPDIR to a short, writable"
                    " path."
                ) from error
            server.listen(1)
            process = self._launch([_git_glulx(), self._story, "-g", address, "-q"])
            if sys.platform == "linux":
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
            self._socket = self._accept(server, process)
        text = self._receive()
        if text is None:
            raise self._failure("quit before it began")
        return _without_prompt(text)

    def send(self, command: str) -> str | None:
        self._send(_fit(printable(command), self.LIMIT).encode() or b" ")  # it waits for at least a byte
        text = self._receive()
        return None if text is None else _without_prompt(text)

    def _accept(self, server: socket.socket, process: subprocess.Popen[bytes]) -> socket.socket:
        server.settimeout(0.05)
        deadline = time.monotonic() + self.START
        while process.poll() is None and time.monotonic() < deadline:
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            return connection
        raise self._failure("did not start")


def _fit(command: str, limit: int) -> str:
    """`command` as one that can be sent: at most `limit` bytes, cut between characters."""
    return command.encode()[:limit].decode(errors="ignore")


def _without_prompt(text: str) -> str:
    return text.removesuffix("\n>")


def _git_glulx() -> str:
    return str(importlib.resources.files("textworld") / "thirdparty" / "glulx" / "Git-Glulx" / "git-glulx-ml")

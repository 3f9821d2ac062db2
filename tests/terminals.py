"""A program at a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Sequence


class Terminal:
    """Starts a command, which must show a prompt."""

    def __init__(self, command: Sequence[str], **variables: str):
        self._fd, inner = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", "LC_ALL": "C.UTF-8", **variables}
        self.process = subprocess.Popen(
            command,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C is a signal
        )
        os.close(inner)
        self.text = ""
        self.until("> ")

    def until(self, what: str) -> str:
        """Everything shown up to `what`, which must come."""
        limit = time.monotonic() + 60
        while what not in self.text:
            assert time.monotonic() < limit, f"{what!r} did not come after {self.text!r}"
            if select.select([self._fd], [], [], 1)[0]:
                try:
                    data = os.read(self._fd, 65536)
                except OSError:  # the other side is closed
                    data = b""
                assert data or what in self.text, f"{what!r} did not come before the end of {self.text!r}"
                self.text += data.decode(errors="replace").replace("\r\n", "\n")
        before, _, self.text = self.text.partition(what)
        return before + what

    def shows_more(self, seconds: float) -> bool:
        """Whether anything comes within so many seconds."""
        return bool(self.text or select.select([self._fd], [], [], seconds)[0])

    def type(self, keys: str | bytes) -> None:
        os.write(self._fd, keys if isinstance(keys, bytes) else keys.encode())

    def ask(self, line: str) -> str:
        """Types a line that gives no action; what is said to it."""
        self.type(line + "\n")
        self.until("\n")  # the echo
        return self.until("> ")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._fd)

"""The child process in which jericho (Frotz as a library) plays: a Z-machine that hangs, crashes or prints without end
harms no other process.

It is started with the number of a socket. Both directions speak the same way: a big-endian length of four bytes and as
many bytes of UTF-8. A request is JSON, `{"story": path, "seed": number}` or `{"command": text}`; the answer is what the
game prints. When the socket closes, the process ends at once.
"""

from __future__ import annotations

import json
import os
import queue
import resource
import socket
import sys
import threading
import warnings
from typing import Any

import jericho


class Host:
    """Answers requests."""

    def __init__(self) -> None:
        self._frotz: Any = None  # a jericho.FrotzEnv, which has no types, once a story was asked for
        self._unread = False  # whether lines of a command may wait in the library: they would be the next game's first

    def answer(self, request: dict[str, Any]) -> str:
        """What the game prints."""
        if "command" in request:
            self._unread |= not request["command"].isprintable()
            text, *_ = self._frotz.step(request["command"])
            return str(text)
        story, seed = request["story"], request["seed"]
        if self._frotz is None or self._unread or self._frotz.story_file != story.encode():
            self._frotz = None  # its destructor frees the library
            _let_write(True)
            with warnings.catch_warnings():
                # said of every game outside jericho's own list
                warnings.simplefilter("ignore", jericho.UnsupportedGameWarning)
                self._frotz = jericho.FrotzEnv(story, seed)  # copies its library
            _let_write(False)
        self._unread = False
        self._frotz.seed(seed)
        text, _ = self._frotz.reset()
        return str(text)


def _let_write(files: bool) -> None:
    """Whether this process may write files: while it plays, it may not."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most if files else 0, most))


def main(number: int) -> None:
    """Serves the socket of this file number until it closes."""
    connection = socket.socket(fileno=number)
    stream = connection.makefile("rb")
    requests: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        while len(head := stream.read(4)) == 4:
            requests.put(json.loads(stream.read(int.from_bytes(head, "big"))))
        os._exit(0)  # also in the middle of a command that does not end

    threading.Thread(target=read, daemon=True).start()
    host = Host()
    while True:
        answer = host.answer(requests.get()).encode()
        connection.sendall(len(answer).to_bytes(4, "big") + answer)


if __name__ == "__main__":
    main(int(sys.argv[1]))

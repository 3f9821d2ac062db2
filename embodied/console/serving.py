"""The rules of all our servers: only this machine's loopback address, a token in every address, strict security
headers.

Every address begins with a random token, so that neither another user's program nor a web page that guesses the port
can read a run; requests under another host name are refused (a page elsewhere could point its own name at this
machine).
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from embodied.errors import MissingExtra, UsageError

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import Response
except ModuleNotFoundError as error:
    raise MissingExtra("The viewer", "console") from error

SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


HOSTS = ["127.0.0.1", "localhost"]
LONGEST_MESSAGE = 64 * 1024
"""Bytes that a page may send in one message of a WebSocket."""


def guards(*tokens: str) -> list[Middleware]:
    """The guards of every server of ours: this machine's name, one of the tokens, the security headers."""
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS),
        Middleware(_Guard, tokens=tokens),
    ]


def listen(make: Callable[[str], Starlette], port: int, ready: Callable[[str], None]) -> None:
    """Serves the application that `make` makes of a fresh token, on loopback, until Ctrl-C. Raises `UsageError` when
    the port is taken or not allowed.
    """
    token = secrets.token_urlsafe(24)
    with _listening(port) as listening:
        ready(f"http://127.0.0.1:{listening.getsockname()[1]}/{token}/")
        uvicorn.Server(_config(make(token))).run(sockets=[listening])


@asynccontextmanager
async def listening_beside(app: Starlette, port: int) -> AsyncIterator[int]:
    """Serves an application on loopback beside what else runs in this event loop; yields the port. Ctrl-C is not its
    affair. Raises `UsageError` as `listen` does.
    """
    with _listening(port) as listening:
        server = _Beside(_config(app))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


class _Beside(uvicorn.Server):
    """A server that leaves signals to others."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        ws_max_size=LONGEST_MESSAGE,
        ws_per_message_deflate=False,  # pictures are packed already, and nothing leaves this machine
    )


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with listening:
        try:
            listening.bind(("127.0.0.1", port))
            listening.listen()  # from here on a browser that is quicker than the server waits
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"Cannot listen on port {port} of 127.0.0.1: {getattr(error, 'strerror', None) or error}. Name another"
                " one with --port."
            ) from error
        yield listening


class _Guard:
    """Refuses what does not begin with a token, and sets the security headers of every answer. A WebSocket must come
    from a page of this server: a browser lets any page open one.
    """

    def __init__(self, app: Any, tokens: tuple[str, ...]):
        self._app = app
        self._tokens = [token.encode() for token in tokens]

    async def __call__(
        self, scope: dict[str, Any], receive: Any, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]
    ) -> None:
        if scope["type"] == "websocket":
            if self._knows(scope) and own_page(scope):
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            return

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = [(k.lower().encode(), v.encode()) for k, v in SECURITY.items()]
                names = {k for k, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(h for h in own if h[0] not in names)]
            await send(message)

        if not self._knows(scope):
            response = Response(
                "Refused: open the whole address that was printed, token included.\n", 403, media_type="text/plain"
            )
            await response(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

    def _knows(self, scope: dict[str, Any]) -> bool:
        """Whether the address begins with one of the tokens. Each is compared, so that time tells nothing."""
        given = b"".join(scope["path"].encode("utf-8", "replace").split(b"/")[1:2])
        return any([secrets.compare_digest(given, token) for token in self._tokens])


def own_page(scope: dict[str, Any]) -> bool:
    """Whether the page that opens a WebSocket was served here: its origin is the host that it asks."""
    headers: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.lower(), []).append(value)
    host, origin = headers.get(b"host", []), headers.get(b"origin", [])
    return len(host) == 1 and origin == [b"http://" + host[0]]

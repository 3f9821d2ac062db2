"""The rules of all our servers: only this machine's loopback address, a token in every address, strict security
headers.

Every address begins with a random token, so that neither another user's program nor a web page that guesses the port
can read a run; requests under another host name are refused (a page elsewhere could point its own name at this
machine).
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Awaitable, Callable, MutableMapping
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


def guards(token: str) -> list[Middleware]:
    """The guards of every server of ours: this machine's name, the token, the security headers."""
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]),
        Middleware(_Guard, token=token),
    ]


def listen(make: Callable[[str], Starlette], port: int, ready: Callable[[str], None]) -> None:
    """Serves the application that `make` makes of a fresh token, on loopback, until Ctrl-C. Raises `UsageError` when
    the port is taken or not allowed.
    """
    token = secrets.token_urlsafe(24)
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()  # from here on a browser that is quicker than the server waits
    except (OSError, OverflowError) as error:
        listening.close()
        raise UsageError(
            f"Cannot listen on port {port} of 127.0.0.1: {getattr(error, 'strerror', None) or error}. Name another one"
            " with --port."
        ) from error
    ready(f"http://127.0.0.1:{listening.getsockname()[1]}/{token}/")
    config = uvicorn.Config(
        make(token), log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    with listening:
        uvicorn.Server(config).run(sockets=[listening])


class _Guard:
    """Refuses what does not begin with the token, and sets the security headers of every answer."""

    def __init__(self, app: Any, token: str):
        self._app = app
        self._token = token.encode()

    async def __call__(
        self, scope: dict[str, Any], receive: Any, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = [(k.lower().encode(), v.encode()) for k, v in SECURITY.items()]
                names = {k for k, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(h for h in own if h[0] not in names)]
            await send(message)

        given = scope["path"].encode("utf-8", "replace").split(b"/")[1:2]
        if not secrets.compare_digest(b"".join(given), self._token):
            response = Response(
                "Refused: open the whole address that was printed, token included.\n", 403, media_type="text/plain"
            )
            await response(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

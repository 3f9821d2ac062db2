"""The arena's server: a static page and a small JSON API on loopback, behind the same token and
headers as the viewer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path

import msgspec

from embodied.console.arena.arena import Arena
from embodied.console.arena.votes import Preferred, Votes
from embodied.console.serving import guards, listen
from embodied.console.viewer.library import NotFound
from embodied.errors import StoreError, UsageError
from embodied.store.codec import encode
from embodied.store.run import Run

# `embodied.console.serving` has told what to install where Starlette is missing.
from starlette.applications import Starlette  # isort: skip
from starlette.concurrency import run_in_threadpool  # isort: skip
from starlette.requests import Request  # isort: skip
from starlette.responses import Response  # isort: skip
from starlette.routing import Route  # isort: skip

STATIC = {
    "": "text/html; charset=utf-8",
    "arena.css": "text/css; charset=utf-8",
    "arena.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The page's files; "" is index.html. Nothing else is served from disk."""
LONGEST = 10_000
"""Bytes of a vote's request."""


class Ballot(msgspec.Struct, forbid_unknown_fields=True):
    """What the page sends."""

    match: str
    choice: Preferred


def serve(runs: Sequence[Run], votes: Path, port: int, ready: Callable[[str], None]) -> None:
    """Serves until Ctrl-C. Calls `ready` with the page's address once the port is taken.

    Raises:
        UsageError: The port is taken, or no two runs can be compared.
        StoreError: The votes cannot be read.
    """
    listen(partial(make_app, Arena(runs, Votes(votes))), port, ready)


def make_app(arena: Arena, token: str) -> Starlette:
    """The application. Every address is `/<token>/...`."""

    async def vote(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LONGEST:
                return Response("A vote is not that long.\n", 413, media_type="text/plain")
        try:
            ballot = msgspec.json.decode(body, type=Ballot)
        except msgspec.DecodeError as error:
            raise UsageError(f"A vote is a match and a choice (left, right or tie): {error}.") from error
        return _json(await run_in_threadpool(arena.vote, ballot.match, ballot.choice))

    routes = [
        Route("/{token}/", _static),
        Route("/{token}/static/{name}", _static),
        Route("/{token}/api/match", lambda r: _json(arena.match()), methods=["POST"]),
        Route("/{token}/api/step", lambda r: _json(arena.step(*_place(r)))),
        Route("/{token}/api/image", lambda r: Response(arena.image(*_place(r)), media_type="image/png")),
        Route("/{token}/api/vote", vote, methods=["POST"]),
        Route("/{token}/api/standings", lambda r: _json(arena.standings())),
    ]
    handlers = {NotFound: _answer(404), StoreError: _answer(500), UsageError: _answer(400)}
    return Starlette(routes=routes, middleware=guards(token), exception_handlers=handlers)


def _static(request: Request) -> Response:
    name = request.path_params.get("name", "")
    if name not in STATIC or (not name and "name" in request.path_params):
        return Response("There is no such file.\n", 404, media_type="text/plain")
    home = "embodied.console.viewer" if name == "icon.svg" else "embodied.console.arena"
    data = files(home).joinpath("static", name or "index.html").read_bytes()
    return Response(data, headers={"Content-Type": STATIC[name]})


def _place(request: Request) -> tuple[str, str, int]:
    """The match, side and step that a request names."""
    words = request.query_params
    index = words.get("index", "")
    if not (index.isascii() and index.isdigit() and len(index) < 10):
        raise UsageError("A step is a whole number.")
    return words.get("match", ""), words.get("side", ""), int(index)


def _json(body: object) -> Response:
    return Response(encode(body), media_type="application/json")


def _answer(status: int) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        return Response(f"{error}\n", status, media_type="text/plain")

    return answer

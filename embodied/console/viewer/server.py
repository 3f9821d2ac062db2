"""The viewer's server: one static page and a small JSON API, on this machine's loopback address only.

It stands behind the guards of `embodied.console.serving`. What models and simulators wrote is untrusted: it leaves here
as JSON or PNG only, and the page's policy allows no script but its own.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from embodied.console.serving import guards, listen
from embodied.console.viewer.library import Library, NotFound
from embodied.errors import StoreError, UsageError
from embodied.store.codec import encode

# `embodied.console.serving` has told what to install where Starlette is missing.
from starlette.applications import Starlette  # isort: skip
from starlette.requests import Request  # isort: skip
from starlette.responses import Response  # isort: skip
from starlette.routing import Route  # isort: skip

STATIC = {
    "": "text/html; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "viewer.css": "text/css; charset=utf-8",
    "source.js": "text/javascript; charset=utf-8",
    "widgets.js": "text/javascript; charset=utf-8",
    "diff.js": "text/javascript; charset=utf-8",
    "step.js": "text/javascript; charset=utf-8",
    "viewer.js": "text/javascript; charset=utf-8",
}
"""The page's files; "" is index.html. Nothing else is served from disk."""

MOST = 500
"""Rows, steps or results in one answer."""

Handler = Callable[[Request], Response]


def make_app(library: Library, token: str) -> Starlette:
    """The application. Every address is `/<token>/...`; without the right token the answer is 403
    whatever the address.
    """
    routes = [
        Route("/{token}/", _static),
        Route("/{token}/static/{name}", _static),
        Route("/{token}/api/runs", lambda r: _json(library.runs())),
        Route("/{token}/api/results", lambda r: _json(library.results(*_range(r)))),
        Route("/{token}/api/episode", lambda r: _json(library.episode(_word(r, "key")))),
        Route("/{token}/api/rows", lambda r: _json(library.rows(_word(r, "key"), *_range(r)))),
        Route("/{token}/api/steps", lambda r: _bytes(library.steps(_word(r, "key"), *_range(r)))),
        Route(
            "/{token}/api/messages",
            lambda r: _bytes(library.messages(_word(r, "key"), _word(r, "ids").split(",")[:MOST])),
        ),
        Route("/{token}/api/search", lambda r: _json(library.search(_word(r, "key"), _word(r, "words")))),
        Route("/{token}/api/difference", lambda r: _json(library.difference(_word(r, "a"), _word(r, "b")))),
        Route("/{token}/api/image", lambda r: _image(library, r)),
    ]
    return Starlette(
        routes=routes,
        middleware=guards(token),
        exception_handlers={NotFound: _missing, StoreError: _missing, UsageError: _malformed},
    )


def serve(library: Library, port: int, ready: Callable[[str], None]) -> None:
    """Serves until Ctrl-C. Calls `ready` with the page's address once the port is taken.

    Args:
        library: What to show.
        port: Port on 127.0.0.1; 0 for any free one.
        ready: Told the address; only who knows it can read anything.

    Raises:
        UsageError: The port is taken or not allowed.
    """
    listen(lambda token: make_app(library, token), port, ready)


def _static(request: Request) -> Response:
    name = request.path_params.get("name", "")
    if name not in STATIC or (not name and "name" in request.path_params):
        return Response("There is no such file.\n", 404, media_type="text/plain")
    return Response(
        files("embodied.console.viewer").joinpath("static", name or "index.html").read_bytes(),
        headers={"Content-Type": STATIC[name]},
    )


def _image(library: Library, request: Request) -> Response:
    digest = _word(request, "digest")
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise UsageError("A picture is named by its SHA-256, 64 hexadecimal digits.")
    data = library.image(_word(request, "key"), digest)
    return Response(data, media_type="image/png", headers={"Cache-Control": "private, max-age=86400, immutable"})


def _json(body: Any) -> Response:
    return _bytes(encode(body))


def _bytes(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def _word(request: Request, name: str) -> str:
    word = request.query_params.get(name, "")
    if not word:
        raise UsageError(f"The request lacks {name!r}.")
    return word


def _range(request: Request) -> tuple[int, int]:
    start, stop = _word(request, "start"), _word(request, "stop")
    if not (
        start.isascii() and start.isdigit() and stop.isascii() and stop.isdigit() and len(start) < 10 and len(stop) < 10
    ):
        raise UsageError("A range is two whole numbers, start and stop.")
    return int(start), min(int(stop), int(start) + MOST)


def _missing(_: Request, error: Exception) -> Response:
    return _problem(404, error)


def _malformed(_: Request, error: Exception) -> Response:
    return _problem(400, error)


def _problem(code: int, error: Exception) -> Response:
    return Response(encode({"error": str(error)}), code, media_type="application/json")

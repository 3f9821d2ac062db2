"""The viewer's server: a static page of a run, one of a folder of runs, and a small JSON API, on loopback only.

It stands behind the guards of `embodied.console.serving`. What models and simulators wrote is untrusted: it leaves here
as JSON or PNG only, and the page's policy allows no script but its own.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from embodied.console.serving import guards, listen
from embodied.console.viewer.library import Library, NotFound
from embodied.console.viewer.shelf import Shelf
from embodied.errors import StoreError, UsageError
from embodied.eval.report_parts import POLICY
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
"""The files of a run's page; "" is the page itself. Nothing else is served from disk."""

SHELF = {
    "": "text/html; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "viewer.css": "text/css; charset=utf-8",
    "runs.css": "text/css; charset=utf-8",
    "widgets.js": "text/javascript; charset=utf-8",
    "runs.js": "text/javascript; charset=utf-8",
}
"""The same of the page of many runs."""

MOST = 500
"""Rows, steps or results in one answer."""

Find = Callable[[Request], Library]
"""The run that a request is about."""


def make_app(library: Library, token: str) -> Starlette:
    """The application for one run, or several beside each other. Every address is `/<token>/...`; without the right
    token the answer is always 403.
    """
    return _app(_viewer("/{token}", lambda _: library), token)


def make_shelf_app(shelf: Shelf, token: str) -> Starlette:
    """The application for a folder of runs: its index, the viewer of each run at `/<token>/run/<key>/`, and the report
    of each improvement at `/<token>/improvement/<key>/`.
    """

    def find(request: Request) -> Library:
        return shelf.library(request.path_params["key"])

    index = [
        *_page("/{token}", "runs.html", SHELF),
        Route("/{token}/api/shelf", lambda r: _json(shelf.index())),
        Route("/{token}/improvement/{key}/", lambda r: _report(shelf.curve(r.path_params["key"]))),
    ]
    return _app([*index, *_viewer("/{token}/run/{key}", find)], token)


def _app(routes: list[Route], token: str) -> Starlette:
    return Starlette(
        routes=routes,
        middleware=guards(token),
        exception_handlers={NotFound: _missing, StoreError: _missing, UsageError: _malformed},
    )


def _viewer(at: str, find: Find) -> list[Route]:
    """The routes of a run's page, which begin with `at`."""
    asked: dict[str, Callable[[Request, Library], Response]] = {
        "runs": lambda r, library: _json(library.runs()),
        "results": lambda r, library: _json(library.results(*_range(r))),
        "episode": lambda r, library: _json(library.episode(_word(r, "key"))),
        "rows": lambda r, library: _json(library.rows(_word(r, "key"), *_range(r))),
        "steps": lambda r, library: _bytes(library.steps(_word(r, "key"), *_range(r))),
        "messages": lambda r, library: _bytes(library.messages(_word(r, "key"), _word(r, "ids").split(",")[:MOST])),
        "search": lambda r, library: _json(library.search(_word(r, "key"), _word(r, "words"))),
        "difference": lambda r, library: _json(library.difference(_word(r, "a"), _word(r, "b"))),
        "image": lambda r, library: _image(library, r),
    }

    def route(name: str, answer: Callable[[Request, Library], Response]) -> Route:
        return Route(f"{at}/api/{name}", lambda r: answer(r, find(r)))

    return [*_page(at, "index.html", STATIC), *(route(name, answer) for name, answer in asked.items())]


def _page(at: str, page: str, static: dict[str, str]) -> list[Route]:
    """The routes of a page and its files."""

    def answer(request: Request) -> Response:
        name = request.path_params.get("name", "")
        if name not in static or (not name and "name" in request.path_params):
            return Response("There is no such file.\n", 404, media_type="text/plain")
        data = files("embodied.console.viewer").joinpath("static", name or page).read_bytes()
        return Response(data, headers={"Content-Type": static[name]})

    return [Route(f"{at}/", answer), Route(f"{at}/static/{{name}}", answer)]


def serve(library: Library, port: int, ready: Callable[[str], None]) -> None:
    """Serves until Ctrl-C. Calls `ready` with the page's address once the port is taken.

    Args:
        library: What to show.
        port: Port on 127.0.0.1; 0 for any free one.
        ready: Gets the address. It is secret: without it nothing can be read.

    Raises:
        UsageError: The port is taken or not allowed.
    """
    listen(lambda token: make_app(library, token), port, ready)


def serve_shelf(shelf: Shelf, port: int, ready: Callable[[str], None]) -> None:
    """As `serve`, for a folder of runs."""
    listen(lambda token: make_shelf_app(shelf, token), port, ready)


def _image(library: Library, request: Request) -> Response:
    digest = _word(request, "digest")
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise UsageError("A picture is named by its SHA-256, 64 hexadecimal digits.")
    data = library.image(_word(request, "key"), digest)
    return Response(data, media_type="image/png", headers={"Cache-Control": "private, max-age=86400, immutable"})


def _report(data: bytes) -> Response:
    """A report: its style stands in the page, and it has no script."""
    return Response(
        data, media_type="text/html", headers={"Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'"}
    )


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

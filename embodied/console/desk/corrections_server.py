"""The server of the corrections page: a static page and a small JSON API, on loopback only.

It stands behind the guards of `embodied.console.serving`. There are two tokens, as at the desk: with the one an address
may read, with the other it may also change. A change must come from our own page, as JSON.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from importlib.resources import files
from typing import Any, TypeVar

import msgspec

from embodied.console.desk.corrections import Corrections
from embodied.console.desk.roles import CONTROLLER, WATCHER, Tokens
from embodied.console.serving import LONGEST_MESSAGE, SECURITY, guards, listen, own_page
from embodied.errors import EmbodiedError, StoreError, UsageError
from embodied.store.codec import encode

# `embodied.console.serving` has told what to install where Starlette is missing.
from starlette.applications import Starlette  # isort: skip
from starlette.concurrency import run_in_threadpool  # isort: skip
from starlette.requests import Request  # isort: skip
from starlette.responses import Response  # isort: skip
from starlette.routing import Route  # isort: skip

STATIC = {
    "": ("desk/static/corrections.html", "text/html; charset=utf-8"),
    "icon.svg": ("viewer/static/icon.svg", "image/svg+xml"),
    "viewer.css": ("viewer/static/viewer.css", "text/css; charset=utf-8"),
    "widgets.js": ("viewer/static/widgets.js", "text/javascript; charset=utf-8"),
    "corrections.css": ("desk/static/corrections.css", "text/css; charset=utf-8"),
    "corrections.js": ("desk/static/corrections.js", "text/javascript; charset=utf-8"),
}
"""The files of the page, with the place of each. Nothing else is served from disk."""


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the page asks to change."""

    episode: str
    id: str
    text: str | None = None
    excluded: bool | None = None
    delete_recording: bool = False
    by: str = "person"


class Labelled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the page says of an episode that has ended."""

    episode: str
    label: str
    by: str = "person"


T = TypeVar("T")
_CHANGE = msgspec.json.Decoder(Change)
_LABELLED = msgspec.json.Decoder(Labelled)


def serve(corrections: Corrections, port: int, ready: Callable[[str, str], None]) -> None:
    """Serves until Ctrl-C. Calls `ready` with two secret addresses once the port is taken: the one that may change
    corrections, and the one that only reads. Who does not tell anybody the first one lets nobody change anything.

    Raises:
        UsageError: The port is taken or not allowed.
    """
    watch = secrets.token_urlsafe(24)

    def told(address: str) -> None:
        at, _, _ = address.rstrip("/").rpartition("/")
        ready(address, f"{at}/{watch}/")

    listen(lambda control: make_app(corrections, Tokens(watch, control)), port, told)


def make_app(corrections: Corrections, tokens: Tokens) -> Starlette:
    """The application. Every address is `/<token>/...`."""
    return Starlette(
        routes=routes("/{token}", lambda: corrections, tokens),
        middleware=guards(tokens.watch, tokens.control),
        exception_handlers=HANDLERS,
    )


def routes(at: str, found: Callable[[], Corrections], tokens: Tokens, desk: str = "") -> list[Route]:
    """What the page and its API answer.

    Args:
        at: Where the addresses begin, with the token in it.
        found: The corrections. Raises `StoreError` where there is no run yet.
        tokens: The secrets of the two addresses.
        desk: The address of the running desk, from the page's own; empty where there is none.
    """

    def may_change(request: Request) -> bool:
        return secrets.compare_digest(request.path_params["token"].encode("utf-8", "replace"), tokens.control.encode())

    def listed(request: Request) -> Response:
        role = CONTROLLER if may_change(request) else WATCHER
        return _json(found().listed() | {"role": role, "desk": desk})

    def one(request: Request) -> Response:
        seen = found().one(request.query_params.get("episode", ""), request.query_params.get("id", ""))
        return _problem(404, "There is no such correction.") if seen is None else _json(seen)

    async def change(request: Request) -> Response:
        asked = await allowed(request, _CHANGE)
        if isinstance(asked, Response):
            return asked
        if asked.delete_recording:
            return _json(await run_in_threadpool(found().delete_recording, asked.episode, asked.id, asked.by))
        return _json(
            await run_in_threadpool(found().change, asked.episode, asked.id, asked.text, asked.excluded, asked.by)
        )

    async def label(request: Request) -> Response:
        asked = await allowed(request, _LABELLED)
        if isinstance(asked, Response):
            return asked
        return _json(await run_in_threadpool(found().label, asked.episode, asked.label, asked.by))

    async def allowed(request: Request, decoder: msgspec.json.Decoder[T]) -> T | Response:
        """What a page asks to change; a refusal where it may not, or it cannot be read."""
        if not may_change(request):
            return _problem(403, "This address only reads. Open the other one to change corrections.")
        if not own_page(dict(request.scope)):
            return _problem(403, "A change must come from the page of this server.")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _problem(415, "A change is JSON.")
        data = await _body(request)
        if data is None:
            return _problem(413, f"A change has at most {LONGEST_MESSAGE // 1024} KiB.")
        try:
            return decoder.decode(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return _problem(400, f"This change cannot be read: {error}")

    def sound(request: Request) -> Response:
        return Response(found().sound(_digest(request)), media_type="audio/wav")

    def picture(request: Request) -> Response:
        data = found().picture(_digest(request))
        return Response(data, media_type="image/png", headers={"Cache-Control": "private, max-age=86400, immutable"})

    return [
        Route(f"{at}/", _static),
        Route(f"{at}/static/{{name}}", _static),
        Route(f"{at}/api/corrections", listed),
        Route(f"{at}/api/correction", one),
        Route(f"{at}/api/change", change, methods=["POST"]),
        Route(f"{at}/api/label", label, methods=["POST"]),
        Route(f"{at}/image/{{digest}}", picture),
        Route(f"{at}/recording/{{digest}}", sound),
    ]


def _digest(request: Request) -> str:
    digest: str = request.path_params["digest"]
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise UsageError("A picture or a recording is named by its SHA-256, 64 hexadecimal digits.")
    return digest


async def _body(request: Request) -> bytes | None:
    """What was sent; None where it is too long. It is not read further then."""
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > LONGEST_MESSAGE:
            return None
    return data


def _static(request: Request) -> Response:
    name = request.path_params.get("name", "")
    if name not in STATIC or (not name and "name" in request.path_params):
        return Response("There is no such file.\n", 404, media_type="text/plain")
    place, kind = STATIC[name]
    data = files("embodied.console").joinpath(*place.split("/")).read_bytes()
    policy = SECURITY["Content-Security-Policy"].replace("img-src 'self'", "img-src 'self'; media-src 'self'")
    return Response(data, headers={"Content-Type": kind, "Content-Security-Policy": policy})


def _json(body: Any) -> Response:
    return Response(encode(body), media_type="application/json")


def _problem(code: int, sentence: str) -> Response:
    return Response(encode({"error": sentence}), code, media_type="application/json")


def _missing(_: Request, error: Exception) -> Response:
    return _problem(404, str(error))


def _malformed(_: Request, error: Exception) -> Response:
    return _problem(400, str(error))


HANDLERS = {UsageError: _malformed, StoreError: _missing, EmbodiedError: _malformed}
"""What becomes of errors."""

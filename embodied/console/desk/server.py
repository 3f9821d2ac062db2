"""The desk's server: a static page, pictures, and one WebSocket for each page, on loopback only.

It stands behind the guards of `embodied.console.serving`. There are two tokens: the address with the one may watch, the
address with the other may also control. Pictures may be dropped on a slow connection, events never.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from embodied.blobs import Blobs
from embodied.console.desk import messages
from embodied.console.desk.corrections import Corrections
from embodied.console.desk.corrections_server import HANDLERS, routes
from embodied.console.desk.desk import Desk
from embodied.console.desk.roles import CONTROLLER, WATCHER, Tokens
from embodied.console.desk.speech import Speech, speech
from embodied.console.serving import SECURITY, guards, listening_beside
from embodied.errors import EmbodiedError, UsageError
from embodied.rollout.worlds.watching import Shown
from embodied.store.blobs import FileBlobs
from embodied.store.codec import encode
from embodied.store.run import Run

# `embodied.console.serving` has told what to install where Starlette is missing.
from starlette.applications import Starlette  # isort: skip
from starlette.requests import Request  # isort: skip
from starlette.responses import Response  # isort: skip
from starlette.routing import Route, WebSocketRoute  # isort: skip
from starlette.websockets import WebSocket, WebSocketDisconnect  # isort: skip

STATIC = {
    "": ("desk/static/index.html", "text/html; charset=utf-8"),
    "icon.svg": ("viewer/static/icon.svg", "image/svg+xml"),
    "viewer.css": ("viewer/static/viewer.css", "text/css; charset=utf-8"),
    "widgets.js": ("viewer/static/widgets.js", "text/javascript; charset=utf-8"),
    "desk.css": ("desk/static/desk.css", "text/css; charset=utf-8"),
    "wire.js": ("desk/static/wire.js", "text/javascript; charset=utf-8"),
    "desk.js": ("desk/static/desk.js", "text/javascript; charset=utf-8"),
    "speech.js": ("desk/static/speech.js", "text/javascript; charset=utf-8"),
    "recorder.js": ("desk/static/recorder.js", "text/javascript; charset=utf-8"),
}
"""The files of the page, with the place of each. Nothing else is served from disk."""
WAITING = 2_000
"""Events that wait for a slow page at most; one that is further behind is cut off, and comes back for the rest."""
REPLACED = 4000
"""The code of a connection that is closed because a newer one has its key. The page does not come back then."""


@asynccontextmanager
async def opened(
    desk: Desk, blobs: FileBlobs, port: int, speech_model: Path | None = None, root: Path | None = None
) -> AsyncIterator[dict[str, str]]:
    """Serves a desk beside the run in this event loop. Yields role -> address; both are secret. With `root`, the folder
    of the run, the page of its corrections is there, too.

    Raises:
        UsageError: The port is taken or not allowed, or the folder of the speech model cannot be used.
    """
    tokens = Tokens.fresh()
    async with (
        speech(desk, blobs, tokens.control, speech_model) as spoken,
        listening_beside(make_app(desk, blobs, tokens, spoken, root), port) as bound,
    ):
        at = f"http://127.0.0.1:{bound}"
        yield {CONTROLLER: f"{at}/{tokens.control}/", WATCHER: f"{at}/{tokens.watch}/"}


def make_app(
    desk: Desk, blobs: Blobs, tokens: Tokens, spoken: Speech | None = None, root: Path | None = None
) -> Starlette:
    """The application. Every address is `/<token>/...`."""
    people = _People()
    if spoken is not None:
        desk.recordings = spoken.kept
    corrections = [] if root is None else routes("/{token}/corrections", _corrections_in(root), tokens, "../")

    async def talk(websocket: WebSocket) -> None:
        may_control = secrets.compare_digest(websocket.path_params["token"], tokens.control)
        await _Page(desk, websocket, may_control, people).talk()

    return Starlette(
        routes=[
            Route("/{token}/", _static),
            Route("/{token}/static/{name}", _static),
            Route("/{token}/image/{digest}", lambda request: _image(blobs, request)),
            *([] if spoken is None else spoken.routes()),
            WebSocketRoute("/{token}/ws", talk),
            *corrections,
        ],
        middleware=guards(tokens.watch, tokens.control),
        exception_handlers=HANDLERS,
    )


def _corrections_in(root: Path) -> Callable[[], Corrections]:
    """The corrections of the run in a folder, from when there is one."""
    kept: list[Corrections] = []

    def found() -> Corrections:
        if not kept:
            kept.append(Corrections(Run(root)))
        return kept[0]

    return found


class _People:
    """Names pages: `person 1`, `person 2`. A page that comes back with its key has its name again."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.there: dict[str, _Page] = {}
        """Key -> the connection that has it now: one at a time, the newest."""

    def known(self, key: str) -> bool:
        return key in self._names

    def name(self, key: str) -> str:
        return self._names.setdefault(key, f"person {len(self._names) + 1}")


class _Page:
    """One connection."""

    def __init__(self, desk: Desk, websocket: WebSocket, may_control: bool, people: _People):
        self._desk, self._socket, self._may_control, self._people = desk, websocket, may_control, people
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
        self._frame: bytes | None = None
        self._some = asyncio.Event()
        self._behind = False
        self._key = ""

    async def talk(self) -> None:
        """Until the page goes."""
        await self._socket.accept()
        sending = asyncio.create_task(self._send())
        try:
            await self._greet()
            while not self._behind:
                self._answer(await self._socket.receive_text())
        except (WebSocketDisconnect, KeyError):  # gone; or it sent bytes
            pass
        finally:
            with contextlib.suppress(ValueError):
                self._desk.hears.remove(self._hear)
            self._desk.unwatch(self._key)
            sending.cancel()
            if self._key:
                del self._people.there[self._key]
                self._desk.lost(self._key)
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # it is closed
                await self._socket.close()

    async def _greet(self) -> None:
        """The first message says what the page has already."""
        try:
            hello = messages.read(await self._socket.receive_text())
            if not isinstance(hello, messages.Hello):
                raise UsageError("The first message must say hello.")
        except UsageError as error:
            self._put({"kind": "error", "error": str(error)})
            hello = messages.Hello()
        key = hello.key if self._people.known(hello.key) else secrets.token_urlsafe(24)
        if (before := self._people.there.get(key)) is not None:
            await before.replaced()
        self._people.there[key] = self
        missed = self._desk.since(hello.since) if key == hello.key else None
        self._put(
            {
                "kind": "welcome",
                "key": key,
                "you": self._people.name(key),
                "role": CONTROLLER if self._may_control else WATCHER,
                "seq": self._desk.number,
                "episodes": self._desk.state() if missed is None else None,
            }
        )
        for event in missed or ():
            self._put(event)  # nothing else happens until this page hears what follows
        self._key = key
        self._desk.hears.append(self._hear)
        self._desk.connected(key)

    async def replaced(self) -> None:
        """A newer connection has this one's key: a tab was copied, or came back before anybody saw that it was cut."""
        with contextlib.suppress(ValueError):
            self._desk.hears.remove(self._hear)
        self._desk.unwatch(self._key)
        self._key = ""
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # it is closed
            await self._socket.close(REPLACED)

    def _answer(self, data: str) -> None:
        number = 0
        try:
            message = messages.read(data)
            number = message.id
            if isinstance(message, messages.Watching):
                self._desk.watch(message.episode, self._key, partial(self._see, message.episode))
                answer: dict[str, Any] = {}
            else:
                answer = self._desk.answer(message, self._key, self._people.name(self._key), self._may_control)
        except EmbodiedError as error:
            answer = {"error": str(error)}
        self._put({"kind": "answer", "id": number, **answer})

    def _hear(self, event: dict[str, Any]) -> None:
        self._put(event)

    def _put(self, told: dict[str, Any]) -> None:
        try:
            self._waiting.put_nowait(encode(told))
        except asyncio.QueueFull:
            self._behind = True
        self._some.set()

    def _see(self, episode: str, shown: Shown) -> None:
        """A newer frame takes the place of one that still waits."""
        told = {"episode": episode, "step": shown.step, "frame": shown.frame, "seconds": shown.seconds}
        head = json.dumps(told | {"at": time.time()})  # for measurements
        self._frame = len(head).to_bytes(4, "big") + head.encode() + shown.png
        self._some.set()

    async def _send(self) -> None:
        try:
            while not self._behind:
                await self._some.wait()
                self._some.clear()
                while not self._waiting.empty():
                    await self._socket.send_text(self._waiting.get_nowait().decode())
                    await asyncio.sleep(0)  # a connection that has gone is heard of before the next one
                frame, self._frame = self._frame, None
                if frame is not None:
                    await self._socket.send_bytes(frame)
            await self._socket.close(1013)
        except (WebSocketDisconnect, RuntimeError):  # gone; `talk` hears of it
            pass


def _static(request: Request) -> Response:
    name = request.path_params.get("name", "")
    if name not in STATIC or (not name and "name" in request.path_params):
        return Response("There is no such file.\n", 404, media_type="text/plain")
    place, kind = STATIC[name]
    policy = SECURITY["Content-Security-Policy"].replace("img-src 'self'", "img-src 'self' blob:")
    data = files("embodied.console").joinpath(*place.split("/")).read_bytes()
    return Response(data, headers={"Content-Type": kind, "Content-Security-Policy": policy})


def _image(blobs: Blobs, request: Request) -> Response:
    digest = request.path_params["digest"]
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        return Response("A picture is named by its SHA-256, 64 hexadecimal digits.\n", 400, media_type="text/plain")
    try:
        data = blobs.get(digest)
    except EmbodiedError as error:
        return Response(f"{error}\n", 404, media_type="text/plain")
    return Response(data, media_type="image/png", headers={"Cache-Control": "private, max-age=86400, immutable"})

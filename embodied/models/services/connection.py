"""The connection to a server: why it broke, the proxy on its way, and how large a response may be."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import urllib.request
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx2

MAX_BODY = 16 * 2**20
"""Bytes of a response, unpacked: many times what the longest reply takes, log-probabilities included."""

_PIECE = 65_536


class TooMuch(httpx2.TransportError):
    """A body of more than `MAX_BODY` bytes, or one that is packed in a way that was not requested."""


def hooks() -> dict[str, list[Any]]:
    """Event hooks for an HTTP client: its responses end at `MAX_BODY`, however they are packed."""
    return {"request": [_unpacked], "response": [_bounded]}


async def _unpacked(request: httpx2.Request) -> None:
    request.headers["accept-encoding"] = "identity"


async def _bounded(response: httpx2.Response) -> None:
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing in ("gzip", "x-gzip", "deflate"):
        del response.headers["content-encoding"]  # unpacked here, a piece at a time
    elif packing not in ("", "identity"):
        raise TooMuch(f"a body packed as {packing[:20]!r}, which was not requested")
    # httpx asks for no more than iteration
    response.stream = _Bounded(response.stream, packing)  # type: ignore[arg-type]


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, packing: str):
        self._stream = stream
        # 32 + 15: zlib finds out by itself whether it is gzip's or its own format.
        self._unpack = zlib.decompressobj(32 + 15) if packing in ("gzip", "x-gzip", "deflate") else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            for piece in self._pieces(chunk):
                size += len(piece)
                if size > MAX_BODY:
                    raise TooMuch(f"a body of more than {MAX_BODY // 2**20} MiB")
                yield piece

    def _pieces(self, chunk: bytes) -> Iterator[bytes]:
        if self._unpack is None:
            yield chunk
            return
        while chunk:
            try:
                yield self._unpack.decompress(chunk, _PIECE)
            except zlib.error:
                raise TooMuch("a body that says it is packed and cannot be unpacked") from None
            chunk = self._unpack.unconsumed_tail

    async def aclose(self) -> None:
        await self._stream.aclose()


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and everything that led to it."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen or len(seen) > 50:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "os_error", None), *getattr(one, "exceptions", ())]


def wants_password(error: BaseException) -> bool:
    """Whether a proxy refused a call because a password is missing. The text alone is not a sign: a port or a host may
    hold "407".
    """
    found = list(causes(error))
    by_status = any(isinstance(e, aiohttp.ClientHttpProxyError) and e.status == 407 for e in found)
    return by_status or any(isinstance(e, httpx2.ProxyError) and str(e).startswith("407") for e in found)


def absent(error: BaseException, url: str) -> str:
    """Why there is no server, in words; empty when there may be one."""
    parts = urlsplit(url)
    where = f"{parts.hostname}:{parts.port or {'https': 443}.get(parts.scheme, 80)}"
    found = list(causes(error))
    if any(isinstance(e, OSError) and e.errno == errno.ECONNREFUSED for e in found) or any(
        "Errno 111" in str(e) for e in found
    ):
        return f"nothing listens on {where}; is the server running?"
    if any(isinstance(e, socket.gaierror) for e in found):
        return f"no host named {parts.hostname} is known here; check model.base_url and the network."
    certificate = next((e for e in found if isinstance(e, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return (
            f"its certificate is not trusted ({certificate.verify_message}); SSL_CERT_FILE names the file of those that"
            " are."
        )
    if any(isinstance(e, ssl.SSLError) and "WRONG_VERSION" in str(e).upper() for e in found):
        return "it does not speak TLS; write http:// in place of https://."
    return ""


def proxy_of(url: str) -> tuple[str, str] | None:
    """The environment variable that sends calls to `url` through a proxy, and the proxy without its password; None
    without one.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if urllib.request.proxy_bypass(f"{host}:{parts.port}" if parts.port else host):
        return None
    for name in (f"{parts.scheme}_proxy", f"{parts.scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"):
        if address := os.environ.get(name, "").strip():
            proxy = urlsplit(address if "://" in address else f"http://{address}")
            return name, f"{proxy.scheme}://{proxy.hostname}" + (f":{_port(proxy)}" if _port(proxy) else "")
    return None


def _port(proxy: Any) -> int | None:
    try:
        port: int | None = proxy.port
        return port
    except ValueError:
        return None

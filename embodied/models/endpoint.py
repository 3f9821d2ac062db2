"""An HTTP endpoint: its address and key, and the one place where its failures become ours and its text becomes ours to keep.

No message, repr or reply that leaves here holds the key.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import json
import os
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2  # what all three SDKs call through

from embodied import secrets
from embodied.errors import MissingKey, ModelBusy, ModelErred, ModelFailure, ModelRefused, ModelTimeout, ModelUnavailable, UsageError
from embodied.models.config import ModelConfig
from embodied.models.wire import MAX_TEXT, split_thoughts, storable
from embodied.types import Reply, Usage

PLACEHOLDER = "none"
"""Sent as the key to servers that ask for none: the SDKs insist on one."""

_RETRYABLE = {408, 409, 425}
_BUSY = {429: "is limiting the rate of calls", 529: "is overloaded"}
"""529 is Anthropic's."""
_MAX_DETAIL = 300
_CONNECT = 15.0
"""Seconds for a connection: a server that is not there should be known sooner than one that thinks."""


@dataclass(frozen=True)
class Endpoint:
    """Where the calls of one model go."""

    model: str
    """`provider/name`, for messages."""
    url: str
    variable: str
    """The environment variable that holds the key."""
    timeout: float
    """Seconds a call may take."""
    key: str = field(repr=False, default=PLACEHOLDER)

    @classmethod
    def find(cls, config: ModelConfig, *, url: str, url_variable: str, key_variables: tuple[str, ...]) -> Endpoint:
        """Finds URL and key of `config`.

        Args:
            config: The model.
            url: The provider's own URL; empty where there is none.
            url_variable: Environment variable that overrides it.
            key_variables: Where the key may be, when `config.api_key_env` does not say; the first is the one to name to the user.
                It is required for the provider's own URL, and where `config.api_key_env` names it.

        Raises:
            MissingKey: A key is required and there is none.
            UsageError: No URL, or one that is malformed or holds a secret.
        """
        variables = (_variable(config.api_key_env),) if config.api_key_env else key_variables
        address = (config.base_url or os.environ.get(url_variable, "") or url).strip()
        if not address:
            raise UsageError(
                f"{config.provider}/{config.name} needs the server's URL: set model.base_url (for instance http://127.0.0.1:8000/v1) or {url_variable}."
            )
        _check_url(address)
        for name in variables:
            secrets.know(name)
        variable, key = next(((v, k) for v in variables if (k := os.environ.get(v, "").strip())), (variables[0] if variables else "", ""))
        if key and not (key.isascii() and key.isprintable()):
            raise MissingKey(f"{variable} holds characters that no API key has. Set it again: export {variable}=...")
        if not key and (config.api_key_env or address.rstrip("/") == url.rstrip("/")):
            raise MissingKey(f"{config.provider}/{config.name} needs an API key and {variable} is not set. Set it: export {variable}=...")
        return cls(f"{config.provider}/{config.name}", address, variable, config.timeout, key or PLACEHOLDER)

    def clean(self, text: str) -> str:
        """`text` fit to be stored: no key, no lone surrogates, at most `MAX_TEXT` characters."""
        text = storable(text[:MAX_TEXT])
        text = text.replace(self.key, secrets.MASK) if len(self.key) >= secrets.SHORTEST else text
        return secrets.mask(text)

    def reply(self, *, text: str, reasoning: str, usage: Usage, stop: str, model: str | None, seconds: float) -> Reply:
        """The reply, cleaned, with thoughts that stand in the text moved to the reasoning."""
        thoughts, text = split_thoughts(text)
        reasoning = "\n".join(filter(None, (reasoning, thoughts)))
        return Reply(text=self.clean(text), reasoning=self.clean(reasoning), usage=usage, stop=self.clean(stop), model=self.clean(model or ""), seconds=seconds)

    def failed(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> ModelFailure:
        """The failure for an HTTP error status."""
        detail = self._short(detail)
        said = f"{status}: {detail}" if detail else str(status)
        if status == 501 or (status >= 500 and "not supported" in detail):  # llama.cpp says 500 to an image it cannot read
            return ModelRefused(f"{self.model}: {self.url} cannot do this ({said}).")
        if status in _BUSY:
            return ModelBusy(f"{self.model}: {self.url} {_BUSY[status]} ({said}).", retry_after(headers or {}))
        if status in _RETRYABLE or status >= 500:
            kind = ModelErred if status == 500 else ModelUnavailable
            return kind(f"{self.model}: {self.url} had a server error ({said}).", retry_after(headers or {}))
        if status == 401:
            return ModelRefused(f"{self.model}: {self.url} rejected the key{f' in {self.variable}' if self.variable else ''} ({said}). Set another.")
        if status == 403:
            return ModelRefused(f"{self.model}: the key{f' in {self.variable}' if self.variable else ''} has no access to this ({said}).")
        if status == 404:
            return ModelRefused(f"{self.model}: {self.url} knows no such model or path ({said}). Check model.name and model.base_url.")
        return ModelRefused(f"{self.model}: {self.url} refused the request ({said}).")

    def unreachable(self, error: BaseException) -> ModelUnavailable:
        """The failure for a connection that could not be made or broke."""
        cause = error.__cause__ or error
        detail = self._short(str(cause)) or type(cause).__name__
        return ModelUnavailable(f"{self.model}: the connection to {self.url} failed ({detail}).")

    def garbled(self, what: str) -> ModelErred:
        """The failure for an answer that makes no sense; another attempt may fare better."""
        return ModelErred(f"{self.model}: {self.url} sent {self._short(what)}.")

    def not_json(self, data: bytes) -> ModelErred:
        """The failure for a body that is not what the API promises."""
        start = data[:60].decode("utf-8", "replace")
        return self.garbled(f"something that is no answer of this API, beginning {start!r}" if data else "an empty answer")

    @contextlib.asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        """Turns more than `timeout` seconds inside into `ModelTimeout`, however the bytes trickle in."""
        try:
            async with asyncio.timeout(self.timeout):
                yield
        except TimeoutError:
            raise self.late() from None

    @property
    def timeouts(self) -> httpx2.Timeout:
        """For the HTTP client. It counts the seconds between two bytes; `deadline` counts them all."""
        return httpx2.Timeout(self.timeout, connect=min(_CONNECT, self.timeout))

    def timed_out(self, error: BaseException) -> ModelUnavailable:
        """The failure for a time-out of the HTTP client."""
        # The error is the client's own, or an SDK's around it.
        connecting = any(isinstance(e, httpx2.ConnectTimeout) for e in (error, error.__cause__))
        return self.unreachable(httpx2.ConnectTimeout("no connection in time")) if connecting else self.late()

    def late(self) -> ModelTimeout:
        return ModelTimeout(f"{self.model}: {self.url} sent no complete answer within {self.timeout:g} s.")

    def _short(self, text: str) -> str:
        text = " ".join(self.clean(text).split())
        return text if len(text) <= _MAX_DETAIL else text[:_MAX_DETAIL] + " ..."


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as `Retry-After-Ms` or `Retry-After` (seconds or an HTTP date, RFC 9110 section 10.2.3) say; None when neither makes sense."""
    milliseconds, value = headers.get("retry-after-ms", ""), headers.get("retry-after", "").strip()
    for text, unit in ((milliseconds, 1e-3), (value, 1.0)):
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text) * unit
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, date.timestamp() - time.time())


def error_text(body: Any) -> str:
    """The sentence inside an error body, wherever the server put it."""
    while isinstance(body, dict):
        body = next((body[k] for k in ("error", "message", "detail") if body.get(k)), json.dumps(body))
    return body if isinstance(body, str) else "" if body is None else str(body)


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name):
        # The value is not repeated: it may well be the key itself.
        raise UsageError("model.api_key_env must be the name of an environment variable, for instance OPENAI_API_KEY, not the key itself.")
    return name


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = None, None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise UsageError("The model's base URL is not one: it must look like http://127.0.0.1:8000/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "The model's base URL must not hold a password, a query or a fragment, because it is recorded. "
            "Put the key into an environment variable and name it with model.api_key_env."
        )

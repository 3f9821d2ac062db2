"""An HTTP endpoint: its address and key. Only here its failures become our errors, and its text becomes fit for
records.

No message, repr or reply that leaves here holds the key.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import os
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx2  # what all three SDKs call through

from embodied import secrets
from embodied.errors import (
    MissingKey,
    ModelAbsent,
    ModelBusy,
    ModelErred,
    ModelFailure,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    PromptRefused,
    PromptTooLong,
    UsageError,
)
from embodied.models.config import ModelConfig
from embodied.models.services.answers import (
    ServiceAnswer,
    count,
    estimated_reply,
    estimated_tokens,
    parsed,
    within,
    word,
)
from embodied.models.services.connection import TooMuch, absent, causes, proxy_of, wants_password
from embodied.models.services.refusal import kind_of, said
from embodied.models.services.wire import MAX_TEXT, split_thoughts, storable
from embodied.terminal import plain
from embodied.types import Message, Reply, Usage

PLACEHOLDER = "none"
"""Sent as the key to servers that ask for none: the SDKs insist on one."""

_ADVICE = {
    "seed": "with agent.seed_calls=false (and without model.seed)",
    "temperature": "with model.temperature=null",
    "top_p": "with model.top_p=null",
    "max_tokens": "with model.max_completion_tokens=N in place of model.max_tokens, or with a lower one",
    "max_completion_tokens": "with model.max_tokens=N in place of model.max_completion_tokens, or with a lower one",
    "max_output_tokens": "with a lower model.max_tokens",
    "stop": "without model.stop",
    "stop_sequences": "without model.stop",
    "reasoning_effort": "with model.reasoning_effort=null",
    "effort": "with model.reasoning_effort=null",
    "thinking_level": "with model.reasoning_effort=null",
    "thinking": "with model.thinking_tokens=null and model.reasoning_effort=null",
    "thinking_budget": "with model.thinking_tokens=null",
    "response_format": "without agent.format=choice, with another model.constraint, or with a model that has"
    " structured output",
    "response_json_schema": "without agent.format=choice, or with a model that has structured output",
    "structured_outputs": "with another model.constraint",
    "guided_choice": "with another model.constraint",
}
"""Setting, as a server names it -> the words that leave it out."""
_NAMED_STATUS = {
    "overloaded_error": 529,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "server_error": 500,
}
_MAX_DETAIL = 300
_CONNECT = 15.0
"""Seconds for a connection: a missing server should be noticed sooner than a slow one."""


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
            key_variables: Where the key may be, when `config.api_key_env` does not say; the first is the one to name to
                the user. It is required for the provider's own URL, and where `config.api_key_env` names it.

        Raises:
            MissingKey: A key is required and there is none.
            UsageError: No URL, or one that is malformed or holds a secret.
        """
        variables = (_variable(config.api_key_env),) if config.api_key_env else key_variables
        address = (config.base_url or os.environ.get(url_variable, "") or url).strip()
        if not address:
            raise UsageError(
                f"{config.provider}/{config.name} needs the server's URL: set model.base_url (for instance"
                f" http://127.0.0.1:8000/v1) or {url_variable}."
            )
        _check_url(address)
        for name in variables:
            secrets.know(name)
        variable, key = next(
            ((v, k) for v in variables if (k := os.environ.get(v, "").strip())), (variables[0] if variables else "", "")
        )
        if key and not (key.isascii() and key.isprintable()):
            raise MissingKey(f"{variable} holds characters that no API key has. Set it again: export {variable}=...")
        if not key and (config.api_key_env or address.rstrip("/") == url.rstrip("/")):
            raise MissingKey(
                f"{config.provider}/{config.name} needs an API key and {variable} is not set. Set it: export"
                f" {variable}=..."
            )
        return cls(f"{config.provider}/{config.name}", address, variable, config.timeout, key or PLACEHOLDER)

    def clean(self, text: str) -> str:
        """`text` fit for records: no key, no lone surrogates, at most `MAX_TEXT` characters."""
        text = storable(text[:MAX_TEXT])
        text = text.replace(self.key, secrets.MASK) if len(self.key) >= secrets.SHORTEST else text
        return secrets.mask(text)

    def read(self, data: bytes | str) -> dict[str, Any]:
        """The JSON object that a server answered. Raises `ModelErred` when it is not one, and the failure inside when
        it holds one.
        """
        try:
            body = parsed(data)
        except ValueError:
            raise self.not_json(data.encode() if isinstance(data, str) else data) from None
        if body.get("error"):  # routers answer 200 with an error inside when the provider behind them failed
            raise self.failed_inside(body)
        return body

    def reply(
        self, answer: ServiceAnswer, usage: Usage, messages: Sequence[Message], *, model: Any, seconds: float
    ) -> Reply:
        """The reply, cleaned, with thoughts that stand in the text moved to the reasoning, and missing token counts
        estimated.
        """
        thoughts, text = split_thoughts(answer.text)
        reasoning = "\n".join(filter(None, (answer.reasoning, thoughts)))
        return Reply(
            text=self.clean(text),
            reasoning=self.clean(reasoning),
            usage=_counted(usage, messages, answer),
            stop=self.clean(answer.stop)[:_MAX_DETAIL],
            model=self.clean(word(model))[:_MAX_DETAIL],
            seconds=seconds,
        )

    def failed(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> ModelFailure:
        """The failure for an HTTP error status.

        Args:
            status: The status, or what a router gives as the status of the server behind it.
            body: The error's body: bytes, text, or the JSON in it.
            headers: The response's.
        """
        error = said(status, body)
        kind, setting = kind_of(error)
        detail = self._short(error.text)
        words = f"{status}: {detail}" if detail else str(status)
        key = f"the key{f' in {self.variable}' if self.variable else ''}"
        proxy = self._proxy(status, body)
        match kind:
            case "key":
                return ModelRefused(f"{self.model}: {self.url} rejected {key} ({words}). Set another.")
            case "permission":
                return ModelRefused(f"{self.model}: {key} has no access to this ({words}).{proxy}")
            case "billing":
                return ModelRefused(
                    f"{self.model}: the account of {key} has no quota left, or must pay first ({words})."
                )
            case "model":
                knows = "knows no such model or path"
                return ModelRefused(
                    f"{self.model}: {self.url} {knows} ({words}). Check model.name and model.base_url.{proxy}"
                )
            case "too long":
                return PromptTooLong(f"{self.model}: the prompt is too long for {self.url} ({words}).")
            case "filtered":
                return PromptRefused(f"{self.model}: {self.url} refuses what this prompt says ({words}).", "filtered")
            case "no pictures":
                return PromptRefused(
                    f"{self.model}: {self.url} reads no pictures ({words}). Play with --text.", "no pictures"
                )
            case "a setting":
                advice = _ADVICE.get(setting, f"without {setting}")
                return PromptRefused(
                    f"{self.model}: {self.url} does not take {setting} ({words}). Begin a new run {advice}.",
                    "a setting",
                    setting,
                )
            case "busy":
                rate = "is overloaded" if status == 529 else "is limiting the rate of calls"
                return ModelBusy(f"{self.model}: {self.url} {rate} ({words}).", retry_after(headers or {}))
            case "server":
                erred = ModelErred if status == 500 else ModelUnavailable
                return erred(
                    f"{self.model}: {self.url} had a server error ({words}).{proxy}", retry_after(headers or {})
                )
        return PromptRefused(f"{self.model}: {self.url} refused the request ({words}).{proxy}")

    def failed_inside(self, body: dict[str, Any]) -> ModelFailure:
        """The failure for an answer that came with status 200 and holds an error."""
        return self.failed(_status(body), body)

    def unreachable(self, error: BaseException) -> ModelFailure:
        """The failure for a connection that could not be made or broke."""
        too_much = next((e for e in causes(error) if isinstance(e, TooMuch)), None)
        if too_much is not None:
            return self.garbled(str(too_much))
        if wants_password(error):
            return self.failed(407, "Proxy Authentication Required")
        proxy = proxy_of(self.url)
        if nobody := absent(error, proxy[1] if proxy else self.url):
            if proxy:
                nobody = f"the proxy that {proxy[0]} names is not there: {nobody}{self._proxy(502, '')}"
            return ModelAbsent(f"{self.model}: the connection to {self.url} failed: {nobody}")
        cause = error.__cause__ or error
        detail = self._short(str(cause)) or type(cause).__name__
        return ModelUnavailable(f"{self.model}: the connection to {self.url} failed ({detail}).{self._proxy(502, '')}")

    def _proxy(self, status: int, body: Any) -> str:
        """Names the proxy that the call went through, where it may be the one that answered."""
        proxy = proxy_of(self.url)
        ours = isinstance(body, dict) or (isinstance(body, bytes) and body.lstrip()[:1] in (b"{", b"["))
        if proxy is None or (ours and status not in (407, 502, 503, 504)):
            return ""
        host = urlsplit(self.url).hostname
        return f" The call went through the proxy {proxy[1]}, which {proxy[0]} names; NO_PROXY={host} goes around it."

    def garbled(self, what: str, data: bytes = b"{") -> ModelErred:
        """The failure for an answer that makes no sense; another attempt may work. `data` is the body, where it
        is not JSON.
        """
        return ModelErred(f"{self.model}: {self.url} sent {self._short(what)}.{self._proxy(200, data)}")

    def filtered(self, reason: str) -> PromptRefused:
        """The failure for an answer that a filter took away."""
        return PromptRefused(
            f"{self.model}: {self.url} withheld its answer to this prompt ({self._short(reason)}).", "filtered"
        )

    def not_json(self, data: bytes) -> ModelErred:
        """The failure for a body that is not what the API promises."""
        start = data[:60].decode("utf-8", "replace")
        return self.garbled(
            f"something that is not an answer of this API, beginning {start!r}" if data else "an empty answer", data
        )

    @contextlib.asynccontextmanager
    async def deadline(self) -> AsyncIterator[None]:
        """Turns more than `timeout` seconds inside into `ModelTimeout`, even if bytes keep arriving slowly."""
        try:
            async with asyncio.timeout(self.timeout):
                yield
        except TimeoutError:
            raise self.late() from None

    @property
    def timeouts(self) -> httpx2.Timeout:
        """For the HTTP client. It counts the seconds between two bytes; `deadline` counts them all."""
        return httpx2.Timeout(self.timeout, connect=min(_CONNECT, self.timeout))

    def timed_out(self, error: BaseException) -> ModelFailure:
        """The failure for a time-out of the HTTP client."""
        # The error is the client's own, or an SDK's around it. aiohttp's transport calls every connection that broke a
        # time-out.
        found = list(causes(error))
        if any(isinstance(e, OSError) and not isinstance(e, TimeoutError) for e in found):
            return self.unreachable(error)
        if any(isinstance(e, aiohttp.ServerDisconnectedError) for e in found):
            return self.unreachable(httpx2.RemoteProtocolError("the server closed it without an answer"))
        connecting = any(isinstance(e, httpx2.ConnectTimeout) for e in found)
        return self.unreachable(httpx2.ConnectTimeout("no connection in time")) if connecting else self.late()

    def late(self) -> ModelTimeout:
        return ModelTimeout(f"{self.model}: {self.url} sent no complete answer within {self.timeout:g} s.")

    def _short(self, text: str) -> str:
        text = " ".join(plain(self.clean(text)).split())
        return text if len(text) <= _MAX_DETAIL else text[:_MAX_DETAIL] + " ..."


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as `Retry-After-Ms` or `Retry-After` (seconds or an HTTP date, RFC 9110 section 10.2.3) say; None
    when neither makes sense.
    """
    milliseconds, value = headers.get("retry-after-ms", ""), headers.get("retry-after", "").strip()
    for text, unit in ((milliseconds, 1e-3), (value, 1.0)):
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text) * unit
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, date.timestamp() - time.time())


def _counted(usage: Usage, messages: Sequence[Message], answer: ServiceAnswer) -> Usage:
    """`usage` with an estimate of what the server did not count, and no part larger than its whole."""
    estimated = 0
    if not usage.input:
        estimated = estimated_tokens(messages)
        usage = replace(usage, input=estimated)
    if not usage.output and (output := estimated_reply((answer.text, answer.reasoning))):
        estimated += output
        usage = replace(usage, output=output)
    return replace(
        usage, reasoning=min(usage.reasoning, usage.output), cached=min(usage.cached, usage.input), estimated=estimated
    )


def _status(body: dict[str, Any]) -> int:
    """The HTTP status that an error inside an answer stands for."""
    error = body["error"]
    for value in (
        within(error, "code"),
        within(error, "status"),
        within(error, "status_code"),
        body.get("code"),
        body.get("status"),
    ):
        if 400 <= count(value) < 600:
            return count(value)
    named = _NAMED_STATUS.get(word(within(error, "type")))
    return named or (400 if kind_of(said(400, body))[0] != "refused" else 502)


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name):
        # The value is not repeated: it may well be the key itself.
        raise UsageError(
            "model.api_key_env must be the name of an environment variable, for instance OPENAI_API_KEY, not the key"
            " itself."
        )
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

"""OpenAI, and every server that speaks its chat completions (vLLM, SGLang, llama.cpp, Ollama, OpenRouter, ...), through the official SDK."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from typing import Any

import httpx2
import msgspec
import openai

from embodied.blobs import Blobs
from embodied.errors import ModelFailure, ModelRefused
from embodied.models.config import ModelConfig
from embodied.models.endpoint import Endpoint, error_text
from embodied.models.wire import chat
from embodied.types import Message, Reply, Settings, Usage

OPENAI_URL = "https://api.openai.com/v1"

_REASONING = re.compile(r"(.*/)?(o\d|gpt-([5-9]|\d\d))(?!.*-chat)")
"""Names of OpenAI's reasoning models: they take `max_completion_tokens` and reject sampling settings."""


# What is read of a completion. Loosely typed on purpose: compatible servers send null, lists or nothing where OpenAI sends a string.
class _Message(msgspec.Struct):
    content: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None


class _Choice(msgspec.Struct):
    message: _Message = msgspec.field(default_factory=_Message)
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    model: str | None = None
    error: Any = None


class OpenAI:
    """A model behind OpenAI's chat completions. `base_url` (or OPENAI_BASE_URL) may name any compatible server; the key is then optional."""

    def __init__(self, config: ModelConfig, blobs: Blobs):
        self._endpoint = self._find(config)
        self.name = self._endpoint.model
        self._model = config.name
        self._blobs = blobs
        http = openai.DefaultAioHttpClient()  # a third less CPU a call than the SDK's own: with 32 episodes in flight that is what limits a run
        self._client = openai.AsyncOpenAI(
            api_key=self._endpoint.key, base_url=self._endpoint.url, timeout=self._endpoint.timeouts, max_retries=0, http_client=http
        )

    @staticmethod
    def _find(config: ModelConfig) -> Endpoint:
        return Endpoint.find(config, url=OPENAI_URL, url_variable="OPENAI_BASE_URL", key_variables=("OPENAI_API_KEY",))

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        start = time.monotonic()
        body = self._options(settings)
        body["messages"] = chat(messages, self._blobs)
        data = await self._post(body)
        return self._reply(_parse(data, self._endpoint), time.monotonic() - start)

    async def aclose(self) -> None:
        await self._client.close()

    def _options(self, settings: Settings) -> dict[str, Any]:
        """Settings in the API's words. Reasoning models reject sampling settings, so those are left out for them."""
        reasons = _REASONING.match(self._model) is not None
        # OpenAI has deprecated `max_tokens`; compatible servers often know nothing else.
        limit = "max_completion_tokens" if reasons or self._endpoint.url.rstrip("/") == OPENAI_URL else "max_tokens"
        options: dict[str, Any] = {"model": self._model, limit: settings.max_tokens, "seed": settings.seed, "reasoning_effort": settings.reasoning_effort}
        if not reasons:
            options |= {"temperature": settings.temperature, "top_p": settings.top_p, "stop": list(settings.stop) or None}
        return {name: value for name, value in options.items() if value is not None}

    async def _post(self, body: dict[str, Any]) -> bytes:
        endpoint = self._endpoint
        try:
            async with endpoint.deadline():
                # Not `chat.completions.create`, which holds each part of each message against its type hints: 7 ms of CPU a prompt. And
                # the raw body, because the SDK's own reading trusts the server's content type and field types.
                response = await self._client.post("/chat/completions", cast_to=httpx2.Response, body=body)
        except openai.APITimeoutError as error:
            raise endpoint.timed_out(error) from None
        except openai.RateLimitError as error:
            if error.code == "insufficient_quota":  # OpenAI says 429 for this too, but no waiting helps
                raise ModelRefused(f"{self.name}: the account of the key in {endpoint.variable} has no quota left.") from None
            raise endpoint.failed(429, error_text(error.body), error.response.headers) from None
        except openai.APIStatusError as error:
            raise endpoint.failed(error.status_code, error_text(error.body) or error.response.reason_phrase, error.response.headers) from None
        except openai.APIError as error:
            raise endpoint.unreachable(error) from None
        return response.content

    def _reply(self, completion: _Completion, seconds: float) -> Reply:
        if completion.error:
            raise self._upstream(completion.error)
        if not completion.choices:
            raise self._endpoint.garbled("an answer without choices")
        message, stop = completion.choices[0].message, completion.choices[0].finish_reason or "stop"
        text = _text(message.content)
        if not text and message.refusal:
            text, stop = _text(message.refusal), "content_filter"
        usage = completion.usage or _Usage()
        return self._endpoint.reply(
            text=text,
            reasoning=_text(message.reasoning_content) or _text(message.reasoning) or _parts(message.content, "thinking"),
            usage=Usage(
                input=usage.prompt_tokens or 0,
                output=usage.completion_tokens or 0,
                reasoning=(usage.completion_tokens_details or _Details()).reasoning_tokens or 0,
                cached=(usage.prompt_tokens_details or _Details()).cached_tokens or 0,
            ),
            stop=stop,
            model=completion.model,
            seconds=seconds,
        )

    def _upstream(self, error: Any) -> ModelFailure:
        """Routers answer 200 with an error inside when the provider behind them failed."""
        code = error.get("code") if isinstance(error, dict) else None
        return self._endpoint.failed(code if isinstance(code, int) and code >= 400 else 502, error_text(error))


class Compatible(OpenAI):
    """Any OpenAI-compatible server: `base_url` is required, and a key is sent only when `api_key_env` names one."""

    @staticmethod
    def _find(config: ModelConfig) -> Endpoint:
        return Endpoint.find(config, url="", url_variable="OPENAI_BASE_URL", key_variables=())


def _parse(data: bytes, endpoint: Endpoint) -> _Completion:
    try:
        return msgspec.convert(json.loads(data.decode("utf-8", "replace"), strict=False), _Completion)
    except (ValueError, RecursionError):  # msgspec's ValidationError is a ValueError
        raise endpoint.not_json(data) from None


def _text(content: Any) -> str:
    """Content is a string, null, or a list of typed parts."""
    return content if isinstance(content, str) else _parts(content, "text")


def _parts(content: Any, kind: str) -> str:
    """The parts of one kind; a thinking part may hold text or a list of text parts."""
    if not isinstance(content, list):
        return ""
    return "".join(_text(part.get(kind)) for part in content if isinstance(part, dict) and part.get("type") == kind)

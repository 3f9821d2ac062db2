"""OpenAI, and every server that speaks its chat completions (vLLM, SGLang, llama.cpp, Ollama, OpenRouter, ...), through
the official SDK.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import aiohttp
import httpx2
import openai

from embodied.blobs import Blobs
from embodied.errors import ModelRefused
from embodied.models.base import choices_of
from embodied.models.config import CONSTRAINTS, ModelConfig
from embodied.models.services.answers import Unreadable, chat_answer, count, within
from embodied.models.services.choices import grammar, schema, taken
from embodied.models.services.connection import hooks
from embodied.models.services.endpoint import Endpoint
from embodied.models.services.wire import chat
from embodied.types import Message, Reply, Settings, Usage

OPENAI_URL = "https://api.openai.com/v1"

_REASONING = re.compile(r"(.*/)?(o\d|gpt-([5-9]|\d\d))(?!.*-chat)")
"""Names of OpenAI's reasoning models: they take `max_completion_tokens` and reject sampling settings."""


class OpenAI:
    """A model behind OpenAI's chat completions. `base_url` (or OPENAI_BASE_URL) may name any compatible server; the key
    is then optional.
    """

    def __init__(self, config: ModelConfig, blobs: Blobs):
        self._endpoint = self._find(config)
        self.name = self._endpoint.model
        self._model = config.name
        self._newer = config.max_completion_tokens is not None
        self._own = self._endpoint.url.rstrip("/") == OPENAI_URL
        self._constraint = config.constraint or ("json_schema" if self._own else None)
        self.chooses = self._constraint is not None
        self._blobs = blobs
        http = openai.DefaultAioHttpClient(
            event_hooks=hooks()
        )  # a third less CPU a call than the SDK's own: with 32 episodes in flight that is what limits a run
        self._client = openai.AsyncOpenAI(
            api_key=self._endpoint.key,
            base_url=self._endpoint.url,
            timeout=self._endpoint.timeouts,
            max_retries=0,
            http_client=http,
        )

    @staticmethod
    def _find(config: ModelConfig) -> Endpoint:
        return Endpoint.find(config, url=OPENAI_URL, url_variable="OPENAI_BASE_URL", key_variables=("OPENAI_API_KEY",))

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        start = time.monotonic()
        choices = choices_of(settings)
        body = self._options(settings) | self._held_to(choices)
        body["messages"] = chat(messages, self._blobs)
        data = await self._post(body)
        reply = self._reply(data, messages, time.monotonic() - start)
        return replace(reply, text=taken(reply.text, choices)) if choices else reply

    async def aclose(self) -> None:
        await self._client.close()

    def _options(self, settings: Settings) -> dict[str, Any]:
        """Settings in the API's words. Reasoning models reject sampling settings, so those are left out for them."""
        reasons = _REASONING.match(self._model) is not None
        # OpenAI has deprecated `max_tokens`; compatible servers often know nothing else.
        newer = reasons or self._newer or self._own
        limit = "max_completion_tokens" if newer else "max_tokens"
        options: dict[str, Any] = {
            "model": self._model,
            limit: settings.max_tokens,
            "seed": settings.seed,
            "reasoning_effort": settings.reasoning_effort,
        }
        if not reasons:
            options |= {
                "temperature": settings.temperature,
                "top_p": settings.top_p,
                "stop": list(settings.stop) or None,
            }
        return {name: value for name, value in options.items() if value is not None}

    def _held_to(self, choices: Sequence[str]) -> dict[str, Any]:
        """The field that holds the answer to `choices`; nothing where any text is an answer."""
        if not choices:
            return {}
        match self._constraint:
            case "json_schema":
                named = {"name": "action", "strict": True, "schema": schema(choices)}
                return {"response_format": {"type": "json_schema", "json_schema": named}}
            case "structured_outputs":
                return {"structured_outputs": {"choice": list(choices)}}
            case "guided_choice":
                return {"guided_choice": list(choices)}
            case "grammar":
                return {"grammar": grammar(choices)}
        raise ModelRefused(
            f"{self.name}: it is unknown how {self._endpoint.url} holds an answer to a list. Set model.constraint to"
            f" one of {', '.join(CONSTRAINTS)}."
        )

    async def _post(self, body: dict[str, Any]) -> bytes:
        endpoint = self._endpoint
        try:
            async with endpoint.deadline():
                # Not `chat.completions.create`, which holds each part of each message against its type hints: 7 ms of
                # CPU a prompt. And the raw body, because the SDK's own reading trusts the server's content type and
                # field types.
                response = await self._client.post("/chat/completions", cast_to=httpx2.Response, body=body)
        except openai.APITimeoutError as error:
            raise endpoint.timed_out(error) from None
        except openai.APIStatusError as error:
            raise endpoint.failed(
                error.status_code, error.response.content or error.response.reason_phrase, error.response.headers
            ) from None
        except (openai.APIError, aiohttp.ClientError) as error:  # aiohttp's own where the answer is not HTTP
            raise endpoint.unreachable(error) from None
        return response.content

    def _reply(self, data: bytes, messages: Sequence[Message], seconds: float) -> Reply:
        body = self._endpoint.read(data)
        # as OpenRouter reports a provider that failed half way
        if failure := within(_first(body.get("choices")), "error"):
            raise self._endpoint.failed_inside({"error": failure})
        try:
            answer = chat_answer(body)
        except Unreadable as error:
            raise self._endpoint.garbled(str(error)) from None
        if answer.stop == "content_filter" and not answer.text:
            raise self._endpoint.filtered("content_filter")
        usage = body.get("usage")
        counted = Usage(
            input=count(within(usage, "prompt_tokens")),
            output=count(within(usage, "completion_tokens")),
            reasoning=count(within(usage, "completion_tokens_details", "reasoning_tokens")),
            cached=count(within(usage, "prompt_tokens_details", "cached_tokens")),
        )
        return self._endpoint.reply(answer, counted, messages, model=body.get("model"), seconds=seconds)


class Compatible(OpenAI):
    """Any OpenAI-compatible server: `base_url` is required, and a key is sent only when `api_key_env` names one."""

    @staticmethod
    def _find(config: ModelConfig) -> Endpoint:
        return Endpoint.find(config, url="", url_variable="OPENAI_BASE_URL", key_variables=())


def _first(choices: Any) -> Any:
    return choices[0] if isinstance(choices, list) and choices else None

"""Claude, through Anthropic's official SDK."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import anthropic

from embodied.blobs import Blobs
from embodied.errors import ModelRefused
from embodied.models.base import choices_of
from embodied.models.config import ModelConfig
from embodied.models.services.answers import (
    ServiceAnswer,
    Unreadable,
    count,
    text_elsewhere,
    text_of,
    thoughts_of,
    within,
    word,
)
from embodied.models.services.choices import schema, taken
from embodied.models.services.connection import hooks
from embodied.models.services.endpoint import Endpoint
from embodied.models.services.wire import base64_png, split_system, storable
from embodied.types import Message, Part, Reply, Settings, Text, Usage

ANTHROPIC_URL = "https://api.anthropic.com"

DEFAULT_MAX_TOKENS = 8192
"""The API requires a limit. Thinking counts towards it, so this is room for both."""

_STOP = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
_EFFORT = {"minimal": "low"}
"""Words of other providers that Claude does not know."""


class Anthropic:
    """A Claude model. `thinking_tokens` gives a thinking budget (models up to 4.6), `reasoning_effort` adaptive
    thinking (4.6 and later).

    Models from Claude Opus 4.7 on refuse a temperature; with thinking on, no model takes one, and it is left out.
    `Settings.choices` becomes structured output (models from 4.5 on).
    """

    chooses = True

    def __init__(self, config: ModelConfig, blobs: Blobs):
        self._endpoint = Endpoint.find(
            config, url=ANTHROPIC_URL, url_variable="ANTHROPIC_BASE_URL", key_variables=("ANTHROPIC_API_KEY",)
        )
        self.name = self._endpoint.model
        self._model = config.name
        self._blobs = blobs
        http = anthropic.DefaultAsyncHttpxClient(event_hooks=hooks())
        self._client = anthropic.AsyncAnthropic(
            api_key=self._endpoint.key,
            base_url=self._endpoint.url,
            timeout=self._endpoint.timeouts,
            max_retries=0,
            http_client=http,
        )

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        start = time.monotonic()
        system, turns = split_system(messages)
        body = self._options(settings) | {
            "messages": [{"role": m.role, "content": self._blocks(m.parts)} for m in turns]
        }
        if system:
            body["system"] = self._blocks(system)
        choices = choices_of(settings)
        if choices:
            held = {"format": {"type": "json_schema", "schema": schema(choices)}}
            body["output_config"] = body.get("output_config", {}) | held
        data = await self._post(body)
        reply = self._reply(data, messages, time.monotonic() - start)
        return replace(reply, text=taken(reply.text, choices)) if choices else reply

    async def aclose(self) -> None:
        await self._client.close()

    def _blocks(self, parts: Iterable[Part]) -> list[dict[str, Any]]:
        return [
            (
                {"type": "text", "text": storable(part.text)}
                if isinstance(part, Text)
                else {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": base64_png(part, self._blobs)},
                }
            )
            for part in parts
        ]

    def _options(self, settings: Settings) -> dict[str, Any]:
        budget, effort = settings.thinking_tokens, settings.reasoning_effort
        limit = settings.max_tokens or DEFAULT_MAX_TOKENS + (budget or 0)
        if budget and limit <= budget:
            raise ModelRefused(
                f"{self.name}: max_tokens={limit} must be above thinking_tokens={budget}, because thinking counts"
                " towards it."
            )
        options: dict[str, Any] = {"model": self._model, "max_tokens": limit}
        if settings.stop:
            options["stop_sequences"] = list(settings.stop)
        if effort:
            options |= {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": _EFFORT.get(effort, effort)},
            }
        if budget:
            options["thinking"] = {"type": "enabled", "budget_tokens": budget}
        if "thinking" not in options:
            # The SDK has dropped these with the newest models; the API still takes them for the others.
            sampling = {"temperature": settings.temperature, "top_p": settings.top_p}
            options["extra_body"] = {name: value for name, value in sampling.items() if value is not None}
        return options

    async def _post(self, body: dict[str, Any]) -> bytes:
        endpoint = self._endpoint
        try:
            async with endpoint.deadline():
                response = await self._client.messages.with_raw_response.create(**body)
                data: bytes = await response.read()
                return data
        except anthropic.APITimeoutError as error:
            raise endpoint.timed_out(error) from None
        except anthropic.APIStatusError as error:
            raise endpoint.failed(
                error.status_code, error.response.content or error.response.reason_phrase, error.response.headers
            ) from None
        except anthropic.APIError as error:
            raise endpoint.unreachable(error) from None

    def _reply(self, data: bytes, messages: Sequence[Message], seconds: float) -> Reply:
        body = self._endpoint.read(data)
        content = body.get("content")
        try:
            if content is None:
                raise Unreadable("an answer without content")
            answer = ServiceAnswer(text_of(content), thoughts_of(content), _stop(body.get("stop_reason")))
            if not answer.text and (elsewhere := text_elsewhere({k: v for k, v in body.items() if k != "content"})):
                raise Unreadable(f"its text in {elsewhere!r}, where no text belongs")
        except Unreadable as error:
            raise self._endpoint.garbled(str(error)) from None
        usage = body.get("usage")
        cached = count(within(usage, "cache_read_input_tokens"))
        counted = Usage(
            # Anthropic counts the prompt in three parts: new, written to its cache, read from its cache.
            input=count(within(usage, "input_tokens")) + count(within(usage, "cache_creation_input_tokens")) + cached,
            output=count(within(usage, "output_tokens")),
            reasoning=count(within(usage, "output_tokens_details", "thinking_tokens")),
            cached=cached,
        )
        return self._endpoint.reply(answer, counted, messages, model=body.get("model"), seconds=seconds)


def _stop(reason: Any) -> str:
    return _STOP.get(word(reason) or "end_turn", word(reason))

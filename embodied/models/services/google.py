"""Gemini, through Google's official SDK."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from json import JSONDecodeError
from typing import Any

import httpx2
import pydantic
from google import genai
from google.genai import errors, types

from embodied.blobs import Blobs
from embodied.models.base import choices_of
from embodied.models.config import ModelConfig
from embodied.models.services.answers import ServiceAnswer, Unreadable, count, text_elsewhere, text_of, within, word
from embodied.models.services.choices import schema, taken
from embodied.models.services.connection import hooks
from embodied.models.services.endpoint import Endpoint
from embodied.models.services.wire import split_system, storable
from embodied.types import Message, Part, Reply, Settings, Text, Usage

GOOGLE_URL = "https://generativelanguage.googleapis.com"

_STOP = {"STOP": "stop", "MAX_TOKENS": "length"}
_BLOCKED = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "MODEL_ARMOR"}


class Google:
    """A Gemini model. `thinking_tokens` is its thinking budget (2.5), `reasoning_effort` its thinking level (3 and
    later). `Settings.choices` becomes structured output.
    """

    chooses = True

    def __init__(self, config: ModelConfig, blobs: Blobs):
        self._endpoint = Endpoint.find(
            config,
            url=GOOGLE_URL,
            url_variable="GOOGLE_GEMINI_BASE_URL",
            key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        )
        self.name = self._endpoint.model
        self._model = config.name
        self._blobs = blobs
        # A client of ours, so that we know which library's exceptions to expect.
        events = hooks()
        self._http = httpx2.AsyncClient(event_hooks={**events, "request": [*events["request"], self._limit]})
        # None leaves the SDK's own address and version
        url = self._endpoint.url if self._endpoint.url != GOOGLE_URL else None
        options = types.HttpOptions(base_url=url, httpx_async_client=self._http)
        self._client = genai.Client(api_key=self._endpoint.key, vertexai=False, http_options=options)

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        start = time.monotonic()
        system, turns = split_system(messages)
        contents = [
            types.Content(role="model" if m.role == "assistant" else "user", parts=self._parts(m.parts)) for m in turns
        ]
        config = self._options(settings, types.Content(parts=self._parts(system)) if system else None)
        reply = self._reply(await self._post(contents, config), messages, time.monotonic() - start)
        choices = choices_of(settings)
        return replace(reply, text=taken(reply.text, choices)) if choices else reply

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _limit(self, request: httpx2.Request) -> None:
        # The SDK gives each request one number for all its time-outs, or none; neither bounds the connection alone.
        request.extensions["timeout"] = self._endpoint.timeouts.as_dict()

    def _parts(self, parts: Iterable[Part]) -> list[types.Part]:
        return [
            types.Part(text=storable(part.text))
            if isinstance(part, Text)
            else types.Part(inline_data=types.Blob(data=self._blobs.get(part.digest), mime_type="image/png"))
            for part in parts
        ]

    @staticmethod
    def _options(settings: Settings, system: types.Content | None) -> types.GenerateContentConfig:
        thinking = None
        if settings.thinking_tokens or settings.reasoning_effort:
            level: Any = settings.reasoning_effort.upper() if settings.reasoning_effort else None
            thinking = types.ThinkingConfig(
                include_thoughts=True, thinking_budget=settings.thinking_tokens, thinking_level=level
            )
        choices = choices_of(settings)
        return types.GenerateContentConfig(
            response_mime_type="application/json" if choices else None,
            response_json_schema=schema(choices) if choices else None,
            system_instruction=system,
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_output_tokens=settings.max_tokens,
            stop_sequences=list(settings.stop) or None,
            seed=None if settings.seed is None else settings.seed % 2**31,  # an int32 there
            thinking_config=thinking,
            # the raw body: the SDK's own reading gives up at the first field of another type
            should_return_http_response=True,
        )

    async def _post(self, contents: list[types.Content], config: types.GenerateContentConfig) -> str:
        endpoint = self._endpoint
        try:
            async with endpoint.deadline():
                answer = await self._client.aio.models.generate_content(
                    model=self._model, contents=contents, config=config
                )
        except errors.APIError as error:
            raise endpoint.failed(error.code, error.details, getattr(error.response, "headers", None)) from None
        except httpx2.TimeoutException as error:
            raise endpoint.timed_out(error) from None
        except httpx2.HTTPError as error:
            raise endpoint.unreachable(error) from None
        except (
            errors.UnknownApiResponseError,
            JSONDecodeError,
            UnicodeDecodeError,
            RecursionError,
            pydantic.ValidationError,
            AttributeError,
            TypeError,
        ):
            raise endpoint.garbled("something that is not an answer of this API") from None
        return (answer.sdk_http_response.body if answer.sdk_http_response else None) or ""

    def _reply(self, data: str, messages: Sequence[Message], seconds: float) -> Reply:
        body = self._endpoint.read(data)
        try:
            answer = _answer(body)
        except Unreadable as error:
            raise self._endpoint.garbled(str(error)) from None
        if answer.stop == "content_filter" and not answer.text:
            reason = word(within(body, "promptFeedback", "blockReason")) or word(
                within(_first(body.get("candidates")), "finishReason")
            )
            raise self._endpoint.filtered(reason)
        usage = body.get("usageMetadata")
        thoughts = count(within(usage, "thoughtsTokenCount"))
        counted = Usage(
            input=count(within(usage, "promptTokenCount")),
            output=count(within(usage, "candidatesTokenCount")) + thoughts,
            reasoning=thoughts,
            cached=count(within(usage, "cachedContentTokenCount")),
        )
        return self._endpoint.reply(answer, counted, messages, model=body.get("modelVersion"), seconds=seconds)


def _answer(body: dict[str, Any]) -> ServiceAnswer:
    """The answer in a response. Raises `Unreadable` where its text is in no place that is known."""
    if word(within(body, "promptFeedback", "blockReason")):
        return ServiceAnswer("", "", "content_filter")
    candidate = _first(body.get("candidates"))
    if not isinstance(candidate, dict):
        raise Unreadable("an answer without candidates")
    parts = within(candidate, "content", "parts")
    reason = word(candidate.get("finishReason")) or "STOP"
    stop = "content_filter" if reason in _BLOCKED else _STOP.get(reason, reason.lower())
    thoughts = (
        [word(within(p, "text")) for p in parts if within(p, "thought") is True] if isinstance(parts, list) else []
    )
    answer = ServiceAnswer(text_of(parts), "\n".join(thoughts), stop)
    content = candidate.get("content")
    others = {k: v for k, v in content.items() if k != "parts"} if isinstance(content, dict) else {"content": content}
    rest = {k: v for k, v in candidate.items() if k != "content"}
    if not answer.text and (elsewhere := text_elsewhere(others) or text_elsewhere(rest) or text_elsewhere(body)):
        raise Unreadable(f"its text in {elsewhere!r}, where no text belongs")
    return answer


def _first(candidates: Any) -> Any:
    return candidates[0] if isinstance(candidates, list) and candidates else None

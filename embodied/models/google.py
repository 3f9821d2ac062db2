"""Gemini, through Google's official SDK."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from json import JSONDecodeError
from typing import Any

import httpx2
import pydantic
from google import genai
from google.genai import errors, types

from embodied.blobs import Blobs
from embodied.models.config import ModelConfig
from embodied.models.endpoint import Endpoint, error_text
from embodied.models.wire import split_system, storable
from embodied.types import Message, Part, Reply, Settings, Text, Usage

GOOGLE_URL = "https://generativelanguage.googleapis.com"

_STOP = {"STOP": "stop", "MAX_TOKENS": "length"}
_BLOCKED = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "MODEL_ARMOR"}


class Google:
    """A Gemini model. `thinking_tokens` is its thinking budget (2.5), `reasoning_effort` its thinking level (3 and later)."""

    def __init__(self, config: ModelConfig, blobs: Blobs):
        self._endpoint = Endpoint.find(config, url=GOOGLE_URL, url_variable="GOOGLE_GEMINI_BASE_URL", key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"))
        self.name = self._endpoint.model
        self._model = config.name
        self._blobs = blobs
        # A client of ours, so that it is known which library's exceptions to expect.
        self._http = httpx2.AsyncClient(event_hooks={"request": [self._limit]})
        url = self._endpoint.url if self._endpoint.url != GOOGLE_URL else None  # None leaves the SDK's own address and version
        options = types.HttpOptions(base_url=url, httpx_async_client=self._http)
        self._client = genai.Client(api_key=self._endpoint.key, vertexai=False, http_options=options)

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        start = time.monotonic()
        system, turns = split_system(messages)
        contents = [types.Content(role="model" if m.role == "assistant" else "user", parts=self._parts(m.parts)) for m in turns]
        config = self._options(settings, types.Content(parts=self._parts(system)) if system else None)
        return self._reply(await self._post(contents, config), time.monotonic() - start)

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
            thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=settings.thinking_tokens, thinking_level=level)
        return types.GenerateContentConfig(
            system_instruction=system,
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_output_tokens=settings.max_tokens,
            stop_sequences=list(settings.stop) or None,
            seed=None if settings.seed is None else settings.seed % 2**31,  # an int32 there
            thinking_config=thinking,
        )

    async def _post(self, contents: list[types.Content], config: types.GenerateContentConfig) -> types.GenerateContentResponse:
        endpoint = self._endpoint
        try:
            async with endpoint.deadline():
                return await self._client.aio.models.generate_content(model=self._model, contents=contents, config=config)
        except errors.APIError as error:
            raise endpoint.failed(error.code, error_text(error.details), getattr(error.response, "headers", None)) from None
        except httpx2.TimeoutException as error:
            raise endpoint.timed_out(error) from None
        except httpx2.HTTPError as error:
            raise endpoint.unreachable(error) from None
        except (errors.UnknownApiResponseError, JSONDecodeError, UnicodeDecodeError, RecursionError, pydantic.ValidationError, AttributeError, TypeError):
            raise endpoint.garbled("something that is no answer of this API") from None

    def _reply(self, answer: types.GenerateContentResponse, seconds: float) -> Reply:
        usage = answer.usage_metadata or types.GenerateContentResponseUsageMetadata()
        thoughts = usage.thoughts_token_count or 0
        blocked = answer.prompt_feedback is not None and answer.prompt_feedback.block_reason is not None
        if not answer.candidates and not blocked:
            raise self._endpoint.garbled("an answer without candidates")
        candidate = answer.candidates[0] if answer.candidates else types.Candidate(finish_reason=types.FinishReason.SAFETY)
        parts = (candidate.content.parts if candidate.content else None) or []
        reason = candidate.finish_reason.value if candidate.finish_reason else "STOP"
        return self._endpoint.reply(
            text="".join(p.text or "" for p in parts if not p.thought),
            reasoning="\n".join(p.text or "" for p in parts if p.thought),
            usage=Usage(
                input=usage.prompt_token_count or 0,
                output=(usage.candidates_token_count or 0) + thoughts,
                reasoning=thoughts,
                cached=usage.cached_content_token_count or 0,
            ),
            stop="content_filter" if reason in _BLOCKED else _STOP.get(reason, reason.lower()),
            model=answer.model_version,
            seconds=seconds,
        )

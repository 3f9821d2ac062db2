"""GGUF models in this process, through llama.cpp (xllamacpp): any GGUF file, with an image
projector if there is one.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import xllamacpp

from embodied.blobs import Blobs
from embodied.errors import ModelErred, ModelFailure, PromptRefused, PromptTooLong, UsageError
from embodied.models.base import choices_of
from embodied.models.config import ModelConfig
from embodied.models.local.weights import check_gguf, find_gguf
from embodied.models.local.worker import EngineThread, Halt
from embodied.models.services.choices import grammar, taken
from embodied.models.services.wire import MAX_TEXT, chat, has_images, split_thoughts, storable
from embodied.types import Message, Reply, Settings, Usage

DEFAULT_CONTEXT = 8192
DEFAULT_MAX_TOKENS = 1024
"""Where no limit is given: small models may never end on their own."""

_BATCH = 256
"""Prompt tokens evaluated between two looks at `Halt`; a few seconds' work for a small model."""
_CUT = 8
"""Characters cut from the last message by `_forget_reply`."""
_NOTHING = [{"role": "user", "content": "."}]
"""What is left in the cache when a call was stopped half way."""


class Gguf:
    """A GGUF model with its own chat template. One engine, shared by all callers, which it serves one after another.

    The reply is a function of prompt and settings alone, however many episodes share the engine: see `_forget_reply`.
    Without a seed, 0 is taken; without a temperature, llama.cpp's defaults (temperature 0.8, top_k 40, top_p 0.95,
    min_p 0.05).

    Log-probabilities are those of the model itself, before temperature and top_p.

    `Settings.choices` becomes a grammar: at each token, only tokens that continue or end a choice can be drawn.
    A reply is then as long as its choice, `max_tokens` and `stop` have no effect, and it has no thoughts.
    """

    chooses = True

    def __init__(self, config: ModelConfig, blobs: Blobs):
        self.name = f"gguf/{config.name}"
        self._blobs = blobs
        self._logprobs = config.logprobs
        self._reuse = config.reuse_prompt
        self._sees = config.mmproj is not None
        self._server: Any = _load(config, find_gguf(config))
        self._worker = EngineThread(self.name, config.timeout)

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        images = has_images(messages)
        if images and not self._sees:
            raise PromptRefused(
                f"{self.name} reads no images. Play with --text, or give its image projector with model.mmproj=FILE.",
                "no pictures",
            )
        body = self._options(settings) | {
            "messages": chat(messages, self._blobs),
            "cache_prompt": self._reuse and not images,
        }
        choices = choices_of(settings)
        if not choices:
            return await self._worker.run(lambda halt: self._complete(body, halt))
        return await self._worker.run(lambda halt: self._complete(body | _held_to(choices), halt, choices))

    async def aclose(self) -> None:
        self._worker.close()
        self._server = None  # frees the weights

    def _options(self, settings: Settings) -> dict[str, Any]:
        options = {
            "max_tokens": settings.max_tokens or DEFAULT_MAX_TOKENS,
            "seed": (settings.seed or 0) % 2**32,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "stop": list(settings.stop) or None,
            "thinking_budget_tokens": settings.thinking_tokens,
            "logprobs": self._logprobs or None,
            "top_logprobs": 1 if self._logprobs else None,
        }
        return {name: value for name, value in options.items() if value is not None}

    def _complete(self, body: dict[str, Any], halt: Halt, choices: Sequence[str] = ()) -> Reply:
        """Runs in the worker's thread."""
        start = time.monotonic()
        stream = _Stream(halt)
        self._call(body, stream)
        if body["cache_prompt"]:
            self._forget_reply(_NOTHING if halt() else body["messages"])
        reply = stream.reply(self._logprobs, time.monotonic() - start)
        return replace(reply, text=taken("".join(stream.text), choices), reasoning="") if choices else reply

    def _forget_reply(self, messages: list[dict[str, Any]]) -> None:
        """Leaves only what was evaluated as a prompt in the cache.

        llama.cpp evaluates a prompt many tokens at a time and a reply one by one, and the two differ in their last
        bits. A next prompt that continues this reply would find it in the cache and come out a little differently than
        without the cache. Asking the same with a slightly shorter last message and no reply replaces it, for about ten
        tokens of work.
        """
        *head, last = messages
        shorter = last | {"content": last["content"][:-_CUT] or "."}
        self._call({"messages": [*head, shorter], "max_tokens": 0, "cache_prompt": True}, _Stream(halt=lambda: False))

    def _call(self, body: dict[str, Any], stream: _Stream) -> None:
        # Progress is reported after each batch of the prompt: without it a long prompt could not be stopped.
        options = {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True}
        try:
            self._server.handle_chat_completions(body | options, stream)
        except (RuntimeError, ValueError) as error:  # a template or an image that llama.cpp cannot read
            raise PromptRefused(f"{self.name} refused the request: {storable(str(error))[:300]}") from error
        if stream.error:
            raise self._failure(stream.error)

    def _failure(self, error: dict[str, Any]) -> ModelFailure:
        said = storable(str(error.get("message", error)))[:300]
        if error.get("type") == "exceed_context_size_error":
            return PromptTooLong(f"{self.name}: {said.rstrip('.')}.")
        if error.get("code", 500) < 500:
            return PromptRefused(f"{self.name} refused the request: {said}")
        return ModelErred(f"{self.name} failed: {said}")


@dataclass
class _Stream:
    """Collects the chunks of one reply. Called by llama.cpp with each; returning True stops the generation."""

    halt: Callable[[], bool]
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tokens: list[tuple[int, float]] = field(default_factory=list)
    stop: str = "stop"
    model: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None

    def __call__(self, chunk: dict[str, Any]) -> bool:
        self.error = chunk.get("error") or self.error
        self.usage = chunk.get("usage") or self.usage
        self.model = chunk.get("model", self.model)
        for choice in chunk.get("choices", ()):
            delta = choice.get("delta", {})
            self.text.append(delta.get("content") or "")
            self.reasoning.append(delta.get("reasoning_content") or "")
            self.stop = choice.get("finish_reason") or self.stop
            self.tokens += [
                (token["id"], token["logprob"]) for token in (choice.get("logprobs") or {}).get("content") or ()
            ]
        return self.halt()

    def reply(self, logprobs: bool, seconds: float) -> Reply:
        thoughts, text = split_thoughts("".join(self.text))
        details = self.usage.get("prompt_tokens_details") or {}
        return Reply(
            text=storable(text)[:MAX_TEXT],
            reasoning=storable("\n".join(filter(None, ("".join(self.reasoning), thoughts))))[:MAX_TEXT],
            usage=Usage(
                input=self.usage.get("prompt_tokens", 0),
                output=self.usage.get("completion_tokens", 0),
                cached=details.get("cached_tokens", 0),
            ),
            stop=self.stop,
            model=Path(self.model).name,
            seconds=seconds,
            token_ids=tuple(i for i, _ in self.tokens) if logprobs else None,
            logprobs=tuple(p for _, p in self.tokens) if logprobs else None,
        )


def _held_to(choices: Sequence[str]) -> dict[str, Any]:
    """The options that hold a reply to `choices`. No token is shorter than a byte, so the limit cuts none of them."""
    return {
        "grammar": grammar(choices),
        "max_tokens": max(len(storable(choice).encode()) for choice in choices) + 1,
        "stop": [],
        "chat_template_kwargs": {"enable_thinking": False},
    }


def _load(config: ModelConfig, file: Path) -> xllamacpp.Server:
    """Loads the weights. Raises `UsageError` when llama.cpp cannot."""
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    if config.mmproj:
        params.mmproj.path = str(check_gguf(Path(config.mmproj), "model.mmproj"))
    params.n_ctx = config.context or DEFAULT_CONTEXT
    params.n_parallel = 1  # one sequence: replies must not depend on what else is being answered
    params.n_batch = params.n_ubatch = _BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config.threads or max(1, (os.cpu_count() or 2) // 2)
    # Flash attention's sums depend on how many tokens are evaluated together; without it, reusing a prompt changes no
    # bit (and costs a little speed).
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cache_ram_mib = 0  # no second copy of old prompts in memory
    params.fit_params = False  # the context asked for, not what a guess about free memory allows
    params.verbosity = -1
    # The engine opens a port on loopback, which we do not use: this key closes it to everyone else.
    params.api_keys = [secrets.token_hex(16)]
    params.ui = False
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise UsageError(f"gguf/{config.name}: llama.cpp cannot load {file} ({error}).") from error

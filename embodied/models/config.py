"""The configuration of a model: plain values, usable as a Hydra structured config."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from embodied.errors import UnknownName, UsageError
from embodied.registry import Registry, unknown
from embodied.types import Settings

MODELS = Registry(
    "model",
    {
        "openai": "embodied.models.services.openai:OpenAI",
        "compatible": "embodied.models.services.openai:Compatible",
        "anthropic": "embodied.models.services.anthropic:Anthropic",
        "google": "embodied.models.services.google:Google",
        "gguf": "embodied.models.local.gguf:Gguf",
        "transformers": "embodied.models.local.transformers:Transformers",
        "scripted": "embodied.models.scripted:Scripted",
    },
)
"""Providers. A target is called with `(config, blobs)` and returns a `Model`."""

CONSTRAINTS = ("json_schema", "structured_outputs", "guided_choice", "grammar")
"""Fields in which servers of OpenAI's API take the only answers that they may give."""

LOCAL = ("gguf", "transformers", "scripted")
"""Providers that run in this process: they call no server and cost nothing."""


@dataclass
class ModelConfig:
    """Which model, where it is, and how it is called. The comments say which fields are for certain providers only."""

    provider: str = "gguf"
    """A name in `MODELS`."""
    name: str = "smollm2"
    """The provider's name for the model; for local engines also a path (`*.gguf`, or a model folder)."""

    base_url: str | None = None
    """Another server than the provider's own. None reads OPENAI_BASE_URL, ANTHROPIC_BASE_URL or GOOGLE_GEMINI_BASE_URL.
    Never holds a key: it is recorded.
    """
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; None is the provider's usual one. The key itself is never
    part of a config.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    """Limit of one reply, reasoning included."""
    max_completion_tokens: int | None = None
    """The same, in place of max_tokens, for servers of OpenAI's API that take it under this newer name only."""
    stop: list[str] = field(default_factory=list)
    seed: int | None = None
    reasoning_effort: str | None = None
    """For reasoning models: minimal, low, medium, high (newer models know more words; they are passed on as they are).
    """
    thinking_tokens: int | None = None
    """For models with a thinking budget."""

    constraint: str | None = None
    """For agent.format=choice at a server of OpenAI's API: the field in which the server takes the list of actions.
    json_schema: response_format. structured_outputs: vLLM from 0.12 on. guided_choice: earlier vLLM. grammar:
    llama.cpp. None is json_schema at OpenAI's own address, and no way at any other.
    """

    timeout: float = 180.0
    """Seconds one attempt may take, from request to complete answer."""
    attempts: int = 5
    """How often a call is tried when another attempt may work."""
    total_seconds: float = 900.0
    """Seconds that all attempts of one call and the waits between them may take."""

    path: str | None = None
    """Local engines: GGUF file or model folder; None finds it by `name`."""
    sha256: str = ""
    """Local engines: hash of the weights that `path` or `name` gives as a file or folder. It is computed and recorded:
    new weights in the same place are another run. A value that you set must be the one found.
    """
    mmproj: str | None = None
    """gguf: the image projector's GGUF file; without one the model reads no images."""
    context: int | None = None
    """Local engines: tokens of prompt and reply together; None is 8192 (gguf) or the model's own limit (transformers).
    """
    threads: int | None = None
    """Local engines: CPU threads; None is half the processors (gguf) or PyTorch's choice (transformers)."""
    reuse_prompt: bool = True
    """Local engines: keeps evaluated prompts, so that the part which the next prompt shares with them costs nothing."""
    prompt_memory: float = 1.0
    """transformers: GiB of evaluated prompts to keep; the least recently used go first."""
    batch: int = 8
    """transformers: calls that are answered together at most. Batches wait for every episode in flight, see
    `run.concurrency`.
    """
    logprobs: bool = False
    """Local engines: token ids and their log-probabilities in every reply."""
    device: str = "auto"
    """transformers: auto, cpu, cuda or cuda:N."""
    dtype: str = "auto"
    """transformers: auto (float32 on a CPU, bfloat16 on CUDA), float32, bfloat16 or float16."""

    script: Any = None
    """scripted: a list of replies, or `package.module:function`."""

    def settings(self) -> Settings:
        """The sampling settings, for `Model.generate`."""
        return Settings(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens or self.max_completion_tokens,
            stop=tuple(self.stop),
            seed=self.seed,
            reasoning_effort=self.reasoning_effort,
            thinking_tokens=self.thinking_tokens,
        )


def blind(config: ModelConfig) -> bool:
    """Whether a model is known not to read pictures."""
    return config.provider == "gguf" and config.mmproj is None


def parse_model(text: str) -> tuple[str, str]:
    """Splits `provider/name` at its first slash; the name may hold more of them (`gguf//home/me/model.gguf`).

    Raises:
        UnknownName: No such provider.
        UsageError: There is no slash, or nothing behind it.
    """
    provider, _, name = text.partition("/")
    if not provider or not name:
        raise UsageError(
            f"{text!r} does not say both provider and model. Write provider/name, for instance openai/gpt-4o. `embodied"
            " list models` lists the providers."
        )
    if provider not in MODELS:
        error = unknown("provider of models", provider, MODELS.names(), "embodied list models")
        raise UnknownName(f"{error} For a server of your own, write compatible/NAME and model.base_url=ADDRESS.")
    return provider, name


def check(config: ModelConfig, key: str = "model") -> None:
    """Checks the numbers of `config`, which stands at `key`. Raises `UsageError` on the first that makes no sense."""
    for name in (
        "timeout",
        "total_seconds",
        "attempts",
        "max_tokens",
        "max_completion_tokens",
        "context",
        "threads",
        "thinking_tokens",
        "prompt_memory",
        "batch",
    ):
        value = getattr(config, name)
        if value is not None and not value > 0:
            raise UsageError(f"{key}.{name} must be above 0, not {value}.")
    if config.max_tokens and config.max_completion_tokens:
        raise UsageError(
            f"{key}.max_tokens and {key}.max_completion_tokens are two names of one limit: set one of them."
        )
    if config.temperature is not None and not 0 <= config.temperature <= 2:
        raise UsageError(f"{key}.temperature must be between 0 and 2, not {config.temperature}.")
    if config.top_p is not None and not 0 < config.top_p <= 1:
        raise UsageError(f"{key}.top_p must be above 0 and at most 1, not {config.top_p}.")
    if config.base_url and config.provider in LOCAL:
        raise UsageError(
            f"{key}.base_url is set, but {config.provider} calls no server. Use compatible/{config.name} for a server"
            " of your own."
        )
    if config.constraint is not None and config.constraint not in CONSTRAINTS:
        raise UnknownName(
            f"There is no constraint named {config.constraint!r}. {key}.constraint is one of {', '.join(CONSTRAINTS)}."
        )
    if config.constraint is not None and config.provider not in ("openai", "compatible"):
        raise UsageError(
            f"{key}.constraint is for servers of OpenAI's API (openai, compatible), not for {config.provider}."
        )
    if not config.name:
        raise UsageError(f"{key}.name is empty: say which model, for instance {key}.name=gpt-4o.")

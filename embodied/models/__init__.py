"""Models: providers that answer chats, and the layers around them.

    config = ModelConfig(*parse_model("openai/gpt-4o"))
    model = build(config, blobs)
    reply = await model.generate(messages, config.settings())

Importing this package imports no SDK: a provider's module is imported when a model of that provider is built.
Build a model once a run: local engines load their weights when built, and every episode can share one model.
"""

from __future__ import annotations

from embodied.blobs import Blobs
from embodied.errors import MissingExtra
from embodied.models.base import Model
from embodied.models.config import MODELS, ModelConfig, check, parse_model

__all__ = ["MODELS", "Model", "ModelConfig", "build", "parse_model"]

_EXTRAS = {"anthropic": "anthropic", "google": "google", "gguf": "local", "transformers": "local"}
"""Provider -> the extra that installs what it imports."""


def build(config: ModelConfig, blobs: Blobs, seed: int = 0) -> Model:
    """Builds the model that `config` describes: the provider with the retry layer around it.

    Everything that can be found wrong without a call is found here: the key, the URL, the weights.

    Args:
        config: Which model and how to call it.
        blobs: Where the images of messages are read from.
        seed: Root of the retry layer's jitter; it has no part in any reply.

    Raises:
        UnknownName: No such provider.
        UsageError: A value of `config` makes no sense.
        MissingExtra: The provider's library is not installed.
        MissingKey: No API key where the provider looks for one.
    """
    from embodied.models.retry import Retry

    check(config)
    try:
        provider = MODELS.get(config.provider)(config, blobs)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("embodied") or config.provider not in _EXTRAS:
            raise
        raise MissingExtra(f"The model provider {config.provider} (module {error.name})", _EXTRAS[config.provider]) from error
    # Later layers (limits, budget, cache) go around this one: a cached reply must not wait for anything below it.
    return Retry(provider, attempts=config.attempts, total_seconds=config.total_seconds, seed=seed)

"""Models: providers that answer chats, and the layers around them.

    config = ModelConfig(*parse_model("openai/gpt-4o"))
    model = build(config, blobs)
    reply = await model.generate(messages, config.settings())

Importing this package imports no SDK: a provider's module is imported when a model of that provider is built.
Build a model once a run: local engines load their weights when built, and every episode can share one model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodied.blobs import Blobs
from embodied.errors import MissingExtra, UnknownName
from embodied.models.base import Model
from embodied.models.config import LOCAL, MODELS, ModelConfig, check, parse_model
from embodied.types import Usage

if TYPE_CHECKING:
    from embodied.models.layers.budget import Allowance, Budget
    from embodied.models.prices import Price

__all__ = ["MODELS", "Model", "ModelConfig", "build", "check", "parse_model", "spending"]

_EXTRAS = {"anthropic": "anthropic", "google": "google", "gguf": "local", "transformers": "local"}
"""Provider -> the extra that installs what it imports."""


def build(config: ModelConfig, blobs: Blobs, seed: int = 0, replicas: int = 0) -> Model:
    """Builds the model that `config` describes: the provider with the retry layer around it, and with a limit on
    simultaneous calls. All faults that can be found without a call are found here: the key, the URL, the weights.

    Args:
        config: Which model and how to call it.
        blobs: Where the images of messages are read from.
        seed: Root of the retry layer's jitter; it has no part in any reply.
        replicas: Copies of the model on the Ray cluster that this process is connected to; 0 for one in this process.

    Raises:
        UnknownName: No such provider.
        UsageError: A value of `config` makes no sense.
        MissingExtra: The provider's library is not installed.
        MissingKey: No API key where the provider looks for one.
    """
    from embodied.models.layers.limit import Limit, Rate, Sense
    from embodied.models.layers.retry import Retry

    check(config)
    try:
        if replicas:
            from embodied.models.local.replicas import Replicas

            provider: Model = Replicas(config, blobs, replicas)
        else:
            provider = MODELS.get(config.provider)(config, blobs)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("embodied") or config.provider not in _EXTRAS:
            raise
        raise MissingExtra(
            f"The model provider {config.provider} (module {error.name})", _EXTRAS[config.provider]
        ) from error
    rate = Rate()
    retry = Retry(Sense(provider, rate), attempts=config.attempts, total_seconds=config.total_seconds, seed=seed)
    return Limit(retry, rate)


def spending(
    model: Model,
    config: ModelConfig,
    allowance: Allowance,
    price: Price | None,
    used: Usage,
    cache: str = "deterministic",
    together: list[Budget] | None = None,
    named: str = "run.price",
) -> Model:
    """Puts the layers around a run's model that watch its costs: a budget, and the cache around it, whose replies cost
    nothing.

    Args:
        model: From `build`.
        config: What it was built from.
        allowance: What the run may use in all.
        price: From `prices.price_of`.
        used: What it has used before.
        cache: off; deterministic: calls of a server at temperature 0; all: every call, of models in this process too.
        together: The budgets of the run's other models, which share the allowance; this one is added to them.
        named: The key that sets `price`.

    Raises:
        UsageError: The allowance or `cache` makes no sense.
        BudgetSpent: There is nothing left.
    """
    from embodied.models.layers.budget import Budget
    from embodied.models.layers.cache import POLICIES, Cache

    if cache not in POLICIES:
        raise UnknownName(f"There is no cache policy named {cache!r}. run.cache is one of {', '.join(POLICIES)}.")
    allowance.check(price, config.provider + "/" + config.name, named)
    together = [] if together is None else together
    spent = [*((budget.used, budget.price) for budget in together), (used, price)]
    if allowance.left(*spent) <= 0:
        raise allowance.spent(*spent)
    budgeted = Budget(model, allowance, price, used, together)
    kept = cache == "all" or (cache == "deterministic" and config.provider not in LOCAL)
    return Cache(budgeted, config, sampled=cache == "all") if kept else budgeted

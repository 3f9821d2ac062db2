"""Model: answers messages. Providers are Models, and so are the layers around them (retry,
cache, limits, budget).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Protocol

from embodied.types import Message, Reply, Settings

CONVERSATION: ContextVar[str] = ContextVar("conversation", default="")
"""The conversation that makes a call. Its prompts mostly begin alike, so the engine that answered the first answers the
others cheaply.
"""


class Model(Protocol):
    """Something that answers a chat.

    Implementations are built by `embodied.models.build(config, blobs)` and are safe to call from several coroutines at
    once.
    """

    name: str
    """`provider/model`, as configured.

    A model that answers with exactly one of `Settings.choices` when a call names some also has a true attribute
    `chooses` (see `chooses`).
    """

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        """Answers `messages`.

        Raises:
            ModelUnavailable: Another attempt may work (unreachable, 429, 5xx, time-out).
            ModelRefused: It will not (key, unknown model, malformed request).
        """
        ...

    async def aclose(self) -> None:
        """Frees connections and memory; calling it again does nothing."""
        ...


def chooses(model: object) -> bool:
    """Whether a model can be limited to `Settings.choices`: it says so itself."""
    return bool(getattr(model, "chooses", False))


def weighs(model: object) -> bool:
    """Whether a model in this process says how likely each of `Settings.choices` is (`Reply.weighed`)."""
    return bool(getattr(model, "weighs", False))


def choices_of(settings: Settings) -> tuple[str, ...]:
    """The answers that a call allows; empty where any text is an answer."""
    return settings.choices if isinstance(settings.choices, tuple) else ()


class Layer:
    """A Model around a Model. Its name is the name of the model it is around."""

    def __init__(self, model: Model):
        self.name = model.name
        self.chooses = chooses(model)
        self.weighs = weighs(model)
        self._model = model

    async def aclose(self) -> None:
        await self._model.aclose()

    def live(self, episodes: int) -> None:
        """Tells the model how many episodes are being played now. Models that answer several calls together wait for so
        many.
        """
        tell = getattr(self._model, "live", None)
        if tell is not None:
            tell(episodes)

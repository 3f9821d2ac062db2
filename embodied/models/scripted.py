"""A model without weights: replies from a list or a function, for tests, docs and rehearsals."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

from embodied.blobs import Blobs
from embodied.errors import ModelRefused, UsageError
from embodied.models.config import ModelConfig
from embodied.models.services.wire import plain, split_thoughts, storable
from embodied.registry import unknown
from embodied.types import Message, Reply, Settings, Usage

Script = Callable[[Sequence[Message], Settings], str]
"""Gets the prompt, returns the reply; may raise `ModelFailure`. It should be pure: then replies do not depend on the
order of calls.
"""

_MODES = ("cycle", "once")


class Scripted:
    """Answers from `config.script`.

    `config.name` says what happens at the end of a list: `cycle` begins again, `once` refuses. Calls of all episodes
    consume one list, in their order. If that matters, give a function. Usage counts words.
    """

    def __init__(self, config: ModelConfig, blobs: Blobs):
        if config.name not in _MODES:
            raise unknown("scripted model", config.name, list(_MODES), "embodied list models")
        self.name = f"scripted/{config.name}"
        self._script = _load(config.script) if isinstance(config.script, str) else self._next
        self._replies = [] if isinstance(config.script, str) else _replies(config.script)
        self._calls = 0
        self._once = config.name == "once"

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        thoughts, text = split_thoughts(storable(self._script(messages, settings)))
        words = len(text.split())
        reasoning = len(thoughts.split())
        asked = sum(len(plain(m.parts).split()) for m in messages)
        return Reply(
            text=text,
            reasoning=thoughts,
            usage=Usage(input=asked, output=words + reasoning, reasoning=reasoning),
            model=self.name,
        )

    async def aclose(self) -> None:
        pass

    def _next(self, messages: Sequence[Message], settings: Settings) -> str:
        if self._once and self._calls >= len(self._replies):
            raise ModelRefused(
                f"{self.name}: all {len(self._replies)} replies are used up. Add replies to model.script, or use"
                " scripted/cycle."
            )
        reply = self._replies[self._calls % len(self._replies)]
        self._calls += 1
        return reply


def _replies(script: object) -> list[str]:
    if not isinstance(script, Sequence) or not script or not all(isinstance(reply, str) for reply in script):
        raise UsageError("A scripted model needs model.script: a list of replies, or package.module:function.")
    return list(script)


def _load(target: str) -> Script:
    module, _, attribute = target.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"model.script={target!r} cannot be imported ({error}). Write it as package.module:function."
        ) from error
    if not callable(function):
        raise UsageError(f"model.script={target!r} is not a function.")
    script: Script = function
    return script

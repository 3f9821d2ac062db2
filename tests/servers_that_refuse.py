"""A stub server that refuses some prompts, for what is in them or for their length."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.servers import Seen, Stub, _send

Refuse = Callable[[str], dict[str, Any] | None]
"""Text of a prompt -> the error that it is refused with, None where it is answered."""


class Refusing(Stub):
    """Answers 400 to the prompts that `refuse` gives an error for.

    Attributes:
        asked: The text of every prompt, in the order they came, and whether it was refused.
        before: Called with the number of the call, from 1, before it is answered.
    """

    def __init__(self, refuse: Refuse, replies: Callable[[str], str]):
        super().__init__()
        self.refuse = refuse
        self.replies = replies
        self.asked: list[tuple[str, bool]] = []
        self.before: Callable[[int], None] = lambda number: None

    async def _misbehave(self, fault: str, wire: Any, seen: Seen, writer: asyncio.StreamWriter) -> None:
        text = "\n".join(part for _, parts in seen.turns for part in parts)
        error = self.refuse(text)
        self.asked.append((text, error is not None))
        self.before(len(self.asked))
        self.reply = self.replies(text)
        if error is not None:
            return _send(writer, 400, {"error": error})
        await super()._misbehave(fault, wire, seen, writer)


def mentions(word: str) -> Refuse:
    """Refuses prompts that hold `word`, as a content filter does."""
    error = {
        "message": "The prompt was flagged by our content filter.",
        "type": "invalid_request_error",
        "code": "content_filter",
    }
    return lambda text: error if word in text else None


def longer_than(characters: int) -> Refuse:
    """Refuses prompts of more than so many characters, as a model's context does."""
    said = f"This model's maximum context length is {characters} tokens. Your messages resulted in more."
    error = {"message": said, "type": "invalid_request_error", "code": "context_length_exceeded", "param": "messages"}
    return lambda text: error if len(text) > characters else None


def setting(name: str) -> Refuse:
    """Refuses every prompt, for a setting."""
    error = {
        "message": f"Unsupported parameter: '{name}' is not supported with this model.",
        "code": "unsupported_parameter",
        "param": name,
    }
    return lambda text: error

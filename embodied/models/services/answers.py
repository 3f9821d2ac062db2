"""Reads the answers of servers without trusting them: JSON of any shape and type.

The text must be where this module looks for it: an answer whose text is elsewhere is garbled, never an empty answer.
Other values (token counts, the reason for the end, the model's name) are read if they make sense, and left out if not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from embodied.types import Message, Text

MOST_TOKENS = 10**9
"""A count above it is not a count."""
BYTES_A_TOKEN = 4
"""Of UTF-8, for an estimate: plain English with the tokenizers of the last years."""
PIXELS_A_TOKEN = 750
"""Of a picture, as Claude counts them (docs.claude.com, Vision)."""

_TEXTS = ("text", "output_text", "input_text")
_THOUGHTS = ("thinking", "reasoning", "redacted_thinking", "reasoning.text", "reasoning.summary", "reasoning.encrypted")
_ELSEWHERE = (
    *(
        "text",
        "output_text",
        "output",
        "outputs",
        "response",
        "responses",
        "answer",
        "result",
        "results",
        "generated_text",
        "completion",
    ),
    *(
        "parts",
        "body",
        "transcript",
        "audio",
        "delta",
        "data",
        "reply",
        "final",
        "value",
        "message",
        "messages",
        "content",
    ),
)
"""Where servers of other kinds put the text."""
_STOPS = {
    "max_tokens": "length",
    "max_length": "length",
    "model_length": "length",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
}


class Unreadable(Exception):
    """The text of an answer is not where it should be; the message says what is there."""


@dataclass(frozen=True)
class ServiceAnswer:
    """What was read of an answer."""

    text: str
    reasoning: str
    stop: str
    """stop, length, content_filter, or the provider's own word."""


def parsed(data: bytes | str) -> dict[str, Any]:
    """The JSON object in a body. Raises `ValueError` where there is none."""
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    try:
        found = json.loads(text, strict=False)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def within(value: Any, *path: str) -> Any:
    """What lies at `path` in nested objects; None where anything on the way is something else."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def count(value: Any) -> int:
    """A number of tokens; 0 for anything that is not a number, is negative, or is absurdly large."""
    if isinstance(value, str):
        value = int(value) if value.isdecimal() and len(value) < 12 else 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < MOST_TOKENS:
        return 0
    return int(value)


def word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def text_of(content: Any) -> str:
    """The text in `content`: a string, nothing, a part, or a list of parts. Raises `Unreadable` where there are only
    other things.
    """
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, list) else [content]
    texts = [text for part in parts if (text := _part(part)) is not None]
    if parts and not texts:
        raise Unreadable(f"content of an unknown shape ({_shape(content)})")
    return "".join(texts)


def thoughts_of(content: Any) -> str:
    """The thoughts among the parts of a message."""
    found = [_thought(part) for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return "\n".join(filter(None, found))


def chat_answer(body: dict[str, Any]) -> ServiceAnswer:
    """The answer in a completion of OpenAI's API. Raises `Unreadable` if its text is not in a known place."""
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise Unreadable("an answer without choices")
    stop = word(choice.get("finish_reason")) or "stop"
    stop = _STOPS.get(stop, stop)
    message = choice.get("message")
    if not isinstance(message, dict):
        if isinstance(choice.get("text"), str):  # a completion of the older kind
            return ServiceAnswer(choice["text"], "", stop)
        raise Unreadable("an answer without a message")
    text = text_of(message.get("content"))
    reasoning = next((t for key in ("reasoning_content", "reasoning", "thinking") if (t := word(message.get(key)))), "")
    reasoning = reasoning or thoughts_of(message.get("content")) or thoughts_of(message.get("reasoning_details"))
    if text:
        return ServiceAnswer(text, reasoning, stop)
    if refusal := word(message.get("refusal")) or thoughts_of(message.get("refusal")):
        return ServiceAnswer(refusal, reasoning, "content_filter")
    if message.get("tool_calls") or message.get("function_call"):
        raise Unreadable("a tool call in place of text, though no tool was offered")
    others = {k: v for k, v in message.items() if k != "content"}
    if (
        elsewhere := text_elsewhere(others)
        or text_elsewhere({k: v for k, v in choice.items() if k != "message"})
        or text_elsewhere(body)
    ):
        raise Unreadable(f"its text in {elsewhere!r}, where no text belongs")
    return ServiceAnswer("", reasoning, stop)


def text_elsewhere(place: dict[str, Any]) -> str:
    """The key of `place` that holds text although none belongs there; empty if there is none."""
    return next((key for key in _ELSEWHERE if _holds_text(place.get(key))), "")


def estimated_tokens(messages: Iterable[Message]) -> int:
    """Tokens of a prompt by the number of its characters and pixels, at least 1."""
    parts = [part for message in messages for part in message.parts]
    sizes = [
        len(p.text.encode("utf-8", "replace")) / BYTES_A_TOKEN
        if isinstance(p, Text)
        else p.width * p.height / PIXELS_A_TOKEN
        for p in parts
    ]
    return max(1, round(sum(sizes)))


def estimated_reply(texts: Sequence[str]) -> int:
    """Tokens of a reply by the number of its characters; 0 for an empty one."""
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    return max(1, round(size / BYTES_A_TOKEN)) if size else 0


def _part(part: Any) -> str | None:
    """The text of a part of a message; empty for thoughts, None for anything else."""
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return None
    kind = part.get("type")
    if kind in _THOUGHTS or part.get("thought") is True:
        return ""
    text = part.get("text")
    return text if isinstance(text, str) and (kind is None or kind in _TEXTS) else None


def _thought(part: dict[str, Any]) -> str:
    if part.get("type") not in _THOUGHTS:
        return ""
    for key in ("thinking", "reasoning", "text", "summary"):
        value = part.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return "".join(word(within(piece, "text")) if isinstance(piece, dict) else word(piece) for piece in value)
    return ""


def _holds_text(value: Any, depth: int = 0) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    if depth > 6:
        return False
    if isinstance(value, list):
        return any(_holds_text(one, depth + 1) for one in value[:20])
    return isinstance(value, dict) and any(_holds_text(value.get(key), depth + 1) for key in _ELSEWHERE)


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        return f"an object with {', '.join(map(str, list(value)[:5]))}" if value else "an empty object"
    if isinstance(value, list):
        kinds = {str(v.get("type", "no type")) if isinstance(v, dict) else type(v).__name__ for v in value[:20]}
        return f"a list of {', '.join(sorted(kinds)[:5])}"
    return type(value).__name__

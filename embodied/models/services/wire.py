"""What the providers share: messages on their way out, text on its way in."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

from embodied.blobs import Blobs
from embodied.models.thoughts import split
from embodied.types import Image, Message, Part, Text

MAX_TEXT = 1_000_000
"""Characters of a reply that are kept: several times what any model writes, and still a record that can be read."""


def storable(text: str) -> str:
    """`text` as UTF-8 can hold it: surrogate pairs joined, lone surrogates replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if not text.isascii() else text


def split_thoughts(text: str) -> tuple[str, str]:
    """Splits off the thoughts that some open models write into the answer itself (see `embodied.models.thoughts`).

    Returns:
        Thoughts and answer, both stripped when there are thoughts.
    """
    thoughts = split(text)
    return thoughts.thought, thoughts.answer


def alternate(messages: Iterable[Message]) -> list[Message]:
    """Drops empty parts and messages, then joins neighbours of one role: several providers and chat templates insist on
    turns.

    An empty message is not rare: it is what an agent's history holds after an empty reply.
    """
    turns: list[Message] = []
    for message in messages:
        parts = tuple(p for p in message.parts if isinstance(p, Image) or p.text.strip())
        if turns and turns[-1].role == message.role:
            turns[-1] = Message(message.role, turns[-1].parts + parts)
        elif parts:
            turns.append(Message(message.role, parts))
    return turns


def split_system(messages: Sequence[Message]) -> tuple[tuple[Part, ...], list[Message]]:
    """The parts of the leading system messages, and the turns that follow, for providers that take the two apart.

    Later system messages become user messages. If there are only system messages, all become user messages: a request
    needs a turn.
    """
    first = next((i for i, m in enumerate(messages) if m.role != "system"), len(messages))
    rest = [Message("user" if m.role == "system" else m.role, m.parts) for m in messages[first:]]
    system = tuple(part for m in messages[:first] for part in m.parts)
    if not rest:
        return (), alternate([Message("user", system)])
    return system, alternate(rest)


def plain(parts: Iterable[Part]) -> str:
    """The text parts, one a line."""
    return "\n".join(storable(p.text) for p in parts if isinstance(p, Text))


def has_images(messages: Iterable[Message]) -> bool:
    return any(isinstance(p, Image) for m in messages for p in m.parts)


def base64_png(image: Image, blobs: Blobs) -> str:
    """The PNG of `image` in base64, without line breaks."""
    return base64.b64encode(blobs.get(image.digest)).decode("ascii")


def chat(messages: Sequence[Message], blobs: Blobs) -> list[dict[str, Any]]:
    """Messages in the format of OpenAI's chat completions, images as data URLs.

    A message without images is sent as a plain string: some compatible servers understand nothing else.
    """
    return [{"role": m.role, "content": _content(m, blobs)} for m in alternate(messages)]


def _content(message: Message, blobs: Blobs) -> str | list[dict[str, Any]]:
    if not has_images([message]):
        return plain(message.parts)
    return [
        {"type": "text", "text": storable(p.text)}
        if isinstance(p, Text)
        else {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64_png(p, blobs)}"}}
        for p in message.parts
    ]

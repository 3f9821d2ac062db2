"""From messages to what a model reads: one way, for playing and for training."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import torch
from PIL import Image as Pillow

from embodied.blobs import Blobs
from embodied.errors import PromptRefused
from embodied.models.services.wire import alternate, has_images, plain, split_system, storable
from embodied.types import Image, Message, Text

_REFUSES = (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError)
"""What a chat template, perhaps of a stranger, raises on messages that it was not made for."""


class Prompts:
    """What writes the prompts of one model.

    Args:
        name: `provider/name`, for messages.
        processor: The model's processor, which reads pictures, or its tokenizer.
        blobs: Where pictures are found.
    """

    def __init__(self, name: str, processor: Any, blobs: Blobs):
        self.name = name
        self.processor = processor
        self.tokenizer = getattr(processor, "tokenizer", processor)
        self.sees = self.tokenizer is not processor
        self._blobs = blobs

    def check(self, messages: Sequence[Message]) -> None:
        """Raises `PromptRefused` for pictures that the model cannot read."""
        if not self.sees and has_images(messages):
            raise PromptRefused(
                f"{self.name} reads no images. Play with --text, or use a model that does.", "no pictures"
            )

    def images(self, messages: Sequence[Message]) -> list[Pillow.Image]:
        """The pictures of messages, in order."""
        return [self._image(p) for m in messages for p in m.parts if isinstance(p, Image)]

    def inputs(self, text: str, images: list[Pillow.Image]) -> Mapping[str, torch.Tensor]:
        """What the processor makes of a prompt: one row."""
        found: Mapping[str, torch.Tensor] = self.processor(
            text=[text], return_tensors="pt", add_special_tokens=False, **({"images": [images]} if images else {})
        )
        return found

    def _image(self, image: Image) -> Pillow.Image:
        return Pillow.open(io.BytesIO(self._blobs.get(image.digest))).convert("RGB")

    def render(self, messages: Sequence[Message], thinks: bool = True) -> str:
        """The prompt as the model's chat template writes it; the system message becomes part of the first turn where
        the template knows none. Without `thinks`, templates that support it are told to leave no room for a thought.

        Raises:
            PromptRefused: The template refuses the messages.
        """
        try:
            return self._apply(alternate(messages), thinks)
        except _REFUSES:
            system, turns = split_system(messages)
        try:
            return self._apply(alternate([Message("user", system), *turns]), thinks)
        except _REFUSES as error:
            raise PromptRefused(f"{self.name}: its chat template refuses these messages ({error}).") from error

    def _apply(self, turns: Sequence[Message], thinks: bool) -> str:
        chat = [{"role": m.role, "content": self._content(m)} for m in turns]
        told = {} if thinks else {"enable_thinking": False}
        prompt: str = self.processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False, **told)
        return prompt

    def _content(self, message: Message) -> str | list[dict[str, Any]]:
        if not self.sees:
            return plain(message.parts)
        parts: list[dict[str, Any]] = []
        for p in message.parts:
            # Templates write parts one behind the other; texts are kept apart as `plain` keeps them apart.
            gap = "\n" if parts and parts[-1]["type"] == "text" else ""
            parts.append({"type": "text", "text": gap + storable(p.text)} if isinstance(p, Text) else {"type": "image"})
        return parts

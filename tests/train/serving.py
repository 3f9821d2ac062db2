"""A model folder behind a real OpenAI-compatible server on loopback."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

from embodied.blobs import MemoryBlobs
from embodied.models.config import ModelConfig
from embodied.models.local.transformers import Transformers
from embodied.types import Image, Message, Part, Settings, Text
from tests.servers import Seen, Stub


class Served(Stub):
    """The stub, which answers with what a model says to the request. It refuses what the real service would refuse, and
    notes the hash of every picture (`Stub.seen`).

    Prompts are answered one by one: a reply does not depend on what arrives at the same time.
    """

    def __init__(self, model: Path):
        super().__init__()
        self._blobs = MemoryBlobs()
        self._engine = Transformers(ModelConfig("transformers", str(model), batch=1, threads=1), self._blobs)

    def stop(self) -> None:
        super().stop()
        asyncio.run(self._engine.aclose())

    async def _misbehave(self, fault: str, wire: Any, seen: Seen, writer: asyncio.StreamWriter) -> None:
        body = seen.body
        settings = Settings(temperature=body["temperature"], max_tokens=body["max_tokens"], seed=body.get("seed"))
        self.reply = (await self._engine.generate([self._message(m) for m in body["messages"]], settings)).text
        await super()._misbehave(fault, wire, seen, writer)

    def _message(self, sent: dict[str, Any]) -> Message:
        content = sent["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        return Message(sent["role"], tuple(self._part(part) for part in parts))

    def _part(self, part: dict[str, Any]) -> Part:
        if part["type"] == "text":
            return Text(part["text"])
        png = base64.b64decode(part["image_url"]["url"].partition(";base64,")[2], validate=True)
        return Image(self._blobs.put(png), 0, 0)

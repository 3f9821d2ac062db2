"""Cache: replies on disk, found by everything that decided them, so that the same call is not paid for twice."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from embodied.models.base import Layer, Model
from embodied.models.config import ModelConfig
from embodied.store.codec import encode
from embodied.types import Message, Reply, Settings, Usage

VERSION = 1
"""Goes into every key. Raise it when the same key would mean another reply."""

MAX_AGE = 30 * 86_400.0
"""Seconds. Providers change the model behind a name, so an older reply is requested again."""

POLICIES = ("off", "deterministic", "all")

_reply = msgspec.json.Decoder(Reply)


class Cache(Layer):
    """Answers a call from disk where it was answered before. A reply from here has `cached` set and no usage, because
    none was paid.

    The key is a hash of the model's identity (provider, name, server, weights), the settings with the only answers that
    a call allows, and the messages with the digests of their images. At temperature 0 the seed decides nothing and is
    left out. Several processes may share the folder: an entry is written whole or not at all. Replies that are empty,
    or were cut or filtered, are not kept. An entry that is damaged, too old, or cannot be read is a miss; what cannot
    be written is not kept.

    Args:
        model: The model to call.
        config: What decides its replies besides messages and settings.
        sampled: Whether calls that are drawn at random (temperature not 0) are kept too. They then come out the same
            every time.
        folder: Where entries are; None for the user's cache.
    """

    def __init__(self, model: Model, config: ModelConfig, sampled: bool = False, folder: Path | None = None):
        super().__init__(model)
        self.hits = self.misses = 0
        self._folder = folder or user_cache()
        self._sampled = sampled
        self._identity = _identity(config)

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        if settings.temperature != 0 and not self._sampled:
            return await self._model.generate(messages, settings)
        path = self._path(messages, settings)
        if (known := self._read(path)) is not None:
            self.hits += 1
            return replace(known, usage=Usage(), cached=True, seconds=0.0, attempts=1)
        self.misses += 1
        reply = await self._model.generate(messages, settings)
        if _whole(reply):
            self._write(path, reply)
        return reply

    def _path(self, messages: Sequence[Message], settings: Settings) -> Path:
        if settings.temperature == 0:
            settings = replace(settings, seed=None)
        key = hashlib.sha256(encode([VERSION, self._identity, settings, list(messages)])).hexdigest()
        return self._folder / key[:2] / f"{key}.json"

    def _read(self, path: Path) -> Reply | None:
        try:
            if time.time() - path.stat().st_mtime > MAX_AGE:
                return None
            digest, _, data = path.read_bytes().partition(b"\n")
            reply = _reply.decode(data) if digest == _digest(data) else None
            return reply if reply is not None and _whole(reply) else None
        except (OSError, msgspec.DecodeError):
            return None

    def _write(self, path: Path, reply: Reply) -> None:
        data = encode(reply)
        with contextlib.suppress(OSError):  # a full or read-only disk costs money, not the run
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=path.parent)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(_digest(data) + b"\n" + data)
                Path(temporary).replace(path)
            except OSError:
                Path(temporary).unlink(missing_ok=True)


def _whole(reply: Reply) -> bool:
    """Whether a reply is worth keeping: an empty one, or one that was cut or filtered, may come
    out better next time.
    """
    return bool(reply.text.strip()) and reply.stop not in ("length", "content_filter")


def user_cache() -> Path:
    """Where replies are kept: `embodied/replies` in the user's cache (XDG_CACHE_HOME)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "embodied" / "replies"


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


def _identity(config: ModelConfig) -> dict[str, Any]:
    names = ("provider", "name", "base_url", "path", "mmproj", "context", "dtype", "logprobs", "script")
    later = ("constraint", "sha256")  # part of the key where they are set: older entries know nothing of them
    found = {name: getattr(config, name) for name in names} | {
        name: value for name in later if (value := getattr(config, name))
    }
    # weights are known by their content: where they lie decides nothing
    return found | ({"path": None, "mmproj": None} if config.sha256 else {})

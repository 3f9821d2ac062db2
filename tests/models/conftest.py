"""Fixtures of the model tests; the servers live in tests/servers.py because the command line's tests use them too."""

from __future__ import annotations

import numpy as np
import pytest

from embodied.blobs import MemoryBlobs, put_frame
from embodied.types import Image
from tests.servers import llama_url, stub

__all__ = ["llama_url", "stub"]

KEY = "sk-test-0123456789abcdef"


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> str:
    """Sets the key of every provider, and nothing else that the SDKs read."""
    for name in (
        "OPENAI_BASE_URL",
        "ANTHROPIC_BASE_URL",
        "GOOGLE_GEMINI_BASE_URL",
        "GOOGLE_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, KEY)
    return KEY


@pytest.fixture(scope="session")
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest.fixture(scope="session")
def picture(blobs: MemoryBlobs) -> Image:
    """A frame of noise, (24, 32, 3)."""
    return put_frame(blobs, np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8))


@pytest.fixture(scope="session")
def other_picture(blobs: MemoryBlobs) -> Image:
    return put_frame(blobs, np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8))

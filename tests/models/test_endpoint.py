"""Where a call goes, with which key, and what is said when it fails."""

from __future__ import annotations

import email.utils
import time

import pytest

from embodied.blobs import MemoryBlobs
from embodied.errors import MissingKey, UsageError
from embodied.models import ModelConfig, build
from embodied.models.services.endpoint import retry_after
from tests.models.conftest import KEY

VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "google": "GEMINI_API_KEY"}


@pytest.mark.parametrize("provider", VARIABLES)
def test_a_missing_key_is_found_before_any_call(provider: str, keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLES[provider], "  ")
    with pytest.raises(
        MissingKey, match=rf"{provider}/some-model needs an API key and {VARIABLES[provider]} is not set.*export"
    ):
        build(ModelConfig(provider, "some-model"), MemoryBlobs())


def test_the_variable_can_be_named(keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(MissingKey, match="MY_KEY"):
        build(ModelConfig("openai", "x", api_key_env="MY_KEY"), MemoryBlobs())
    with pytest.raises(MissingKey, match="MY_KEY"):
        build(ModelConfig("compatible", "x", api_key_env="MY_KEY", base_url="http://127.0.0.1:1/v1"), MemoryBlobs())


def test_a_key_in_place_of_its_name_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        build(ModelConfig("openai", "x", api_key_env=KEY), MemoryBlobs())
    assert KEY not in str(caught.value) and "name of an environment variable" in str(caught.value)


def test_a_garbled_key(keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-\u201cquoted\u201d")
    with pytest.raises(MissingKey, match="characters that no API key has") as caught:
        build(ModelConfig("openai", "x"), MemoryBlobs())
    assert "quoted" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://127.0.0.1/v1", "http://", "http://[::1", "http://127.0.0.1:99999/v1"]
)
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match="base URL"):
        build(ModelConfig("compatible", "x", base_url=url), MemoryBlobs())


@pytest.mark.parametrize("url", ["http://me:secret@127.0.0.1/v1", "http://127.0.0.1/v1?key=secret"])
def test_a_secret_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="because it is recorded") as caught:
        build(ModelConfig("compatible", "x", base_url=url), MemoryBlobs())
    assert "secret" not in str(caught.value)


def test_compatible_needs_a_url(keys: str) -> None:
    with pytest.raises(UsageError, match=r"model.base_url.*OPENAI_BASE_URL"):
        build(ModelConfig("compatible", "x"), MemoryBlobs())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({}, None),
        ({"retry-after": "soon"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_as_a_date() -> None:
    assert retry_after({"retry-after": email.utils.formatdate(0, usegmt=True)}) == 0
    later = retry_after({"retry-after": email.utils.formatdate(time.time() + 3600, usegmt=True)})
    assert later is not None and 3000 < later < 3700

"""Composition of a model: names, values, what importing costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from embodied.blobs import MemoryBlobs
from embodied.errors import MissingExtra, UnknownName, UsageError
from embodied.models import MODELS, ModelConfig, build, parse_model
from embodied.types import Settings


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("openai/gpt-4o-2024-08-06", ("openai", "gpt-4o-2024-08-06")),
        ("compatible/Qwen/Qwen3-VL-8B", ("compatible", "Qwen/Qwen3-VL-8B")),
        ("gguf//home/me/model.gguf", ("gguf", "/home/me/model.gguf")),
    ],
)
def test_provider_and_name(text: str, parts: tuple[str, str]) -> None:
    assert parse_model(text) == parts


def test_unknown_provider_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"'opena1'.*'openai'.*embodied list models"):
        parse_model("opena1/gpt-4o")


@pytest.mark.parametrize("text", ["gpt-4o", "openai/", "/gpt-4o", ""])
def test_half_a_name(text: str) -> None:
    with pytest.raises(UsageError, match="provider/name"):
        parse_model(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"max_tokens": -1},
        {"temperature": 3},
        {"top_p": 0},
        {"name": ""},
        {"base_url": "http://127.0.0.1:1/v1"},  # no server is called: it must not be ignored in silence
    ],
)
def test_values_that_make_no_sense(wrong: dict) -> None:
    with pytest.raises(UsageError, match=f"model.{next(iter(wrong))}"):
        build(ModelConfig(**({"provider": "scripted", "name": "cycle", "script": ["a"]} | wrong)), MemoryBlobs())


def test_as_a_hydra_config() -> None:
    from omegaconf import OmegaConf
    from omegaconf.errors import ConfigKeyError, ValidationError

    config = OmegaConf.structured(ModelConfig)
    config.merge_with({"provider": "openai", "name": "o3", "temperature": 1, "stop": ["END"], "script": ["a", "b"]})
    made = OmegaConf.to_object(config)
    assert made.settings() == Settings(temperature=1.0, stop=("END",))
    assert made.script == ["a", "b"]
    with pytest.raises(ConfigKeyError):
        config.merge_with({"temprature": 1})
    with pytest.raises(ValidationError):
        config.merge_with({"attempts": "many"})


def test_importing_is_light() -> None:
    heavy = "{'openai', 'anthropic', 'google.genai', 'torch', 'transformers', 'xllamacpp', 'tenacity'}"
    code = (
        "import sys, embodied.models; from embodied.models import parse_model; parse_model('gguf/smollm2');"
        f" print(sorted({heavy} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_every_target_exists() -> None:
    for name in MODELS:
        assert callable(MODELS.get(name))


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # what the import system does for a module that is not there
    monkeypatch.delitem(sys.modules, "embodied.models.local.transformers", raising=False)
    with pytest.raises(MissingExtra, match=r"pip install 'embodied-suite\[local\]'"):
        build(ModelConfig("transformers", "smollm2"), MemoryBlobs())

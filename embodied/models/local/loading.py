"""Loads a model, with what reads its prompts, from a folder, a GGUF file or the local Hugging Face cache."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when huggingface_hub is imported: nothing is ever downloaded

import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from embodied.errors import UsageError
from embodied.models.config import ModelConfig
from embodied.models.local.convert import converted
from embodied.models.local.weights import EMBEDDED, check_gguf, embedded

_CAREFUL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
"""Nothing is downloaded, and no code of a model folder runs (without the second, transformers asks at a terminal)."""


def source_of(config: ModelConfig) -> str:
    """A model folder, or a name in the local Hugging Face cache."""
    if not config.path and config.name == EMBEDDED:
        return str(converted(embedded()))
    place = Path(config.path or config.name).expanduser()
    if place.suffix == ".gguf":
        return str(converted(check_gguf(place, f"transformers/{config.name}")))
    if (config.path or place.is_absolute()) and not place.is_dir():
        raise UsageError(
            f"transformers/{config.name}: there is no folder {place}. Give a model folder or a GGUF file with"
            " model.path."
        )
    return str(place) if place.is_dir() else config.name


def load(name: str, source: str, dtype: torch.dtype, device: torch.device) -> tuple[Any, Any]:
    """The model, and its processor (with images) or tokenizer (without)."""
    try:
        sees = (
            transformers.AutoConfig.from_pretrained(source, **_CAREFUL).model_type
            in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
        )
        auto = transformers.AutoModelForImageTextToText if sees else transformers.AutoModelForCausalLM
        reader = transformers.AutoProcessor if sees else transformers.AutoTokenizer
        model: Any = auto.from_pretrained(source, dtype=dtype, **_CAREFUL)
        return model.to(device).eval(), reader.from_pretrained(source, **_CAREFUL)
    except ImportError as error:
        raise UsageError(f"{name}: loading {source} needs a library that is not installed: {_first(error)}") from error
    except (OSError, ValueError, KeyError) as error:
        hint = (
            ""
            if Path(source).is_dir()
            else (
                " Nothing is downloaded: give a model folder with model.path, or fetch the model into the local cache"
                " before."
            )
        )
        raise UsageError(f"{name}: {source} cannot be loaded ({_first(error)}).{hint}") from error


def _first(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]


def ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end a reply."""
    own = model.generation_config.eos_token_id
    own = own if isinstance(own, list) else [own]
    return frozenset(token for token in (*own, tokenizer.eos_token_id) if token is not None)


def device_of(name: str) -> torch.device:
    """The device that `auto`, `cpu`, `cuda` or `cuda:N` names. Raises `UsageError` where there is none."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise UsageError(f"model.device={name!r} is not one of auto, cpu, cuda, cuda:N.")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and int(name.partition(":")[2] or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"model.device={name}: PyTorch sees {torch.cuda.device_count()} CUDA devices here. Use model.device=cpu."
        )
    return torch.device(name)


def dtype_of(name: str, device: torch.device) -> torch.dtype:
    """The type of weights that a name means on a device. Raises `UsageError` for another name."""
    # bfloat16 is slower than float32 on CPUs without its instructions.
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if name not in known:
        raise UsageError(f"model.dtype={name!r} is not one of auto, {', '.join(known)}.")
    return known[name]

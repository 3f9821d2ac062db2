"""tower: the vision tower of any model in a local folder, in the format of transformers (CLIP, SigLIP, DINO).

Nothing is downloaded, and no code in the folder is executed. Weights are read from `model.safetensors` alone. The
vectors depend on the processor and on the version of PyTorch in their last digits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodied.errors import UsageError
from embodied.extras import missing
from embodied.store.checks import open_plain

Frame = npt.NDArray[np.uint8]
_FILES = ("config.json", "preprocessor_config.json", "model.safetensors")


class Tower:
    """Implements `PictureEmbedder`. The model's picture embedding where it has one, else its pooled output.

    Args:
        folder: Holds `config.json`, `preprocessor_config.json` and `model.safetensors`.

    Raises:
        MissingExtra: PyTorch or transformers is not installed.
        UsageError: The folder lacks a file, or holds no vision tower that transformers can read.
    """

    name = "tower"

    def __init__(self, folder: Path) -> None:
        self.version = f"tower-{_hash(folder)}"
        try:
            import torch
            import transformers
        except ModuleNotFoundError as error:
            raise missing("The vision tower of a memory", "local", error.name) from error
        self._torch: Any = torch
        given = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._processor: Any = transformers.AutoImageProcessor.from_pretrained(folder, use_fast=False, **given)
            self._model: Any = transformers.AutoModel.from_pretrained(folder, use_safetensors=True, **given).eval()
            self.size = int(self.embed([np.zeros((32, 32, 3), np.uint8)]).shape[1])
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
            raise UsageError(f"{folder} is not a vision tower that transformers can read: {error}") from error

    def embed(self, frames: Sequence[Frame]) -> npt.NDArray[np.float32]:
        """See `PictureEmbedder.embed`. One after the other: a batch would change the last digits."""
        rows = [self._embed(frame) for frame in frames]
        return np.stack(rows) if rows else np.zeros((0, self.size), np.float32)

    def _embed(self, frame: Frame) -> npt.NDArray[np.float32]:
        from PIL import Image

        given = self._processor(images=Image.fromarray(frame), return_tensors="pt")
        with self._torch.inference_mode():
            if hasattr(self._model, "get_image_features"):
                found = self._model.get_image_features(pixel_values=given["pixel_values"])
            else:
                found = self._model(pixel_values=given["pixel_values"])
        pooled = found if isinstance(found, self._torch.Tensor) else found.pooler_output
        vector = pooled[0].float().numpy().astype(np.float64)
        length = float(np.linalg.norm(vector))
        unit: npt.NDArray[np.float32] = (vector / length if length else vector).astype(np.float32)
        return unit


def _hash(folder: Path) -> str:
    """SHA-256 of the files that decide the vectors."""
    digest = hashlib.sha256()
    for name in _FILES:
        file = open_plain(folder / name)
        if file is None:
            raise UsageError(f"{folder} is not a vision tower: it has no {name}.")
        with file:
            while block := file.read(1 << 20):
                digest.update(block)
        digest.update(b"\0")
    return digest.hexdigest()

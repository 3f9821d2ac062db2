"""What `embodied probe patheval` probes: controls that are always there, and vision encoders of transformers from this
machine.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from embodied.arrays import Floats, Ints, Pixels
from embodied.errors import MissingExtra, UsageError
from embodied.planning.descriptors import THRESHOLDS
from embodied.registry import unknown
from embodied.seeding import derive, generator

if TYPE_CHECKING:
    from embodied.planning.probe import Encoder, Panels

CONTROLS = ("descriptors", "raw-pca", "random-vit")
MEANING = {
    "descriptors": "The true descriptors in place of features: the most that this probe can find.",
    "raw-pca": "No encoder: 64 principal components of the pixels, reduced to 48 x 48. An encoder must beat it.",
    "random-vit": (
        "A small vision transformer with random weights, which has never seen a picture. Random features still show"
        " how much ink is where. So this is not chance, but the level without any learning. An encoder that is not"
        " better has learnt nothing about the descriptor."
    ),
}
_SIDE = 224
"""Pixels a side for the random transformer."""
_BATCH = 16
_RATE = 1e-4
"""Of AdamW when tuning."""


def encoder(name: str, *, tune: int = 0, seed: int = 0) -> Encoder:
    """An encoder by name.

    Args:
        name: One of `CONTROLS`, a folder with a model of transformers, or the id of one on the Hub that is in this
            machine's cache. Nothing is downloaded.
        tune: Epochs for which the encoder is tuned on the training maps, from the start for each fold; 0 leaves it
            frozen.
        seed: Of random weights and of the order in tuning.

    Raises:
        UnknownName: No such control, and no folder.
        UsageError: The model is not on this machine, or cannot be tuned.
        MissingExtra: torch or transformers is not installed.
    """
    if name in ("descriptors", "raw-pca"):
        if tune:
            raise UsageError(f"{name} has nothing to tune. Leave --tune out, or name an encoder.")
        return Truth() if name == "descriptors" else RawPca()
    if name not in CONTROLS and "/" not in name and not Path(name).is_dir():
        raise unknown("encoder", name, list(CONTROLS), "embodied probe patheval --help")
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtra(f"The encoder {name}", "local") from error
    model, prepare = _random(seed) if name == "random-vit" else _local(name)
    label = Path(name).name if Path(name).is_dir() else name
    return (
        Tuned(f"{label}, tuned for {tune} epochs", model, prepare, tune, seed)
        if tune
        else Frozen(label, model, prepare)
    )


class Truth:
    """The descriptors themselves."""

    name = "descriptors"

    def features(self, panels: Panels, train: Ints) -> Floats:
        return panels.descriptors()


class RawPca:
    """Principal components of the reduced pixels, of the training panels."""

    name = "raw-pca"
    side, components = 48, 64

    def __init__(self) -> None:
        self._pixels: Floats | None = None

    def features(self, panels: Panels, train: Ints) -> Floats:
        if self._pixels is None:
            small = (self.side, self.side)
            pictures = (Image.fromarray(panels[k]) for k in range(len(panels)))
            reduced = [np.asarray(picture.resize(small, Image.Resampling.BOX)) for picture in pictures]
            self._pixels = np.stack(reduced).reshape(len(panels), -1) / 255.0
        ours = self._pixels[np.stack([2 * train, 2 * train + 1], axis=1).ravel()]
        middle = ours.mean(axis=0)
        axes = np.linalg.svd(ours - middle, full_matrices=False)[2][: self.components]
        components: Floats = (self._pixels - middle) @ axes.T
        return components


class Frozen:
    """A vision model as it is: the mean of its last patches (or places), and its first token where it has one."""

    def __init__(self, name: str, model: Any, prepare: Any):
        self.name = name
        self._model, self._prepare = model, prepare
        self._found: Floats | None = None

    def features(self, panels: Panels, train: Ints) -> Floats:
        if self._found is None:
            self._found = _encoded(self._model, self._prepare, panels)
        return self._found


class Tuned:
    """A vision model tuned on the training maps, from the start for each fold. It learns by how much two paths differ
    in each descriptor, and which has more.
    """

    def __init__(self, name: str, model: Any, prepare: Any, epochs: int, seed: int):
        self.name = name
        self._model, self._prepare, self._epochs, self._seed = model, prepare, epochs, seed

    def features(self, panels: Panels, train: Ints) -> Floats:
        import torch

        values = panels.descriptors()
        gaps = torch.tensor((values[0::2] - values[1::2]) / THRESHOLDS, dtype=torch.float32)
        spread = gaps[train].std(dim=0).clamp(min=1e-6)
        with torch.random.fork_rng():
            torch.manual_seed(derive(self._seed, "patheval", "probe", "head", bits=31))
            model = copy.deepcopy(self._model).train()
            width = _pooled(model, self._prepare([panels[0]])).shape[1]
            heads = torch.nn.ModuleList(
                [torch.nn.Linear(2 * width, gaps.shape[1]), torch.nn.Linear(width, gaps.shape[1], bias=False)]
            )
            optimiser = torch.optim.AdamW([*model.parameters(), *heads.parameters()], lr=_RATE)
            rng = generator(self._seed, "patheval", "probe", "order")
            for _ in range(self._epochs):
                order = rng.permutation(train)
                for batch in (order[k : k + _BATCH] for k in range(0, len(order), _BATCH)):
                    one, other = (
                        _pooled(model, self._prepare([panels[2 * int(k) + side] for k in batch])) for side in (0, 1)
                    )
                    size, sign = heads[0](torch.cat([(one - other).abs(), one * other], dim=1)), heads[1](one - other)
                    loss = ((size - gaps[batch].abs() / spread) ** 2).mean() + (
                        (sign - gaps[batch] / spread) ** 2
                    ).mean()
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
            return _encoded(model, self._prepare, panels)


# --------------------------------------------------------------------------- torch


def _encoded(model: Any, prepare: Any, panels: Panels) -> Floats:
    import torch

    model.eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(panels), _BATCH):
            batch = [panels[k] for k in range(start, min(start + _BATCH, len(panels)))]
            parts.append(_pooled(model, prepare(batch)).numpy().astype(np.float64))
    return np.concatenate(parts)


def _pooled(model: Any, pixels: Any) -> Any:
    """(n, d) features of `pixels` (n, 3, h, w): a transformer's patches and first token, or the places of a
    convolutional network.
    """
    import torch

    last = model(pixel_values=pixels).last_hidden_state
    return last.flatten(2).mean(dim=2) if last.ndim == 4 else torch.cat([last[:, 1:].mean(dim=1), last[:, 0]], dim=1)


def _random(seed: int) -> tuple[Any, Any]:
    import torch
    from transformers import ViTConfig, ViTModel

    with torch.random.fork_rng():
        torch.manual_seed(derive(seed, "patheval", "probe", "random-vit", bits=31))
        config = ViTConfig(
            hidden_size=192,
            num_hidden_layers=6,
            num_attention_heads=3,
            intermediate_size=768,
            image_size=_SIDE,
            patch_size=16,
        )
        model = ViTModel(config, add_pooling_layer=False).eval()

    def prepare(pictures: Sequence[Pixels]) -> Any:
        sized = [np.asarray(Image.fromarray(p).resize((_SIDE, _SIDE), Image.Resampling.BOX)) for p in pictures]
        return torch.from_numpy(np.stack(sized).astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)

    return model, prepare


def _local(name: str) -> tuple[Any, Any]:
    """The vision part of a model on this machine, and what prepares pictures for it."""
    from safetensors import SafetensorError
    from transformers import AutoImageProcessor, AutoModel

    try:
        model = AutoModel.from_pretrained(name, local_files_only=True)
        processor = AutoImageProcessor.from_pretrained(name, local_files_only=True)
    except (OSError, ValueError, SafetensorError) as error:
        said = str(error).strip().splitlines()[0]
        raise UsageError(
            f"The encoder {name} cannot be loaded from this machine, and nothing is downloaded: {said}"
        ) from error
    model = getattr(model, "vision_model", model).float()

    def prepare(pictures: Sequence[Pixels]) -> Any:
        return processor(images=list(pictures), return_tensors="pt")["pixel_values"]

    return model, prepare

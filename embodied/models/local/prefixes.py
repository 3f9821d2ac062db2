"""Evaluated prompts: keys and values of the attention layers, kept so that the next prompt which begins alike prefills
only the rest.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from transformers.cache_utils import Cache, DynamicLayer

KeysValues = tuple[torch.Tensor, torch.Tensor]
"""Of one layer and one row: (heads, tokens, size of a head) each."""


@dataclass(frozen=True)
class Evaluated:
    """A prompt and what the model made of it."""

    tokens: np.ndarray
    """(tokens,) int64."""
    layers: tuple[KeysValues, ...]

    @property
    def bytes(self) -> int:
        return sum(t.numel() * t.element_size() for pair in self.layers for t in pair)


class Prefixes:
    """Evaluated prompts, found by how they begin. What has not been used for longest goes when there is too much.

    Args:
        capacity: Bytes, on the model's device.
    """

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.bytes = 0
        self._kept: OrderedDict[int, Evaluated] = OrderedDict()
        self._number = count()

    def longest(self, tokens: np.ndarray) -> tuple[Evaluated | None, int]:
        """The prompt that has most tokens in common with the beginning of `tokens`, and how many; at most all but the
        last of `tokens`.
        """
        best, length = None, 0
        for number, known in self._kept.items():
            shared = common(known.tokens, tokens[:-1])
            if shared > length:
                best, length = number, shared
        if best is None:
            return None, 0
        self._kept.move_to_end(best)
        return self._kept[best], length

    def put(self, evaluated: Evaluated) -> None:
        """Keeps a prompt, if it is not larger than everything that may be kept."""
        if evaluated.bytes > self.capacity:
            return
        self._kept[next(self._number)] = evaluated
        self.bytes += evaluated.bytes
        while self.bytes > self.capacity:
            self.bytes -= self._kept.popitem(last=False)[1].bytes

    def clear(self) -> None:
        self._kept.clear()
        self.bytes = 0


def common(a: np.ndarray, b: np.ndarray) -> int:
    """How many tokens `a` and `b` have in common at their beginning."""
    length = min(len(a), len(b))
    different = np.flatnonzero(a[:length] != b[:length])
    return int(different[0]) if len(different) else length


class Slab:
    """Keys and values of all rows of a batch, written in place: (rows, heads, columns, size of a head) for each layer.

    A model's forward pass sees some of the rows, up to some column, through the cache that `window` makes.

    Args:
        layers: Number of attention layers.
        columns: Tokens there is room for.
        loaded: For each row, a prompt evaluated before (or None), how many of its tokens to load, and the column they
            end at.
    """

    def __init__(self, layers: int, columns: int, loaded: Sequence[tuple[Evaluated | None, int, int]]):
        self._loaded = loaded
        self._columns = columns
        self._pairs: list[KeysValues | None] = [None] * layers

    def window(self, rows: slice, start: int) -> Cache:
        """The cache for a forward pass of `rows` whose tokens go to the columns from `start` on."""
        return Cache(layers=[_Window(self, number, rows, start) for number in range(len(self._pairs))])

    def write(
        self, layer: int, rows: slice, start: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Writes what a layer computed, and returns everything it attends to."""
        pair = self._pairs[layer] = self._pairs[layer] or (self._made(layer, keys, 0), self._made(layer, values, 1))
        end = start + keys.shape[-2]
        for whole, new in zip(pair, (keys, values), strict=True):
            whole[rows, :, start:end] = new
        return pair[0][rows, :, :end], pair[1][rows, :, :end]

    def row(self, row: int, *columns: slice) -> tuple[KeysValues, ...]:
        """A copy of some columns of a row."""
        return tuple((_joined(keys[row], columns), _joined(values[row], columns)) for keys, values in self._written())

    def keep(self, rows: list[int]) -> None:
        """Drops all other rows."""
        self._pairs = [(keys[rows], values[rows]) for keys, values in self._written()]

    def _written(self) -> list[KeysValues]:
        """Keys and values of every layer, after the first forward pass."""
        return [pair for pair in self._pairs if pair is not None]

    def _made(self, layer: int, like: torch.Tensor, which: int) -> torch.Tensor:
        made = like.new_zeros((len(self._loaded), like.shape[1], self._columns, like.shape[3]))
        for row, (evaluated, length, end) in enumerate(self._loaded):
            if evaluated is not None:
                made[row, :, end - length : end] = evaluated.layers[layer][which][:, :length]
        return made


def _joined(row: torch.Tensor, columns: Sequence[slice]) -> torch.Tensor:
    return torch.cat([row[:, part] for part in columns], dim=1)


class _Window(DynamicLayer):
    """One layer of a `Slab`, as transformers' models take it."""

    def __init__(self, slab: Slab, number: int, rows: slice, start: int):
        DynamicLayer.__init__(self)
        self._slab, self._number, self._rows, self._at = slab, number, rows, start
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        start, self._at = self._at, self._at + key_states.shape[-2]
        return self._slab.write(self._number, self._rows, start, key_states, value_states)

    def get_seq_length(self) -> int:
        return self._at

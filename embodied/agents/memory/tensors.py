"""Arrays in a `.safetensors` file, with NumPy alone: eight bytes of length, a JSON header, and the numbers behind it.

The format is https://github.com/huggingface/safetensors. The library itself comes with the extra `local`, and a memory
must open without it. Equal arrays give equal bytes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from embodied.errors import StoreError
from embodied.store.checks import open_plain

Array = npt.NDArray[Any]
_TYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "U8": np.dtype("u1")}
_NAMES = {kind: name for name, kind in _TYPES.items()}
_LONGEST_HEADER = 64 << 20
LONGEST = 16 << 30
"""Bytes of a file: three facets of 384 numbers for some three million memories."""


class _Entry(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def write_tensors(path: Path, arrays: Mapping[str, Array]) -> None:
    """Writes a new file and waits until the disk has it. Raises `OSError`.

    Args:
        path: The file.
        arrays: Name -> array, float32 or uint8. They are written in the order of their names.
    """
    entries, end = {}, 0
    for name in sorted(arrays):
        array = arrays[name]
        entries[name] = _Entry(_NAMES[array.dtype.newbyteorder("<")], array.shape, (end, end + array.nbytes))
        end += array.nbytes
    header = msgspec.json.encode(entries)
    header += b" " * (-len(header) % 8)
    with path.open("xb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name], arrays[name].dtype.newbyteorder("<"))
            if array.size:
                file.write(array.data)
        file.flush()
        os.fsync(file.fileno())


def read_tensors(path: Path) -> dict[str, Array]:
    """Name -> array, which must not be written to. Nothing but numbers is taken from the file.

    Raises:
        StoreError: It is missing, is not of this format, or is too short or too long for what its header says.
    """
    file = open_plain(path)
    if file is None:
        raise StoreError(f"{path} is missing. Take another copy of the memory.")
    with file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or size > LONGEST or length > min(size - 8, _LONGEST_HEADER):
            raise damaged(path, "its header is longer than it may be, or is cut off")
        try:
            entries = msgspec.json.decode(file.read(length), type=dict[str, _Entry])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise damaged(path, "its header is not one of safetensors") from error
        data = file.read(size - 8 - length)
    return _arrays(path, entries, data)


def _arrays(path: Path, entries: dict[str, _Entry], data: bytes) -> dict[str, Array]:
    arrays, at = {}, 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        kind = _TYPES.get(entry.dtype)
        start, end = entry.data_offsets
        if kind is None or min(entry.shape, default=0) < 0:
            raise damaged(path, "it holds an array that no memory has")
        if start != at or end - start != math.prod(entry.shape) * kind.itemsize or end > len(data):
            raise damaged(path, "it has not the size that its header says")
        arrays[name] = np.frombuffer(data, kind, math.prod(entry.shape), start).reshape(entry.shape)
        at = end
    if at != len(data):
        raise damaged(path, "it has not the size that its header says")
    return arrays


def damaged(path: Path, why: str) -> StoreError:
    """The error for a file whose content cannot be used."""
    return StoreError(f"{path} is damaged: {why}. Take another copy of the memory.")

"""Any Gymnasium observation in words, and any info as plain JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import Space, spaces

LARGEST = 512
"""Numbers in an array that is still spelt out."""
_SGR = re.compile(r"\x1b\[([\d;]*)m(.*?)\x1b\[0?m", re.DOTALL)
_OTHER_ESCAPES = re.compile(r"\x1b\[[\d;]*[A-Za-z]")
_COLORS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")


def size(space: Space[Any]) -> int | None:
    """How many numbers the largest array of an observation holds, 0 for none; None for a space that cannot be put into
    words.
    """
    if isinstance(space, spaces.Box):
        return math.prod(space.shape)
    if isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary):
        return math.prod(space.shape)
    if isinstance(space, spaces.Discrete):
        return 1
    if isinstance(space, spaces.Dict | spaces.Tuple):
        sizes = [size(part) for part in (space.values() if isinstance(space, spaces.Dict) else space)]
        known = [number for number in sizes if number is not None]
        return None if len(known) < len(sizes) else max(known, default=0)
    # Language comes in many classes (gymnasium's Text, minigrid's MissionSpace, ours), told by what they sample.
    return 0 if isinstance(space.sample(), str) else None


def describe(space: Space[Any], value: Any, names: Sequence[str] = (), *, label: str = "observation") -> str:
    """The words for `value` of `space`: a line a number or array, `label: value`, the labels of a Dict joined with
    dots.

    Args:
        space: What `value` belongs to; see `size` for which spaces there are words for.
        value: The observation.
        names: One for each number where the observation is a number, a short array or a tuple of numbers; else ignored.
        label: Stands before what has no name.
    """
    if isinstance(space, spaces.Dict):
        prefix = "" if label == "observation" else f"{label}."
        return "\n".join(describe(part, value[key], label=f"{prefix}{key}") for key, part in space.items())
    if isinstance(space, spaces.Tuple):
        labels = names if len(names) == len(space) else [f"{label} {i}" for i in range(len(space))]
        return "\n".join(describe(part, v, label=name) for part, v, name in zip(space, value, labels, strict=True))
    if isinstance(value, str):
        return value if label == "observation" else f"{label}: {value}"
    array = np.asarray(value)
    if array.size == len(names):
        return "\n".join(f"{name}: {number(v)}" for name, v in zip(names, array.flat, strict=True))
    if array.size > LARGEST:
        return f"{label}: an array of shape {'x'.join(map(str, array.shape))}"
    if array.ndim == 0:
        return f"{label}: {number(array)}"
    return f"{label}:{' ' if array.ndim == 1 else chr(10)}{_rows(array)}"


def number(value: Any) -> str:
    """A number in at most four significant digits."""
    value = np.asarray(value).item()
    return str(value) if isinstance(value, bool | int | str) else f"{value:.4g}"


def _rows(array: npt.NDArray[Any]) -> str:
    """Numbers with blanks between, a line a row; in three dimensions and more the innermost are joined with commas."""
    if array.ndim == 1:
        return " ".join(number(v) for v in array)
    if array.ndim == 2:
        return "\n".join(_rows(row) for row in array)
    return "\n".join(" ".join(",".join(number(v) for v in cell.flat) for cell in row) for row in array)


def from_terminal(text: str) -> str:
    """Text drawn for a terminal, as plain text: a part in another color is written `[text color]`."""

    def marked(match: re.Match[str]) -> str:
        codes = [int(code) % 10 for code in match[1].split(";") if code.isdecimal() and 30 <= int(code) % 60 < 48]
        color = _COLORS[codes[0]] if codes and codes[0] < len(_COLORS) else "marked"
        return f"[{match[2]} {color}]"

    return _OTHER_ESCAPES.sub("", _SGR.sub(marked, text)).strip("\n")


def plain(value: Any) -> Any:
    """`value` as plain JSON: arrays as lists (large ones as their shape), numbers that are not finite as None, the rest
    as its type's name.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.ndarray):
        return plain(value.tolist()) if value.size <= LARGEST else f"array {'x'.join(map(str, value.shape))}"
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [plain(v) for v in (value if isinstance(value, Sequence) else sorted(value, key=repr))]
    return type(value).__name__

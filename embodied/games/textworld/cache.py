"""Compiled and generated games, kept in the user's cache folder, which several processes may share.

A file is named after what it was made of and appears complete, by renaming: processes that make the same one at once do
the work twice and write the same bytes. A file that was damaged since is made again.
"""

from __future__ import annotations

import hashlib
import lzma
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from embodied.caches import keep
from embodied.games.textworld.compiler import RECIPE, compile_story

RELEASE = version("textworld")
"""TextWorld's. Without TextWorld the import of this module fails, as it does for every other missing simulator."""


def folder() -> Path:
    """`$XDG_CACHE_HOME/embodied/textworld`, by default under `~/.cache`."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "embodied" / "textworld"


def key(data: bytes) -> str:
    """The part of a story's name that identifies its game: a hash of the JSON and of the compiler's versions."""
    return hashlib.sha256(f"{RECIPE} {RELEASE} ".encode() + data).hexdigest()[:16]


def story(name: str, key: str, data: Callable[[], bytes]) -> Path:
    """The story `<name>-<key>-<hash of its bytes>.z8`, compiled from `data()` unless it is there unharmed.

    Raises:
        EnvironmentFailure: The folder cannot be written, or Inform fails.
    """
    for path in folder().glob(f"{name}-{key}-*.z8"):
        if _digest(path.read_bytes()) == path.stem.rpartition("-")[2]:
            return path
    compiled = compile_story(data())
    path = folder() / f"{name}-{key}-{_digest(compiled)}.z8"
    keep(path, compiled)
    return path


def description(name: str, recipe: int, make: Callable[[], bytes]) -> bytes:
    """The JSON of a generated game, in `<name>-<recipe>-<TextWorld's version>.json.xz`, made by `make()` unless it is
    there unharmed.

    Raises:
        EnvironmentFailure: The folder cannot be written, or what `make` raises.
    """
    path = folder() / f"{name}-{recipe}-{RELEASE}.json.xz"
    try:
        return lzma.decompress(path.read_bytes())  # xz checks itself
    except (FileNotFoundError, lzma.LZMAError, EOFError):
        data = make()
        keep(path, lzma.compress(data))
        return data


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]

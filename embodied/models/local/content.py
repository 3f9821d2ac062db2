"""Weights by their content: a model that a file or folder gives is known by a hash, not by its place.

A large file is read once. Its hash is kept in the user's cache under the file's path, size, times and inode, so that a
run of a model of many gigabytes does not begin with reading it again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

from embodied.caches import keep
from embodied.errors import EnvironmentFailure, UsageError
from embodied.models.config import ModelConfig
from embodied.models.local.weights import EMBEDDED

_SMALL = 1 << 20
"""Bytes up to which a file is read each time."""
_SETTLED = 2 * 10**9
"""Nanoseconds without a change after which a file's times tell one content from the next."""
_LEFT_OUT = (".md", ".lock")
"""What decides no reply; hidden files are left out too."""


def weights_hash(config: ModelConfig) -> str | None:
    """SHA-256 of the weights that a configuration names by their place, with the image projector's.

    The files of a folder count with their names. Links are followed to files, because the Hugging Face cache is made of
    them.

    Returns:
        64 hexadecimal digits; None where the model is not a file or folder that is there: of a service, of the package,
        of the Hugging Face cache by name.

    Raises:
        UsageError: A file cannot be read.
    """
    if config.provider not in ("gguf", "transformers") or not (config.path or config.name):
        return None
    place = Path(config.path or config.name).expanduser()
    if not config.path and config.name == EMBEDDED:
        return None
    try:
        if not place.exists():
            return None
        found = content(place)
        projector = Path(config.mmproj).expanduser() if config.mmproj else None
        if projector is None or not projector.is_file():
            return found
        return hashlib.sha256(f"{found}\n{content(projector)}\n".encode()).hexdigest()
    except OSError as error:
        raise UsageError(f"Cannot read the weights in {place}: {error.strerror or error}.") from error


def content(place: Path) -> str:
    """SHA-256 of a file, or of a folder: of the names and hashes of its files, in the order of their names."""
    if place.is_file():
        return _file(place)
    names = sorted(
        path.relative_to(place).as_posix()
        for path in place.rglob("*")
        if path.is_file()
        and path.suffix not in _LEFT_OUT
        and not any(part.startswith(".") for part in path.relative_to(place).parts)
    )
    return hashlib.sha256("".join(f"{name}\n{_file(place / name)}\n" for name in names).encode()).hexdigest()


def _file(path: Path) -> str:
    path = path.resolve()
    found = path.stat()
    if found.st_size <= _SMALL:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    known = f"{path}\n{found.st_size}\n{found.st_mtime_ns}\n{found.st_ctime_ns}\n{found.st_ino}\n"
    note = _cache() / hashlib.sha256(known.encode("utf-8", "surrogateescape")).hexdigest()
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if len(digest := note.read_text("ascii")) == 64:
            return digest
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _SETTLED:
        with contextlib.suppress(EnvironmentFailure):  # then it is read again
            keep(note, digest.encode())
    return digest


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "embodied" / "hashes"

"""Files that are kept because making them again takes time: each appears complete, so that several processes may share
a folder.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from embodied.errors import EnvironmentFailure


def keep(path: Path, data: bytes) -> None:
    """Writes a file of a cache, its folder included. Raises `EnvironmentFailure` when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            file.write(data)
        os.replace(file.name, path)
    except OSError as error:
        raise EnvironmentFailure(
            f"The cache {path.parent} cannot be written ({error}). Set XDG_CACHE_HOME to a writable folder."
        ) from error

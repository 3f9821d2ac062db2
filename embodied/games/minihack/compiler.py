"""From a level description to a data archive that NetHack starts from, by the two compilers that
the nle wheel carries.
"""

from __future__ import annotations

import functools
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

from embodied.errors import EnvironmentFailure
from embodied.games.nethack.raw import HACKDIR

_PARTS = ("dungeon", "quest.dat")
"""MiniHack's dungeon of one level, and NetHack's quest texts, which no game starts without."""
_LEVEL = "mylevel"  # the name by which that dungeon calls its level


def build(description: str, folder: Path) -> Path:
    """Compiles a level.

    Args:
        description: In NetHack's description language; its level is called `mylevel`.
        folder: Where to work; made if missing, overwritten if not.

    Returns:
        The archive, `nhdat` in `folder`.

    Raises:
        EnvironmentFailure: The compiler does not accept the description.
    """
    folder.mkdir(parents=True, exist_ok=True)
    library = resources.files("minihack") / "lib"
    for name in _PARTS:
        if not (folder / name).exists():
            (folder / name).write_bytes((library / name).read_bytes())
    (folder / f"{_LEVEL}.des").write_text(description, encoding="ascii")
    _run("lev_comp", f"{_LEVEL}.des", folder=folder)
    _run("dlb", "cf", "nhdat", _PARTS[0], f"{_LEVEL}.lev", *_PARTS[1:], folder=folder)
    return folder / "nhdat"


@functools.lru_cache(maxsize=256)
def build_once(description: str) -> Path:
    """`build`, for descriptions that many episodes share: compiled once a process, deleted at its end."""
    return build(description, Path(tempfile.mkdtemp(dir=_workshop().name)))


@functools.cache
def _workshop() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="embodied-minihack-")


def _run(tool: str, *arguments: str, folder: Path) -> None:
    done = subprocess.run([HACKDIR / tool, *arguments], cwd=folder, capture_output=True, text=True, errors="replace")
    if done.returncode:
        complaint = (done.stderr or done.stdout).strip().splitlines()
        raise EnvironmentFailure(
            f"NetHack's {tool} rejected the level: {complaint[0] if complaint else f'exit code {done.returncode}'}"
        )

"""From TextWorld's JSON to a story file: Inform's two compilers, and a cache that several processes may share."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

from embodied.errors import EnvironmentFailure

_RECIPE = 1
"""Raise it when the same JSON shall give another story: old cache files are then left alone."""
_SERIAL = b"000000"
"""Inform stamps the day of the compilation into a story; ours are the same every day."""
_TIMEOUT = 300.0
"""Seconds of wall time for each compiler; they take less than one of CPU time."""


def cache_folder() -> Path:
    """Where compiled and generated games are kept: `$XDG_CACHE_HOME/embodied/textworld`, by default under `~/.cache`."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "embodied" / "textworld"


def story_of(name: str, data: bytes) -> Path:
    """The compiled game of TextWorld's JSON: out of the cache if it is there unharmed, else compiled into it.

    A file of the cache is named after the hash of what it was made of and the hash of what it holds, and appears there complete, by
    renaming: processes that compile the same game at once do the work twice and write the same bytes.

    Args:
        name: What the file's name shall begin with.
        data: `textworld.Game.serialize`, as JSON.

    Raises:
        EnvironmentFailure: The cache cannot be written, or Inform fails.
    """
    made_of = hashlib.sha256(f"{_RECIPE} {version('textworld')} ".encode() + data).hexdigest()[:16]
    folder = cache_folder()
    for path in folder.glob(f"{name}-{made_of}-*.z8"):
        if hashlib.sha256(path.read_bytes()).hexdigest()[:16] == path.stem.rpartition("-")[2]:
            return path
    story = compile_story(data)
    path = folder / f"{name}-{made_of}-{hashlib.sha256(story).hexdigest()[:16]}.z8"
    write(path, story)
    return path


def write(path: Path, data: bytes) -> None:
    """Writes a file of the cache, whole or not at all. Raises `EnvironmentFailure`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
        os.replace(file.name, path)
    except OSError as error:
        raise EnvironmentFailure(f"The cache of games {path.parent} cannot be written ({error}). Set XDG_CACHE_HOME to a writable folder.") from error


def compile_story(data: bytes) -> bytes:
    """Compiles TextWorld's JSON into a .z8 story; the same JSON gives the same bytes everywhere. About one CPU second.

    Raises:
        EnvironmentFailure: Inform fails.
    """
    import json

    from textworld.generator.game import Game
    from textworld.generator.inform7.world2inform7 import I7_DEFAULT_PATH, generate_inform7_source

    inform = Path(I7_DEFAULT_PATH) / "share" / "inform7"
    with tempfile.TemporaryDirectory(prefix="embodied-") as folder:
        project = Path(folder)
        (project / "Source").mkdir()
        (project / "Build").mkdir()
        (project / "Source" / "story.ni").write_text(generate_inform7_source(Game.deserialize(json.loads(data))), encoding="utf-8")
        (project / "uuid.txt").touch()
        _run([inform / "Compilers" / "ni", "--internal", inform / "Internal", "--format=.z8", "--project", project], home=project)
        source, story = project / "Build" / "auto.inf", project / "story.z8"
        source.write_bytes(_stamped(source.read_bytes()))
        _run([inform / "Compilers" / "inform6", "-E2wSv8F0", source, story], home=project)
        return story.read_bytes()


def _stamped(source: bytes) -> bytes:
    head, mark, rest = source.partition(b'\nSerial "')
    return head + mark + _SERIAL + rest[len(_SERIAL) :]


def _run(command: list[str | Path], home: Path) -> None:
    """Runs a compiler that looks for its extensions, and writes, under `home`."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_TIMEOUT, env={**os.environ, "HOME": str(home)}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFailure(f"Inform's compiler {command[0]} cannot be run ({error}).") from error
    if done.returncode != 0:
        last = done.stdout.decode(errors="replace").strip().splitlines()[-1:]
        raise EnvironmentFailure(f"Inform's compiler {command[0]} failed on a game ({' '.join(last) or 'without a word'}).")

"""From TextWorld's JSON to a Z-machine story, through Inform's two compilers, byte for byte the same everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from embodied.errors import EnvironmentFailure

RECIPE = 1
"""Raise it when the same JSON must give another story."""
_SERIAL = b"000000"
"""Inform stamps the day of the compilation into a story; ours are the same every day."""
_TIMEOUT = 300.0
"""Seconds of wall time for each compiler; they take less than one of CPU time."""


def compile_story(data: bytes) -> bytes:
    """Compiles a game, about one CPU second.

    Args:
        data: `textworld.Game.serialize`, as JSON.

    Returns:
        The bytes of a .z8 story.

    Raises:
        EnvironmentFailure: Inform fails.
    """
    from textworld.generator import Game
    from textworld.generator.inform7.world2inform7 import I7_DEFAULT_PATH, generate_inform7_source

    inform = Path(I7_DEFAULT_PATH) / "share" / "inform7"
    with tempfile.TemporaryDirectory(prefix="embodied-") as folder:
        project = Path(folder)
        (project / "Source").mkdir()
        (project / "Build").mkdir()
        (project / "Source" / "story.ni").write_text(
            generate_inform7_source(Game.deserialize(json.loads(data))), encoding="utf-8"
        )
        (project / "uuid.txt").touch()
        _run(
            [inform / "Compilers" / "ni", "--internal", inform / "Internal", "--format=.z8", "--project", project],
            home=project,
        )
        source, story = project / "Build" / "auto.inf", project / "story.z8"
        source.write_bytes(_stamped(source.read_bytes()))
        _run([inform / "Compilers" / "inform6", "-E2wSv8F0", source, story], home=project)
        return story.read_bytes()


def _stamped(source: bytes) -> bytes:
    head, mark, rest = source.partition(b'\nSerial "')
    return head + mark + _SERIAL + rest[len(_SERIAL) :]


def _run(command: list[str | Path], home: Path) -> None:
    """Runs a compiler, which looks for its extensions and leaves its traces under `home`."""
    env = {**os.environ, "HOME": str(home)}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT,
            env=env,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFailure(f"Inform's compiler {command[0]} cannot be run ({error}).") from error
    if done.returncode != 0:
        last = done.stdout.decode(errors="replace").strip().splitlines()[-1:]
        raise EnvironmentFailure(
            f"Inform's compiler {command[0]} failed on a game ({' '.join(last) or 'no error text'})."
        )

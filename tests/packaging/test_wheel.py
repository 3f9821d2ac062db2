"""The wheel, as a stranger gets it: built, installed alone into an empty environment, and used outside the checkout.

Needs a package index for the build back end and the base dependencies, as `make install` does, and nothing else of the
network.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHEEL_MB, BASE_MB = 8, 206  # of these, 1.9 MB are agents that ship, and 4 MB came with events, the desk and learners
PLAIN = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "EMBODIED_"))}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def _run(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=PLAIN, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _disk(folder: Path) -> int:
    """Bytes on disk, in blocks of 4 KiB, compiled modules included."""
    return sum(-(-p.lstat().st_size // 4096) * 4096 for p in folder.rglob("*") if p.is_file())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what git tracks: no left-over `build/` gets in, and the checkout stays clean."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in _tracked("embodied", "pyproject.toml", "README.md", "LICENSE"):
        copy = folder / "source" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    _run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, folder / "source", cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment with the wheel and its base dependencies, without pip."""
    folder = tmp_path_factory.mktemp("base")
    _run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    tested = ROOT / "requirements/tested.txt"
    pip = (sys.executable, "-m", "pip", "--python", folder / "venv/bin/python")
    _run(*pip, "install", "-q", "-c", tested, wheel, cwd=folder)
    return folder / "venv/bin"


def _tracked(*paths: str) -> list[str]:
    names = subprocess.run(["git", "ls-files", "-z", *paths], cwd=ROOT, capture_output=True, check=True).stdout
    return [name for name in names.decode().split("\0") if name and (ROOT / name).is_file()]


def test_the_wheel_is_small_and_whole(wheel):
    assert wheel.stat().st_size <= WHEEL_MB * 1_000_000
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"embodied"}
    assert "embodied/py.typed" in names
    assert not set(_tracked("embodied")) - names, "not in the wheel: name them in tool.setuptools.package-data"


def test_the_base_install_is_small_and_sound(base):
    site = next(base.parent.glob("lib/python*/site-packages"))
    sizes = sorted(((_disk(p), p.name) for p in site.iterdir() if p.is_dir()), reverse=True)
    assert _disk(site) <= BASE_MB * 1_000_000, sizes[:10]
    assert "imageio_ffmpeg" not in {name for _, name in sizes}
    _run(sys.executable, "-m", "pip", "--python", base / "python", "check", cwd=base)


def test_a_stranger_evaluates_scores_and_exports(base, tmp_path):
    def embodied(*arguments: object) -> str:
        return _run(base / "embodied", *arguments, cwd=tmp_path)

    assert "eval" in embodied("--help")
    assert "core: ok" in embodied("doctor")
    assert "patheval" in embodied("list", "envs")
    place = _run(base / "python", "-c", "import embodied; print(embodied.__file__)", cwd=tmp_path)
    assert str(ROOT) not in place and "site-packages" in place

    loop = ("--env", "patheval_loop", "--steps", 3, "--episodes", 1)
    embodied("eval", *loop, "--agent", "random", "--out", "random")
    script = 'model.script=["ACTION: A"]'
    embodied("eval", *loop, "--agent", "naive", "--model", "scripted/cycle", script, "--out", "model")
    for run in ("random", "model"):
        assert "1/1" in embodied("score", run)
    film = Path(tmp_path, embodied("export", "random", "--format", "gif").strip())
    assert film.read_bytes().startswith(b"GIF89a") and film.stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("eval", "--env", "babyai", "--agent", "random"), "games"),
        (("eval", "--env", "textworld", "--agent", "random"), "games"),
        (("eval", "--env", "highway", "--agent", "random"), "driving"),
    ],
)
def test_what_needs_an_extra_names_it(base, tmp_path, arguments, extra):
    done = subprocess.run([base / "embodied", *arguments], cwd=tmp_path, env=PLAIN, capture_output=True, text=True)
    assert done.returncode == 3 and f"pip install 'embodied-suite[{extra}]'" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1

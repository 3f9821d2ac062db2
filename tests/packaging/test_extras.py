"""What has no release for a Python: the markers of `pyproject.toml`, and what is said of them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from embodied.errors import MissingExtra, NotForThisPython
from embodied.extras import left_out, needs
from embodied.rollout.worlds.host import Response
from embodied.rollout.worlds.workers import _error

PROJECT = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text())["project"]


def _metadata() -> list[str]:
    """The requirements as the wheel's metadata will have them."""
    lines = list(PROJECT["dependencies"])
    for extra, names in PROJECT["optional-dependencies"].items():
        for requirement in map(Requirement, names):
            marker = f"({requirement.marker}) and " if requirement.marker else ""
            lines.append(f"{requirement.name}{requirement.specifier}; {marker}extra == '{extra}'")
    return lines


LINES = _metadata()


@pytest.mark.parametrize(
    ("python", "missing"),
    [
        ("3.11", set()),
        ("3.12", set()),
        ("3.13", {"textworld"}),
        ("3.14", {"textworld", "nle", "minihack", "ompl"}),
        ("3.15", {"textworld", "nle", "minihack", "ompl"}),
    ],
)
def test_what_each_python_cannot_have(python, missing):
    assert {need.name for need in needs(LINES, python) if need.left_out} == missing


def test_the_reason_names_the_release_and_the_python():
    assert left_out("textworld.generator", LINES, "3.13") == (
        "textworld 1.6.2, or a package it needs, has no wheels for Python 3.13 and later"
    )
    assert left_out("textworld", LINES, "3.12") == ""
    assert left_out("highway_env", LINES, "3.14") == left_out(None, LINES, "3.14") == left_out("x", LINES, "3.14") == ""


def test_bounds_that_only_serve_a_missing_simulator_are_not_missing():
    names = [need.name for need in needs(LINES, "3.14") if need.extra == "games"]
    assert "numpy" not in names and "setuptools" not in names


def test_the_error_survives_the_way_from_a_worker():
    error = NotForThisPython("The environment textworld", "games", left_out("textworld", LINES, "3.13"))
    again = _error(Response(error=str(error), kind=type(error).__name__))
    assert str(again) == str(error) and isinstance(again, MissingExtra) and again.exit_code == 3
    assert "Python 3.13 and later" in str(error) and "pip install 'embodied-suite[games]'" in str(error)


def test_no_upper_bound_on_python():
    assert SpecifierSet(PROJECT["requires-python"]).contains("3.99")
    assert all(Requirement(line).marker is None for line in PROJECT["dependencies"])


def test_windows_is_told_of_wsl():
    """In a process that believes to be on Windows, where there is no `fcntl`."""
    code = (
        "import sys, gymnasium, typer, asyncio\n"
        "sys.modules['fcntl'] = None; sys.platform = 'win32'\n"
        "from embodied.cli import main; main(['list', 'envs'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 3 and done.stdout == ""
    assert done.stderr.startswith("error: Embodied runs on Linux and macOS") and "WSL" in done.stderr
    assert len(done.stderr.splitlines()) == 1

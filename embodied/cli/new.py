"""`embodied new environment|agent|corrector|learner|model NAME`: a small package of one's own, to begin with."""

from __future__ import annotations

import keyword
import os
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Container

TEMPLATES = Path(__file__).parent / "data/new"
WRITTEN_FOR = {
    "environment": "my_world",
    "agent": "my_agent",
    "corrector": "my_corrector",
    "learner": "my_learner",
    "model": "my_model",
}
"""Kind -> the name that its template is written for."""
LONGEST = 30
_NAME = re.compile(rf"[a-z][a-z0-9_]{{1,{LONGEST - 1}}}")


class Kind(StrEnum):
    environment = "environment"
    agent = "agent"
    corrector = "corrector"
    learner = "learner"
    model = "model"


def new(
    kind: Kind = typer.Argument(..., help="What to begin: environment, agent, corrector, learner or model."),
    name: str = typer.Argument(..., help="Its name: a word of lower-case letters, digits and _."),
    out: Path | None = typer.Option(None, "--out", help="The folder to write; ./NAME by default. It must not exist."),
) -> None:
    """Writes a small package with an environment, agent, corrector, learner or model of your own, which passes its own
    tests.
    """
    check_name(kind.value, name)
    folder = write(kind.value, name, out or Path(name))
    typer.echo(f"{folder} is a package of its own. Next:")
    typer.echo(f"  pip install -e '{folder}[dev]' && pytest {folder}")
    typer.echo(f"  {_first(kind.value, name)}")
    typer.echo("docs/your-own.md explains each file.")


def check_name(kind: str, name: str) -> None:
    """Checks that a package may have this name. Raises `UsageError`, which says why not."""
    from importlib.util import find_spec

    from embodied.errors import UsageError

    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a name: it must be 2 to {LONGEST} lower-case letters, digits and _, and begin with a"
            " letter."
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in ("test", "tests"):
        raise UsageError(f"{name!r} is a reserved word of Python or pytest: take another name.")
    if any(re.search(rf"\b{class_name(name)}\b", text) for text in _texts(kind)):
        raise UsageError(f"{class_name(name)} has another use in such a package: take another name.")
    if name in _taken(kind):
        raise UsageError(f"There is {_a(kind)} named {name!r} already: take another name.")
    if name in sys.stdlib_module_names or find_spec(name) is not None:
        raise UsageError(
            f"There is a Python package named {name!r} already, which yours would hide: take another name."
        )


def write(kind: str, name: str, folder: Path) -> Path:
    """Writes the package into a folder that does not exist yet, and returns the folder. Raises `UsageError`."""
    from embodied.errors import UsageError

    if os.path.lexists(folder):
        raise UsageError(f"{folder} is there already, and nothing is overwritten: take another name, or --out FOLDER.")
    files = {
        Path(rename(path.relative_to(TEMPLATES / kind).as_posix(), kind, name)): path.read_text("utf-8")
        for path in sorted((TEMPLATES / kind).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    try:
        folder.mkdir(parents=True)
        for path, text in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            with open(folder / path, "x", encoding="utf-8") as file:
                file.write(rename(text, kind, name))
    except OSError as error:
        raise UsageError(f"Cannot write {error.filename or folder}: {error.strerror or error}.") from error
    return folder


def rename(text: str, kind: str, name: str) -> str:
    """`text` of a template with another name in place of the one that it is written for."""
    old = WRITTEN_FOR[kind]
    return (
        text.replace(old, name)
        .replace(old.replace("_", "-"), name.replace("_", "-"))
        .replace(class_name(old), class_name(name))
    )


def class_name(name: str) -> str:
    """`MyWorld` for `my_world`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _texts(kind: str) -> list[str]:
    """The modules of a template, without the name that it is written for."""
    return [
        path.read_text("utf-8").replace(class_name(WRITTEN_FOR[kind]), "") for path in (TEMPLATES / kind).rglob("*.py")
    ]


def _taken(kind: str) -> Container[str]:
    from embodied.agents import AGENTS
    from embodied.catalog import ENTRIES
    from embodied.correctors import CORRECTORS
    from embodied.models import MODELS
    from embodied.train import LEARNERS

    taken: dict[str, Container[str]] = {
        "environment": ENTRIES,
        "agent": AGENTS,
        "corrector": CORRECTORS,
        "learner": LEARNERS,
        "model": MODELS,
    }
    return taken[kind]


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "ae" else f"a {kind}"


def _first(kind: str, name: str) -> str:
    """The first command to try."""
    return {
        "environment": f"embodied check {name} && embodied eval --env {name} --agent oracle",
        "agent": f"embodied eval --env corner_case_drive --agent {name} --model provider/name",
        "corrector": f"embodied eval --env babaisai --task goto_win --agent random --corrector {name}",
        "learner": f"embodied improve --env babyai --task goto --agent tinyvlm-base --learner {name} --rounds 1",
        "model": f"embodied eval --env corner_case_drive --agent naive --model {name}/left",
    }[kind]

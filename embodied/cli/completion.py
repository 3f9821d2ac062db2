"""What a shell offers after an option: names of environments, tasks, suites, agents and models, run folders, keys.

A shell asks in a process of its own while the user waits. So nothing heavy is imported here, and nothing is printed if
there is nothing to offer. `embodied --install-completion` teaches the shell to ask.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import typer
import typer.main
from typer.core import TyperCommand
from typer.models import ArgumentInfo, OptionInfo

MOST_FOLDERS = 500
"""Folders of one folder that are offered or looked into."""
_SAFE = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
"""Names without characters that are special to a shell. Others are left to the shell's own completion of files."""


def environments(incomplete: str) -> list[str]:
    """Names of environments; several are separated by commas."""
    from embodied.catalog import ENTRIES

    return _listed(ENTRIES, incomplete)


def tasks(ctx: typer.Context, incomplete: str) -> list[str]:
    """Tasks of the environments that the command line names; of all where it names none."""
    from embodied.catalog import ENTRIES

    named = [name for name in _environments(ctx) if name in ENTRIES]
    return _listed(dict.fromkeys(task for name in named or ENTRIES for task in ENTRIES[name].tasks), incomplete)


def suites(incomplete: str) -> list[str]:
    """Names of suites."""
    from embodied.eval.suites import SUITES

    return _begun(SUITES, incomplete)


def agents(incomplete: str) -> list[str]:
    """Presets and policies."""
    from embodied.cli.heads import names

    return _begun(names(), incomplete)


def correctors(incomplete: str) -> list[str]:
    """Names of correctors."""
    from embodied.correctors import CORRECTORS

    return _begun(CORRECTORS, incomplete)


def models(incomplete: str) -> list[str]:
    """`provider/`, and the models that have a preset."""
    from embodied.cli.heads import shipped
    from embodied.models.config import MODELS

    known = {head.asks for head in shipped() if head.asks}
    return _begun([*(f"{name}/" for name in MODELS), *sorted(known)], incomplete)


def runs(incomplete: str) -> list[str]:
    """Run folders, and folders with a slash behind them that may lead to some. Without a beginning, those in `runs/`
    come first. If there is only one folder, its content: a shell puts a blank after a single offer.
    """
    before, slash, _ = incomplete.rpartition("/")
    found = [*(_inside("runs", "runs/") if not incomplete else ()), *_inside(before + slash or ".", before + slash)]
    offered = [name for name in _begun(found, incomplete) if _SAFE.fullmatch(name)]
    only = offered[0] if len(offered) == 1 else ""
    return runs(only) if only.endswith("/") and only != incomplete else offered


def words(ctx: typer.Context, incomplete: str) -> list[str]:
    """Keys of the configuration and of the environments that the command line names, each with `=` behind it; a single
    one with its default too, because a shell puts a blank after a single offer.
    """
    from omegaconf import OmegaConf

    from embodied.catalog import ENTRIES
    from embodied.config import EvalConfig, env_defaults, keys

    if not incomplete or "=" in incomplete:
        return []
    schema = OmegaConf.structured(EvalConfig)
    defaults = {key: OmegaConf.select(schema, key) for key in _begun(keys(EvalConfig()), incomplete)}
    for name in _environments(ctx):
        options = env_defaults(name) if name in ENTRIES else {}
        defaults |= {f"env.{key}": value for key, value in options.items() if f"env.{key}".startswith(incomplete)}
    offered = [f"{key}=" for key in defaults]
    return [*offered, *(f"{key}={_value(value)}" for key, value in defaults.items())] if len(offered) == 1 else offered


BY_NAME: dict[str, Callable[..., list[str]]] = {
    "env": environments,
    "task": tasks,
    "suite": suites,
    "agent": agents,
    "corrector": correctors,
    "model": models,
    "run": runs,
    "folder": runs,
    "runs": runs,
    "against": runs,
    "what": runs,
}
"""Name of a command's parameter -> what is offered for it."""


class WithWords(TyperCommand):
    """A command that takes `key=value` behind its options."""

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Options, as of any command, and words."""
        offering = typer.Typer(add_completion=False)  # an argument of its own says what is offered; none is declared
        offering.command()(_words)
        (argument,) = typer.main.get_command(offering).params
        return [*super().shell_complete(ctx, incomplete), *argument.shell_complete(ctx, incomplete)]


def _words(word: str = typer.Argument("", autocompletion=words)) -> None:
    pass


def attach(app: typer.Typer) -> None:
    """Gives every parameter of every command what its name promises (`BY_NAME`), if the parameter has no completion of
    its own.
    """
    for command in app.registered_commands:
        for name, parameter in inspect.signature(command.callback or (lambda: None)).parameters.items():
            info = parameter.default
            if isinstance(info, OptionInfo | ArgumentInfo) and info.autocompletion is None:
                info.autocompletion = BY_NAME.get(name)
        if (command.context_settings or {}).get("allow_extra_args"):
            command.cls = WithWords
    for group in app.registered_groups:
        if group.typer_instance is not None:
            attach(group.typer_instance)


def _value(value: object) -> str:
    """A default as a word says it."""
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if _SAFE.fullmatch(text) else "null"


def _environments(ctx: typer.Context) -> list[str]:
    """What `--env` names, said once or several times, with commas or without."""
    said = ctx.params.get("env") or ()
    return [name for part in ([said] if isinstance(said, str) else said) for name in str(part).split(",")]


def _inside(place: str, shown: str) -> list[str]:
    """The folders in a folder, with `shown` before their names."""
    try:
        names = sorted(entry.name for entry in os.scandir(place) if entry.is_dir() and entry.name[:1] != ".")
    except OSError:
        return []
    ending = ("/", "")
    return [f"{shown}{n}{ending[os.path.lexists(Path(place, n, 'run.json'))]}" for n in names[:MOST_FOLDERS]]


def _begun(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _listed(names: Iterable[str], incomplete: str) -> list[str]:
    """Names of which several may stand, separated by commas."""
    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in _begun(names, last) if name not in before.split(",")]

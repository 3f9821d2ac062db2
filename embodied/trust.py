"""Asks the user before a stranger's folder decides which server gets the user's key, what is imported, and which files
are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from embodied.agents import folders
from embodied.agents.versions import AgentVersion
from embodied.errors import StoreError
from embodied.store.codec import encode
from embodied.store.ours import is_ours, remember, remember_agent
from embodied.store.run import Run, RunRecord
from embodied.types import Json

PATHS = ("data", "path", "mmproj")
"""Options whose value is a file or folder of this machine."""


def require_trust(
    run: Run,
    trust: bool,
    *,
    play: bool,
    say: Callable[[str], None],
    ask: Callable[[Run, str], bool] = lambda run, what: False,
) -> None:
    """Lets a command continue with a run folder that this user made on this machine, that cannot do harm, or that the
    user allows.

    An allowed folder is remembered and not asked about again.

    Args:
        run: The folder.
        trust: The user takes responsibility for it.
        play: Models are called and agents made as well (`resume`); else only environments (`replay`, films).
        say: Takes a sentence that the user must know and that is not an error.
        ask: Asks the user, and says what the run would do.

    Raises:
        StoreError: The user did not allow it.
    """
    asked = deeds(run.record, play=play)
    if not asked or is_ours(run.record):
        return
    if not trust and not ask(run, _joined(asked)):
        raise StoreError(
            f"{run.root} was not made by you on this machine, and continuing would {_joined(asked)}."
            " If you know who made it and agree, add --trust; embodied asks once."
        )
    note(run.record, say)


def require_trust_in_agent(
    version: AgentVersion,
    trust: bool,
    *,
    say: Callable[[str], None],
    ask: Callable[[Path, str], bool] = lambda folder, what: False,
) -> None:
    """Lets a command play an agent's folder that ships with the package, that this user made on this machine, or that
    the user allows.

    What is allowed is remembered by its hash and not asked about again.

    Args:
        version: The folder, found whole.
        trust: The user answers for it.
        say: Takes a sentence that the user must know and that is not an error.
        ask: Asks the user, who is told what would be done.

    Raises:
        StoreError: Nobody allowed it.
    """
    if not (trust or folders.is_ours(version)):
        what = _joined(_agent(version))
        if not ask(version.folder, what):
            raise StoreError(
                f"{_quoted(version.folder)} was not made by you on this machine, and playing it would {what}."
                " If you know who made it and agree, add --trust; it is asked once."
            )
    if not folders.is_shipped(version):
        try:
            remember_agent(version.hash, version.folder)
        except StoreError as error:
            say(f"Playing this agent again will ask whether you made it: {error}")


def _agent(version: AgentVersion) -> list[str]:
    """What playing a version does on this machine that its folder decides."""
    said = version.record.settings
    config = {
        key: {name.removeprefix(f"{key}."): value for name, value in said.items() if name.startswith(f"{key}.")}
        for key in ("agent", "model")
    }
    parts = [f"load its parts {', '.join(version.record.parts)}"] if version.record.parts else []
    asked = [] if "model" in version.record.parts or "provider" not in config["model"] else _model(config["model"])
    policy = str(config["agent"].get("policy") or "naive")
    return [*parts, *asked, f"let its settings decide how the agent {_quoted(policy)} plays"]


def note(record: RunRecord, say: Callable[[str], None]) -> None:
    """Remembers a run as the user's own. If that cannot be written, says so and continues."""
    try:
        remember(record)
    except StoreError as error:
        say(f"Going on with this run later will ask whether you made it: {error}")


def deeds(record: RunRecord, *, play: bool) -> list[str]:
    """What the run's folder would make this machine do, each as `ask ...`, `import ...`; empty if nothing."""
    found: dict[str, None] = {}
    for task in {spec.task.env: spec.task for spec in record.planned}.values():
        found |= dict.fromkeys(_world(task.env))
    for spec in record.planned:
        for option, value in spec.task.kwargs.items():
            if option in PATHS and isinstance(value, str):
                found[f"read {_quoted(value)}"] = None
    if play:
        found |= dict.fromkeys(_config(record.config))
    found |= dict.fromkeys(f"use the value of your {_quoted(name)}" for name in _variables(record, play=play))
    return list(found)


def _variables(record: RunRecord, *, play: bool) -> list[str]:
    """The environment variables that the folder asks for: named in its options, or handed to its environments."""
    text = encode([spec.task.kwargs for spec in record.planned] + ([record.config] if play else [])).decode()
    handed = _part(record.config, "run").get("worker_variables") if play else None
    return [*re.findall(r"\$\{\s*([^}]*)", text), *(map(str, handed) if isinstance(handed, list) else ())]


def _world(env: str) -> list[str]:
    from embodied.catalog import ENTRIES

    if env in ENTRIES:
        return []
    module = env.removeprefix("gym:").rpartition(":")[0]
    return [
        f"import the Python module {_quoted(module)}"
        if module
        else f"make the environment {_quoted(env)}, which is not of this package"
    ]


def _config(config: Json) -> list[str]:
    from embodied import agents

    found: list[str] = []
    agent, model, how = (_part(config, key) for key in ("agent", "model", "run"))
    if agents.needs_model(str(agent.get("policy") or "")):
        found += _model(model)
    if (critic := _part(_part(config, "corrector"), "model")).get("provider"):
        found += _model(critic)
    if agent.get("script"):
        found.append("play the script in it")
    if shown := (_part(agent, "demonstrations").get("runs") or []):
        found.append(f"show the model what is in {_quoted(str(shown))}")
    if how.get("ray"):
        found.append(f"run code on the Ray cluster at {_quoted(str(how['ray']))}")
    return found


def _model(model: Json) -> list[str]:
    from embodied.models.config import LOCAL

    provider, name = str(model.get("provider") or ""), str(model.get("name") or "")
    if model.get("script") is not None:
        script = model["script"]
        return [f"import {_quoted(script)}" if isinstance(script, str) else "answer with the script in it"]
    if provider in LOCAL:
        files = [str(model[key]) for key in PATHS if model.get(key)] + ([name] if "/" in name or "." in name else [])
        return [f"load the model {', '.join(map(_quoted, files))}"] if files else []
    where = f" at {_quoted(str(model['base_url']))}" if model.get("base_url") else ""
    key = f"the key in {_quoted(str(model['api_key_env']))}" if model.get("api_key_env") else "your key"
    return [f"ask {_quoted(f'{provider}/{name}')}{where} with {key}"]


def _part(config: Json, key: str) -> Json:
    value = config.get(key)
    return value if isinstance(value, dict) else {}


def _quoted(text: Any) -> str:
    """Text from the folder as one line without control characters."""
    plain = "".join(c if c.isprintable() else "?" for c in str(text))
    return plain if len(plain) <= 120 else plain[:117] + "..."


def _joined(words: list[str]) -> str:
    shown = words[:6] + ([f"do {len(words) - 6} more such things"] if len(words) > 6 else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"

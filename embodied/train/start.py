"""The first version of an improvement: an agent's folder as it is, or a preset and the user's words as a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec

from embodied.agents.versions import AgentRecord, AgentVersion, Base, content_hash, load, write
from embodied.config import EvalConfig
from embodied.errors import StoreError, UsageError
from embodied.models.config import LOCAL
from embodied.models.local.weights import EMBEDDED
from embodied.request import Request
from embodied.store.codec import encode
from embodied.types import Json
from embodied.versions import MODEL, NEVER, OF_OTHERS

PLACES = ("model.path", "model.mmproj", "model.sha256", "agent.version")
"""Keys that are computed, or that a part takes the place of."""


def needs_folder(request: Request) -> bool:
    """Whether a version must be made: of a preset, or because the user changes something of it."""
    return request.version is None or request.model is not None or any(map(of_agent, keys(request)))


def first(request: Request, config: EvalConfig, folder: Path) -> AgentVersion:
    """The first version; `folder` holds it where it had to be made.

    Args:
        request: The agent, as the user names it.
        config: What the request means.
        folder: Where a version is written, or was written before.

    Raises:
        UsageError: The agent plays what somebody else decides, or its weights cannot be copied.
        StoreError: `folder` holds another version.
    """
    if not needs_folder(request):
        assert request.version is not None
        return request.version
    if config.agent.policy in OF_OTHERS:
        raise UsageError(
            f"The agent {config.agent.policy} plays what somebody else decides, so it cannot learn. Name another"
            " --agent."
        )
    parts: dict[str, Path] = {}
    old = request.version
    if old is not None and request.model is None:
        parts = {name: old.part(name) for name in old.record.parts}
    settings = dict(_changed(config))
    if config.model.provider in LOCAL and config.model.name != EMBEDDED and MODEL not in parts:
        parts[MODEL] = _weights(config)
        settings.pop("model.name", None)
    named = re.sub(r"[^A-Za-z0-9._-]+", "-", request.agent or config.agent.policy).strip("-._")[:80] or "agent"
    base = Base(config.model.provider, config.model.name, config.model.sha256) if config.model.provider else None
    record = AgentRecord(
        name=old.record.name if old is not None else named,
        settings=settings | {"image": bool(config.image)},
        worlds=old.record.worlds if old is not None else (),
        tasks=old.record.tasks if old is not None else {},
        view=old.record.view if old is not None else {},
        base=base if MODEL not in parts else None,
    )
    if not folder.exists():
        return write(folder, record, parts)
    found = load(folder)
    wanted = msgspec.structs.replace(
        record, parts={name: content_hash(place) for name, place in parts.items()}, format=found.record.format
    )
    if encode(wanted) != encode(found.record):
        key = next(key for key in AgentRecord.__struct_fields__ if getattr(wanted, key) != getattr(found.record, key))
        raise StoreError(
            f"{folder} holds another first version ({key} differs). Name another folder with --out, or give the command"
            " that made it."
        )
    return found


def beside(request: Request, config: EvalConfig) -> tuple[tuple[str, ...], Json]:
    """Words and options that no version may hold, and that each run of it gets: servers, names of keys, the
    environment's options, how runs are played.
    """
    words = tuple(w for w in request.words if not of_agent(key_of(w)) and not _of_loop(key_of(w)))
    options = {k: v for k, v in request.options.items() if not of_agent(k) and not _of_loop(k)}
    typed = {key_of(w) for w in words}
    default = EvalConfig()
    for key in NEVER:
        group, name = key.split(".", 1)
        if key in PLACES or "." in name or key in typed or key in options:
            continue
        value = getattr(getattr(config, group), name)
        if value != getattr(getattr(default, group), name):
            options[key] = value
    return words, options


def of_agent(key: str) -> bool:
    """Whether a key belongs to the agent itself, so that a version holds it."""
    return key.startswith(("agent.", "model.")) and key not in NEVER


def keys(request: Request) -> Iterator[str]:
    """Every key that the user sets."""
    yield from map(key_of, request.words)
    yield from request.options


def key_of(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def _of_loop(key: str) -> bool:
    """Whether the loop itself sets a key in each run."""
    return key.startswith("run.budget") or key in ("run.seed", "run.split", "run.episodes", "run.out", "run.control")


def _changed(config: EvalConfig) -> Iterator[tuple[str, Any]]:
    """Dotted key -> value of what differs from the defaults."""
    default = EvalConfig()
    for group in ("agent", "model"):
        for key, value, usual in _leaves(getattr(config, group), getattr(default, group), group):
            if value != usual and key not in NEVER:
                yield key, value


def _leaves(value: Any, usual: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    for one in fields(value):
        mine, others = getattr(value, one.name), getattr(usual, one.name)
        if is_dataclass(mine):
            yield from _leaves(mine, others, f"{path}.{one.name}")
        else:
            yield f"{path}.{one.name}", mine, others


def _weights(config: EvalConfig) -> Path:
    """The folder or file of a local model that no version holds yet."""
    place = Path(config.model.path or config.model.name).expanduser()
    if not place.exists():
        raise UsageError(
            f"The weights of {config.model.provider}/{config.model.name} are not on this machine as a file or folder,"
            " and a version holds its weights: name the folder with model.path=FOLDER."
        )
    return place

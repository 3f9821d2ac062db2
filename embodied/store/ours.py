"""Which runs this user made on this machine: fingerprints of what a run would do here, kept outside every run folder.

A run folder says which server is asked, which key is sent there, which modules are imported and which files are read.
The maker of the folder chose that. The folder cannot vouch for itself, and a file's owner says nothing (unpacking an
archive makes its files one's own). So `embodied eval` notes a fingerprint of the plan in the user's state folder
(`$XDG_STATE_HOME/embodied/runs/`, by default `~/.local/state/embodied/runs/`), and a command that continues a folder
looks there first.

Beside it, `$XDG_STATE_HOME/embodied/agents/` has a file for each agent version that this user made or allowed. Its name
is the hash of the version, its content the folder where the version was last seen. So a run names a version by its hash
alone, and `embodied resume` still finds the folder.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from embodied.atomic import write_whole
from embodied.errors import StoreError
from embodied.store.codec import encode, without_surrogates
from embodied.store.run import RunRecord


def state_folder() -> Path:
    """Where the fingerprints are."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state") / "embodied" / "runs"


def fingerprint(record: RunRecord) -> str:
    """SHA-256 over all that a folder decides about what is done on this machine: its configuration, and its
    environments with their options.
    """
    worlds = {(spec.task.env, encode(_sorted(spec.task.kwargs)).decode()) for spec in record.planned}
    return hashlib.sha256(encode({"config": _sorted(record.config), "worlds": sorted(worlds)})).hexdigest()


def remember(record: RunRecord) -> None:
    """Notes that this user made the run, or allowed it. Raises `StoreError` when the note cannot be written."""
    path = state_folder() / fingerprint(record)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError as error:
        raise StoreError(f"Cannot write {path}: {error.strerror or error}.") from error


def is_ours(record: RunRecord) -> bool:
    """Whether `remember` was told of a run that does the same."""
    try:
        return (state_folder() / fingerprint(record)).is_file()
    except OSError:
        return False


def remember_agent(version: str, folder: Path) -> None:
    """Notes that this user made or allowed an agent version, and where it lies now.

    Args:
        version: Its hash.
        folder: Its folder.

    Raises:
        StoreError: The note cannot be written.
    """
    path = _agent_note(version)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, os.fsencode(folder.resolve()))
    except OSError as error:
        raise StoreError(f"Cannot write {path}: {error.strerror or error}.") from error


def agent_folder(version: str) -> Path | None:
    """Where an agent version was last seen; None for one that this user neither made nor allowed."""
    try:
        return Path(os.fsdecode(_agent_note(version).read_bytes()))
    except OSError:
        return None


def _agent_note(version: str) -> Path:
    return state_folder().parent / "agents" / version


def _sorted(value: object) -> object:
    """Plain JSON with keys in order: files of ours are written in the order of their fields, and
    read back in the same.
    """
    return msgspec.json.decode(msgspec.json.encode(without_surrogates(msgspec.to_builtins(value)), order="sorted"))

"""AgentVersion: an agent as a folder that says all that decides how it plays, by content.

    agent.json          settings, parts, what it was made from
    parts/<name>-<12>/  or a file: weights, a memory, a prompt; the twelve digits are the beginning of its hash

A version is known by the hash of its `agent.json`, which names every part by hash. So new weights in an old folder are
another version, and a byte that changed is noticed before anything is played. A folder may come from a stranger: it
holds values and safetensors, and nothing in it is ever executed or unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from embodied.errors import StoreError, UsageError
from embodied.store.checks import check_json, open_plain, read_plain
from embodied.store.codec import encode
from embodied.store.disk import write_whole
from embodied.store.ours import remember_agent
from embodied.types import Json

FORMAT = 1
FILE = "agent.json"
_LONGEST = 1 << 20
"""Bytes of `agent.json`."""
_MOST_FILES = 10_000
_SUFFIXES = (".safetensors", ".json", ".jsonl", ".jinja", ".txt", ".md", ".gguf", ".model")
"""What a part may hold. No pickle, no code."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


class Base(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The model that an agent builds on."""

    provider: str
    name: str
    sha256: str = ""
    """Of its content. Empty for a model behind an API, of which the name is all that is known."""


class Lineage(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a version came to be."""

    parent: str = ""
    """Hash of the version before it; empty for one that was made from nothing."""
    learner: str = ""
    used: dict[str, Any] = {}
    """What learning took: episodes, corrections, tokens, seconds, dollars, seeds."""


class AgentRecord(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """`agent.json`. What stands at its default is not written: a field that is added later changes no hash."""

    name: str
    settings: dict[str, Any] = {}
    """Dotted keys of the configuration (`agent.history.image`), with their values."""
    parts: dict[str, str] = {}
    """Name -> SHA-256 of its content."""
    worlds: tuple[str, ...] = ()
    """The environments it was made for; empty: any."""
    tasks: dict[str, tuple[str, ...]] = {}
    """Environment -> the tasks of it that it was made for; all, where it does not stand here."""
    view: dict[str, dict[str, Any]] = {}
    """Environment -> options that say how its pictures are drawn for this agent (`Entry.views`)."""
    base: Base | None = None
    lineage: Lineage = Lineage()
    format: int = 0
    """`write` fills it in."""


@dataclass(frozen=True)
class AgentVersion:
    """A folder that was read and found whole."""

    folder: Path
    record: AgentRecord
    hash: str
    """64 hexadecimal digits."""

    @property
    def label(self) -> str:
        """`tinyvlm@0123456789ab`: what tables and records call it."""
        return f"{self.record.name}@{self.hash[:12]}"

    def json(self) -> Json:
        """`agent.json`."""
        found: Json = json.loads(encode(self.record))
        return found

    def part(self, name: str) -> Path:
        """Where a part lies. Raises `UsageError`: the version has no such part."""
        if name not in self.record.parts:
            raise UsageError(f"{self.folder} has no part {name!r}; it has {', '.join(self.record.parts) or 'none'}.")
        return self.folder / "parts" / f"{name}-{self.record.parts[name][:12]}"


def load(folder: str | os.PathLike[str]) -> AgentVersion:
    """Reads a version and checks every byte of its parts.

    Raises:
        UsageError: `folder` is not one.
        StoreError: It is damaged, was changed, is of a later format, or holds what no version holds.
    """
    version = read(folder)
    for name, digest in version.record.parts.items():
        place = version.part(name)
        found = content_hash(place)
        if found != digest:
            raise StoreError(
                f"{place} was changed since {version.folder / FILE} was written: its content has the hash {found[:12]},"
                f" not {digest[:12]}. Take another copy, or make a version of the new content."
            )
    return version


def read(folder: str | os.PathLike[str]) -> AgentVersion:
    """As `load`, without a look at the parts: to list versions, never to play one."""
    root = Path(folder)
    data = read_plain(root / FILE, _LONGEST)
    if data is None:
        raise UsageError(f"{root} is not an agent: it has no {FILE}. `embodied train` and `embodied improve` make one.")
    record = _decoded(data, root / FILE)
    return AgentVersion(root, record, _hash(record))


def write(folder: Path, record: AgentRecord, parts: Mapping[str, Path]) -> AgentVersion:
    """Makes a version in a new folder, with copies of its parts.

    Args:
        folder: Must not exist.
        record: Its `parts` and `format` are filled in here.
        parts: Name -> file or folder.

    Raises:
        UsageError: `folder` exists, or a part is not what a version may hold.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists already. Name a new folder with --out.")
    for place in parts.values():
        if place.is_file() and place.suffix not in _SUFFIXES:
            raise UsageError(f"{place} is not a kind of file that an agent holds ({', '.join(_SUFFIXES)}).")
    digests = {name: content_hash(place) for name, place in parts.items()}
    (folder / "parts").mkdir(parents=True)
    for name, place in parts.items():
        to = folder / "parts" / f"{name}-{digests[name][:12]}"
        if place.is_dir():
            shutil.copytree(place, to)
        else:
            shutil.copyfile(place, to)
    whole = msgspec.structs.replace(record, parts=digests, format=FORMAT)
    write_whole(folder / FILE, msgspec.json.format(encode(whole), indent=1) + b"\n")
    version = load(folder)
    with contextlib.suppress(StoreError):  # then playing it asks whether the user made it
        remember_agent(version.hash, folder)
    return version


def difference(a: AgentVersion, b: AgentVersion) -> list[tuple[str, str, str]]:
    """Every key in which two versions differ: dotted key, value in `a`, value in `b`; a dash where one has none."""
    mine, others = dict(rows(a)), dict(rows(b))
    keys = sorted(mine.keys() | others.keys())
    return [(key, mine.get(key, "-"), others.get(key, "-")) for key in keys if mine.get(key) != others.get(key)]


def rows(version: AgentVersion) -> list[tuple[str, str]]:
    """Every key of `agent.json` that is set, dotted, with its value."""
    return list(_flat(version.json()))


def content_hash(place: Path) -> str:
    """SHA-256 of a file, or of a folder: of the names and hashes of its files, in the order of their names.

    Raises:
        StoreError: There is nothing, or it holds a link, a pipe, or a kind of file that no version holds.
    """
    if place.is_symlink() or not place.exists():
        raise StoreError(f"{place} is missing or is a link. Take another copy of the folder that it belongs to.")
    if place.is_file():
        return _file_hash(place)
    files = sorted(_files(place), key=lambda path: path.relative_to(place).as_posix())
    listed = "".join(f"{path.relative_to(place).as_posix()}\n{_file_hash(path)}\n" for path in files)
    return hashlib.sha256(listed.encode()).hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for count, path in enumerate(folder.rglob("*")):
        if not path.name.isprintable():
            raise StoreError(f"{str(path)!r} has a name with control characters, which no part of an agent has.")
        if count > _MOST_FILES:
            raise StoreError(f"{folder} holds more than {_MOST_FILES} files, which no part of an agent does.")
        if path.is_symlink():
            raise StoreError(f"{path} is a link. An agent's folder holds plain files only.")
        if path.is_dir():
            continue
        if path.suffix not in _SUFFIXES:
            raise StoreError(f"{path} is not a kind of file that an agent holds ({', '.join(_SUFFIXES)}).")
        yield path


def _file_hash(path: Path) -> str:
    file = open_plain(path)
    if file is None:
        raise StoreError(f"{path} is missing.")
    digest = hashlib.sha256()
    with file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _decoded(data: bytes, where: Path) -> AgentRecord:
    try:
        raw = msgspec.json.decode(data)
        if isinstance(raw, dict) and isinstance(raw.get("format"), int) and raw["format"] > FORMAT:
            raise StoreError(
                f"{where} has format {raw['format']}, and this version of embodied reads formats up to {FORMAT}:"
                " upgrade it with `pip install --upgrade embodied-suite`."
            )
        check_json(raw, str(where))
        record = msgspec.convert(raw, AgentRecord)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{where} is damaged: {error}. Take another copy.") from error
    for name, digest in record.parts.items():
        if not _NAME.fullmatch(name) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise StoreError(f"{where} names a part {name[:60]!r} that is not a plain name with a SHA-256.")
    for env, tasks in record.tasks.items():
        if not tasks or env not in record.worlds:
            raise StoreError(
                f"{where} names tasks of {env[:60]!r}, which must stand under worlds and have one at least."
            )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}", record.name):
        raise StoreError(f"{where} has the name {record.name[:60]!r}; a name is letters, digits, '.', '_' and '-'.")
    return record


def _hash(record: AgentRecord) -> str:
    return hashlib.sha256(encode(record)).hexdigest()


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, str(value)

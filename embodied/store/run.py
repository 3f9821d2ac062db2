"""A run folder, and the only code that writes into it.

    run.json                        what was planned and with what: RunRecord
    episodes/<id>/steps.jsonl       one Step a line, appended as it happens
    episodes/<id>/messages.jsonl    every distinct message of the episode's prompts, once; steps refer to them by id
    episodes/<id>/episode.json      Episode, with a checksum; its presence means the episode ended
    episodes/<id>/attempt-<n>/      what earlier attempts left that could not be gone on with
    blobs/                          images by content

A step is flushed to the operating system before the next begins, so a kill costs at most the step in progress. A torn last
line is dropped. While a process plays an episode it holds a lock on the episode's folder, so that no two write into it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from embodied.errors import StoreError
from embodied.store.blobs import FileBlobs
from embodied.store.codec import decode, encode
from embodied.store.disk import TEMPORARY, disk, lock, locked, write_whole
from embodied.store.mending import drop_torn_line, salvage, set_aside
from embodied.store.sealed import seal, unseal
from embodied.types import Episode, EpisodeSpec, Json, Message, Step

SCORED = ("finished", "limit")


@dataclass(frozen=True)
class RunRecord:
    """`run.json`."""

    identity: str
    """Hash of everything that decides what happens in an episode of this run; the number of episodes is not part of it."""
    config: Json
    """The whole configuration, as composed. Holds names of environment variables, never their values."""
    planned: tuple[EpisodeSpec, ...]
    """Grows when the same command asks for more episodes; never shrinks."""
    versions: dict[str, str] = field(default_factory=dict)
    """Distribution -> version, of everything that can move a score."""
    created: str = ""
    """UTC, ISO 8601."""
    suite: str = ""

    def difference(self, other: RunRecord) -> str:
        """The first key in which the configuration or the versions of `other` differ, in words."""
        mine, others = ({**record.config, "version": record.versions} for record in (self, other))
        return _difference(mine, others) or "the suite differs"


class Run:
    """A run folder, opened for reading; writing begins with `create` or `extend`."""

    def __init__(self, root: str | os.PathLike[str]):
        """Opens an existing run. Raises `StoreError` when `root` is not a run folder."""
        self.root = Path(root)
        if not (self.root / "run.json").is_file():
            raise StoreError(f"{self.root} is not a run folder: it has no run.json. `embodied eval ... --out {self.root}` makes one.")
        self.record = decode((self.root / "run.json").read_bytes(), RunRecord, str(self.root / "run.json"))
        self.blobs = FileBlobs(self.root / "blobs")

    @classmethod
    def create(cls, root: str | os.PathLike[str], record: RunRecord) -> Run:
        """Makes the folder, or opens it if it is a run of the same identity, and adds the episodes not yet planned.

        Raises:
            StoreError: `root` is a file, is not writable, holds something else, or holds a run of another plan.
        """
        root = Path(root)
        with disk(f"write the run folder {root}"):
            if root.exists() and not root.is_dir():
                raise StoreError(f"{root} is a file. Name a folder with --out.")
            root.mkdir(parents=True, exist_ok=True)
            with locked(root):  # of several processes that start in one folder, each finds it empty or finds the run
                return cls._created(root, record)

    @classmethod
    def _created(cls, root: Path, record: RunRecord) -> Run:
        if (root / "run.json").exists():
            run = cls(root)
            if run.record.identity != record.identity:
                raise StoreError(f"{root} holds a run of another plan ({run.record.difference(record)}). Name another folder with --out.")
            have = {spec.id for spec in run.record.planned}
            new = tuple(spec for spec in record.planned if spec.id not in have)
            if not new:
                return run
            record = replace(run.record, planned=run.record.planned + new)
        elif strange := [path.name for path in root.iterdir() if not _left_by_a_start(path)]:
            raise StoreError(f"{root} is not empty ({strange[0]}) and is not a run folder. Name another folder with --out.")
        for left in root.glob(f"run.json.*{TEMPORARY}"):
            left.unlink()
        write_whole(root / "run.json", msgspec.json.format(encode(record), indent=2) + b"\n")
        (root / "episodes").mkdir(exist_ok=True)
        return cls(root)

    # ----------------------------------------------------------------- reading

    def episode(self, id_: str) -> Episode | None:
        """The episode's result, or None while it has none."""
        path = self.folder(id_) / "episode.json"
        return unseal(path.read_bytes(), Episode, str(path)) if path.is_file() else None

    def episodes(self, damaged: list[str] | None = None) -> list[Episode]:
        """All ended episodes, in the order of the plan.

        Args:
            damaged: Where damaged results are to be left out: takes a sentence for each.

        Raises:
            StoreError: A result is damaged, and `damaged` was not given.
        """
        found = []
        for spec in self.record.planned:
            try:
                episode = self.episode(spec.id)
            except StoreError as error:
                if damaged is None:
                    raise
                damaged.append(str(error))
                continue
            if episode is not None:
                found.append(episode)
        return found

    def steps(self, id_: str, damaged: list[str] | None = None) -> Iterator[Step]:
        """The episode's steps in order, with their prompts restored; a torn last line is left out.

        Args:
            id_: The episode.
            damaged: Where damaged lines are to be skipped: takes a sentence for each.

        Raises:
            StoreError: A line is damaged, and `damaged` was not given.
        """
        folder = self.folder(id_)
        messages = {line.get("id"): line.get("message") for _, line in _lines(folder / "messages.jsonl", damaged)}
        for where, line in _lines(folder / "steps.jsonl", damaged):
            try:
                step = _step(line, messages, where)
            except StoreError as error:
                if damaged is None:
                    raise
                damaged.append(str(error))
                continue
            yield step

    def find(self, name: str) -> str:
        """The id of the planned episode that `name` names: an id, a unique beginning of one, or a number from 0."""
        ids = [spec.id for spec in self.record.planned]
        if name in ids:
            return name
        if name.isdigit() and int(name) < len(ids):
            return ids[int(name)]
        matches = [i for i in ids if i.startswith(name)]
        if len(matches) == 1:
            return matches[0]
        what = f"{len(matches)} episodes that begin with" if matches else "no episode named"
        raise StoreError(f"{self.root} has {what} {name!r}. `embodied score {self.root} --episodes` lists them.")

    # ----------------------------------------------------------------- writing

    def claim(self, spec: EpisodeSpec, again: bool = False) -> EpisodeWriter | None:
        """Takes an episode in hand, to go on behind its last whole step.

        Where the record is damaged, it goes on behind the last step before the damage; with `again` it begins anew. What is no longer
        part of the record is kept in `attempt-<n>/`.

        Returns:
            None when the episode is scored, or another process is playing it.

        Raises:
            StoreError: The folder cannot be written.
        """
        folder = self.folder(spec.id)
        with disk(f"write {folder}"), ExitStack() as held:
            if not _lock(folder, held) or self.scored(spec.id):
                return None
            if again:
                set_aside(folder)
            elif not self._consistent(spec.id):
                salvage(folder)
            for path in (folder / "episode.json", *folder.glob(f"episode.json.*{TEMPORARY}")):  # the latter when a kill fell into its writing
                path.unlink(missing_ok=True)
            for name in ("steps.jsonl", "messages.jsonl"):
                drop_torn_line(folder / name)
            return EpisodeWriter(self, spec.id, held.pop_all())

    def result(self, id_: str) -> Episode | None:
        """The episode's result where there is one that can be read. Of a damaged one, playing on makes another from the recorded steps."""
        try:
            return self.episode(id_)
        except StoreError:
            return None

    def scored(self, id_: str) -> bool:
        """Whether the episode has ended with a score."""
        episode = self.result(id_)
        return episode is not None and episode.outcome in SCORED

    def _consistent(self, id_: str) -> bool:
        """Whether the steps can all be read and are without a gap."""
        try:
            return all(step.index == number for number, step in enumerate(self.steps(id_)))
        except StoreError:
            return False

    def folder(self, id_: str) -> Path:
        """Where the episode's files are."""
        return self.root / "episodes" / id_


class EpisodeWriter:
    """Appends the steps of one attempt and, at the end, its result. Made by `Run.claim`."""

    def __init__(self, run: Run, id_: str, lock: ExitStack):
        """Takes over `lock`, to be closed at the end."""
        self.folder = run.folder(id_)
        self._run, self._id, self._lock = run, id_, lock
        self._written = {line["id"] for _, line in _lines(self.folder / "messages.jsonl", None)}
        self._steps = (self.folder / "steps.jsonl").open("ab")
        self._messages = (self.folder / "messages.jsonl").open("ab")

    def recorded(self) -> Iterator[Step]:
        """The steps that are there already, to be read before the first `append`."""
        return self._run.steps(self._id)

    def append(self, step: Step) -> None:
        """Writes one step and hands it to the operating system."""
        ids = [[self._message(m) for m in call.messages] for call in step.decision.calls]
        line: dict[str, Any] = msgspec.to_builtins(
            replace(step, decision=replace(step.decision, calls=tuple(replace(c, messages=()) for c in step.decision.calls)))
        )
        for call, messages in zip(line["decision"]["calls"], ids, strict=True):
            call["messages"] = messages
        with disk(f"write {self.folder / 'steps.jsonl'}"):
            self._messages.flush()
            self._steps.write(encode(line) + b"\n")
            self._steps.flush()

    def finish(self, episode: Episode) -> None:
        """Writes the result; from then on the episode has ended."""
        self._close_files()
        with disk(f"write {self.folder / 'episode.json'}"):
            write_whole(self.folder / "episode.json", seal(episode))
        self._lock.close()

    def close(self) -> None:
        """Lets go of the episode; what was appended stays. Calling it again does nothing."""
        with self._lock:
            self._close_files()

    def _close_files(self) -> None:
        with disk(f"write {self.folder}"):
            self._steps.close()
            self._messages.close()

    def _message(self, message: Message) -> str:
        data = encode(message)
        id_ = hashlib.sha256(data).hexdigest()[:16]
        if id_ not in self._written:
            self._written.add(id_)
            self._messages.write(b'{"id":"%s","message":%s}\n' % (id_.encode(), data))
        return id_


def _left_by_a_start(path: Path) -> bool:
    """Whether a start that did not come to the end (a kill, a full disk) leaves such a thing in a new run folder."""
    if path.is_symlink():
        return False
    if path.name == "episodes":
        return path.is_dir() and not any(path.iterdir())
    return path.name.startswith("run.json.") and path.name.endswith(TEMPORARY) and path.is_file()


def _lock(folder: Path, held: ExitStack) -> bool:
    """Locks an episode's folder, making it, until `held` is closed; the lock of a killed process is gone with it. False when another has it."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    held.callback(os.close, descriptor)
    return lock(descriptor)


def _lines(path: Path, damaged: list[str] | None) -> Iterator[tuple[str, Any]]:
    """The JSON objects of a file, each with its place in words; a last line without a newline is torn and left out."""
    if not path.is_file():
        return
    with path.open("rb") as f:
        for number, line in enumerate(f, 1):
            if not line.endswith(b"\n"):
                return
            where = f"{path}, line {number},"
            try:
                value = decode(line, dict[str, Any], where)
            except StoreError as error:
                if damaged is None:
                    raise
                damaged.append(str(error))
                continue
            yield where, value


def _step(line: Json, messages: Json, where: str) -> Step:
    """The step in a line of `steps.jsonl`, its messages put back."""
    try:
        for call in line["decision"]["calls"]:
            call["messages"] = [messages[m] for m in call["messages"]]
        return msgspec.convert(line, Step)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise StoreError(
            f"{where} is damaged: {type(error).__name__}: {error}. Restore it from a copy, or delete the episode's folder to run it again."
        ) from error


def _difference(old: Json, new: Json, path: str = "") -> str:
    """The first key in which two configurations differ, for the error message."""
    for key in [*old, *(k for k in new if k not in old)]:
        a, b = old.get(key), new.get(key)
        if a != b:
            if isinstance(a, dict) and isinstance(b, dict):
                return _difference(a, b, f"{path}{key}.")
            return f"{path}{key} is {a!r} there and {b!r} here"
    return ""

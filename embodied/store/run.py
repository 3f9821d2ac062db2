"""A run folder, and the only code that writes into it.

    run.json                        what was planned and with what: RunRecord
    episodes/<id>/steps.jsonl       one Step a line, appended as it happens
    episodes/<id>/messages.jsonl    every distinct message of the episode's prompts, once; steps refer to them by id
    episodes/<id>/episode.json      Episode, with a checksum; its presence means the episode ended
    episodes/<id>/attempt-<n>/      what earlier attempts left that could not be gone on with
    blobs/                          images by content

A step is flushed to the operating system before the next begins, so a kill costs at most the step in progress. A torn
last line is dropped. While a process plays an episode it holds a lock on the episode's folder, so that no two write
into it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from embodied.errors import StoreError
from embodied.store.blobs import FileBlobs
from embodied.store.checks import (
    LONGEST_MESSAGES,
    LONGEST_RESULT,
    LONGEST_RUN,
    check_json,
    check_record,
    check_result,
    check_tree,
    open_plain,
    plain_size,
    read_lines,
    read_plain,
)
from embodied.store.codec import decode, encode
from embodied.store.disk import TEMPORARY, disk, lock, locked, write_whole
from embodied.store.mending import drop_torn_line, salvage, set_aside
from embodied.store.sealed import seal, unseal
from embodied.types import Episode, EpisodeSpec, Json, Message, Step

FORMAT = 1
"""Of run folders that this version writes; it reads every earlier one. Runs of before formats were numbered name none.
"""
SCORED = ("finished", "limit")
UNFINISHED = "unfinished"
"""A file in a run folder that is not whole: an import is writing it, or was killed."""


@dataclass(frozen=True)
class RunRecord:
    """`run.json`."""

    identity: str
    """Hash of everything that decides what happens in an episode of this run; the number of episodes is not part of it.
    """
    config: Json
    """The whole configuration, as composed. Holds names of environment variables, never their values."""
    planned: tuple[EpisodeSpec, ...]
    """Grows when the same command asks for more episodes; never shrinks."""
    versions: dict[str, str] = field(default_factory=dict)
    """Distribution -> version, of everything that can move a score."""
    created: str = ""
    """UTC, ISO 8601."""
    suite: str = ""
    format: int = FORMAT
    """Of the folder. A reader refuses a later format than its own."""

    def difference(self, other: RunRecord) -> str:
        """The first key in which the configuration or the versions of `other` differ, in words."""
        mine, others = ({**record.config, "version": record.versions} for record in (self, other))
        return _difference(mine, others) or "the suite differs"


class Run:
    """A run folder, opened for reading; writing begins with `create` or `extend`."""

    def __init__(self, root: str | os.PathLike[str], *, unfinished: bool = False):
        """Opens an existing run.

        Args:
            root: The folder.
            unfinished: Open it although it is being made by `made_whole`, or was and did not come to its end.

        Raises:
            StoreError: `root` is not a run folder, is not whole, or holds what a run of ours never does.
        """
        self.root = Path(root)
        path = self.root / "run.json"
        if not unfinished and os.path.lexists(self.root / UNFINISHED):
            raise StoreError(
                f"{self.root} holds an import that did not come to its end. Run the same import again: it goes on."
            )
        data = read_plain(path, LONGEST_RUN)
        if data is None:
            raise StoreError(
                f"{self.root} is not a run folder: it has no run.json. `embodied eval ... --out {self.root}` makes one."
            )
        _check_format(data, self.root)
        self.record = decode(data, RunRecord, str(path))
        check_record(self.record, str(path))
        check_tree(self.root)
        self._specs = {spec.id: spec for spec in self.record.planned}
        self.blobs = FileBlobs(self.root / "blobs")

    @classmethod
    def create(cls, root: str | os.PathLike[str], record: RunRecord, *, unfinished: bool = False) -> Run:
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
                return cls._created(root, record, unfinished)

    @classmethod
    def _created(cls, root: Path, record: RunRecord, unfinished: bool) -> Run:
        if (root / "run.json").exists():
            run = cls(root, unfinished=unfinished)
            if run.record.identity != record.identity:
                raise run.another_plan(run.record.difference(record))
            have = {spec.id for spec in run.record.planned}
            new = tuple(spec for spec in record.planned if spec.id not in have)
            if not new:
                return run
            record = replace(run.record, planned=run.record.planned + new)
        elif strange := [path.name for path in root.iterdir() if not _left_by_a_start(path)]:
            raise StoreError(
                f"{root} is not empty ({strange[0]}) and is not a run folder. Name another folder with --out."
            )
        for left in root.glob(f"run.json.*{TEMPORARY}"):
            left.unlink()
        write_whole(root / "run.json", msgspec.json.format(encode(record), indent=2) + b"\n")
        (root / "episodes").mkdir(exist_ok=True)
        return cls(root, unfinished=unfinished)

    @classmethod
    @contextmanager
    def made_whole(cls, root: str | os.PathLike[str], record: RunRecord) -> Iterator[Run]:
        """As `create`, for a run that is written at once (an import): nobody can open it before the block has ended
        without an error.

        Raises:
            StoreError: As `create`. What a kill or an error left is gone on with by another call.
        """
        root = Path(root)
        marker = root / UNFINISHED
        with disk(f"write the run folder {root}"):
            if not root.exists() or (root.is_dir() and (not any(root.iterdir()) or (root / "run.json").exists())):
                root.mkdir(parents=True, exist_ok=True)
                write_whole(marker, b"This run is being written. It is whole when this file is gone.\n")
        try:
            run = cls.create(root, record, unfinished=True)
        except StoreError:
            if (root / "run.json").exists():  # a run of another plan, which was whole before and is
                marker.unlink(missing_ok=True)
            raise
        yield run
        with disk(f"write the run folder {root}"):
            marker.unlink(missing_ok=True)

    def another_plan(self, what: str) -> StoreError:
        """The error for a plan that this run cannot go on with, because of `what`."""
        resume = "" if "imported" in self.record.config else f", or go on with that run: `embodied resume {self.root}`"
        return StoreError(f"{self.root} holds a run of another plan ({what}). Name another folder with --out{resume}.")

    # ----------------------------------------------------------------- reading

    def episode(self, id_: str) -> Episode | None:
        """The episode's result, or None while it has none."""
        return read_result(self.folder(id_), self._specs.get(id_))

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
        if plain_size(folder / "messages.jsonl") > LONGEST_MESSAGES:
            raise StoreError(
                f"{folder / 'messages.jsonl'} is larger than {LONGEST_MESSAGES:,} bytes, which no episode of ours is."
                " Restore it from a copy."
            )
        messages = {
            line.get("id"): line.get("message")
            for _, line in _lines(folder / "messages.jsonl", damaged)
            if isinstance(line.get("id"), str)
        }
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

    def claim(self, spec: EpisodeSpec, again: bool = False, *, scored_too: bool = False) -> EpisodeWriter | None:
        """Takes an episode in hand, to go on behind its last whole step.

        Where the record is damaged, it goes on behind the last step before the damage; with `again` it begins anew.
        What is no longer part of the record is kept in `attempt-<n>/`.

        Args:
            spec: The episode.
            again: Begin anew.
            scored_too: With `again`: although the episode has a score.

        Returns:
            None when the episode is scored, or another process is playing it.

        Raises:
            StoreError: The folder cannot be written.
        """
        folder = self.folder(spec.id)
        with disk(f"write {folder}"), ExitStack() as held:
            if not _lock(folder, held) or (self.scored(spec.id) and not scored_too):
                return None
            if again:
                set_aside(folder)
            elif not self._consistent(spec.id):
                salvage(folder)
            # the latter when a kill fell into its writing
            for path in (folder / "episode.json", *folder.glob(f"episode.json.*{TEMPORARY}")):
                path.unlink(missing_ok=True)
            for name in ("steps.jsonl", "messages.jsonl"):
                _own(folder / name)
                drop_torn_line(folder / name)
            return EpisodeWriter(self, spec.id, held.pop_all())

    def result(self, id_: str) -> Episode | None:
        """The episode's result where there is one that can be read. Of a damaged one, playing on makes another from the
        recorded steps.
        """
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


def read_result(folder: Path, spec: EpisodeSpec | None) -> Episode | None:
    """The result in an episode's folder; None where there is none.

    Args:
        folder: The episode's, or that of an earlier attempt at it.
        spec: What the plan says of the episode; None where it is not planned.

    Raises:
        StoreError: It is damaged, or of another episode.
    """
    path = folder / "episode.json"
    data = read_plain(path, LONGEST_RESULT)
    if data is None:
        return None
    episode = unseal(data, Episode, str(path))
    check_result(episode, spec, str(path))
    return episode


class EpisodeWriter:
    """Appends the steps of one attempt and, at the end, its result. Made by `Run.claim`."""

    def __init__(self, run: Run, id_: str, lock: ExitStack):
        """Takes over `lock`, to be closed at the end."""
        self.folder = run.folder(id_)
        self._run, self._id, self._lock = run, id_, lock
        self._written = {line.get("id") for _, line in _lines(self.folder / "messages.jsonl", None)}
        self._steps = (self.folder / "steps.jsonl").open("ab")
        self._messages = (self.folder / "messages.jsonl").open("ab")

    def recorded(self) -> Iterator[Step]:
        """The steps that are there already, to be read before the first `append`."""
        return self._run.steps(self._id)

    def append(self, step: Step) -> None:
        """Writes one step and hands it to the operating system."""
        ids = [[self._message(m) for m in call.messages] for call in step.decision.calls]
        line: dict[str, Any] = msgspec.to_builtins(
            replace(
                step, decision=replace(step.decision, calls=tuple(replace(c, messages=()) for c in step.decision.calls))
            )
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
    if path.name == UNFINISHED:
        return path.is_file()
    return path.name.startswith("run.json.") and path.name.endswith(TEMPORARY) and path.is_file()


def _lock(folder: Path, held: ExitStack) -> bool:
    """Locks an episode's folder, making it, until `held` is closed; the lock of a killed process is gone with it. False
    when another has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    held.callback(os.close, descriptor)
    return lock(descriptor)


def _own(path: Path) -> None:
    """Makes a file that goes by another name too (a hard link, in a copy that saves space) one of its own: only this
    run is appended to.
    """
    if plain_size(path) and path.stat().st_nlink > 1:
        copy = path.with_name(f"{path.name}.{os.getpid()}{TEMPORARY}")
        copy.unlink(missing_ok=True)
        shutil.copyfile(path, copy, follow_symlinks=False)
        copy.replace(path)


def _lines(path: Path, damaged: list[str] | None) -> Iterator[tuple[str, Any]]:
    """The JSON objects of a file, each with its place in words; a last line without a newline is torn and left out."""
    file = open_plain(path)
    if file is None:
        return
    with file:
        lines, number = read_lines(file, str(path)), 0
        while True:
            number += 1
            where = f"{path}, line {number},"
            try:
                line = next(lines, b"")
                if not line.endswith(b"\n"):
                    return
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
        step = msgspec.convert(line, Step)
        check_json(step.info, where)
        return step
    except (KeyError, TypeError, msgspec.ValidationError, RecursionError) as error:
        raise StoreError(
            f"{where} is damaged: {type(error).__name__}: {error}. Restore it from a copy, or delete the episode's"
            " folder to run it again."
        ) from error


def _check_format(data: bytes, root: Path) -> None:
    """Refuses a folder of a later format before anything else of it is read: nothing in it need mean what it says."""
    try:
        found = msgspec.json.decode(data, type=_Format).format
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return  # damaged: whoever reads the whole record says where
    if found > FORMAT:
        raise StoreError(
            f"{root} has format {found}, and this version of embodied reads formats up to {FORMAT}: upgrade it with"
            " `pip install --upgrade embodied-suite`."
        )


class _Format(msgspec.Struct):
    format: int = 0


def _difference(old: Json, new: Json, path: str = "") -> str:
    """The first key in which two configurations differ, for the error message."""
    for key in [*old, *(k for k in new if k not in old)]:
        a, b = old.get(key), new.get(key)
        if a != b:
            if isinstance(a, dict) and isinstance(b, dict):
                return _difference(a, b, f"{path}{key}.")
            return f"{path}{key} is {a!r} there and {b!r} here"
    return ""

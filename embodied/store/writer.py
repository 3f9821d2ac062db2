"""Writes one attempt at an episode: its steps as they happen, and at the end its result."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from embodied.store import said
from embodied.store.checks import plain_size
from embodied.store.codec import encode
from embodied.store.disk import TEMPORARY, disk, lock, write_whole
from embodied.store.events import bare, call_objects, calls_of, without_messages
from embodied.store.mending import drop_torn_line
from embodied.store.sealed import seal
from embodied.store.steps import read_objects, read_steps
from embodied.types import Episode, Event, Message, Step


class EpisodeWriter:
    """Appends the steps of one attempt and, at the end, its result. Made by `Run.claim`."""

    def __init__(self, folder: Path, lock: ExitStack, left: tuple[Event, ...] = ()):
        """Takes over `lock`, and closes it at the end."""
        self.folder, self._lock = folder, lock
        self.left = left
        """What was said in earlier attempts and stands in no step. The result must hold it."""
        self._written = {line.get("id") for _, line in read_objects(self.folder / "messages.jsonl", None)}
        self._steps = (self.folder / "steps.jsonl").open("ab")
        self._messages = (self.folder / "messages.jsonl").open("ab")

    def recorded(self) -> Iterator[Step]:
        """The steps that are there already; read them before the first `append`."""
        return read_steps(self.folder)

    def append(self, step: Step) -> None:
        """Writes one step and hands it to the operating system."""
        ids = [[self._message(m) for m in call.messages] for call in calls_of(step)]
        line: dict[str, Any] = msgspec.to_builtins(bare(step))
        for call, messages in zip(call_objects(line), ids, strict=True):
            call["messages"] = messages
        if not step.events:  # a run that nobody spoke in stays as it always was, byte for byte
            del line["events"]
        with disk(f"write {self.folder / 'steps.jsonl'}"):
            self._messages.flush()
            self._steps.write(encode(line) + b"\n")
            self._steps.flush()

    def note(self, event: Event) -> None:
        """Keeps what a person said until a step or the result holds it, also if this process is killed."""
        with disk(f"write {self.folder / said.SAID}"):
            said.add(self.folder, event)

    def finish(self, episode: Episode) -> None:
        """Writes the result; from then on the episode has ended."""
        self._close_files()
        with disk(f"write {self.folder / 'episode.json'}"):
            write_whole(self.folder / "episode.json", seal(_said(episode)))
            said.keep(self.folder, ())
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


def _said(episode: Episode) -> Episode | dict[str, Any]:
    """What is written of a result. Prompts of events are left out: nothing is resumed from them."""
    line: dict[str, Any] = msgspec.to_builtins(replace(episode, events=tuple(map(without_messages, episode.events))))
    if not episode.events:
        del line["events"]
    return line


def lock_episode(folder: Path, held: ExitStack) -> bool:
    """Locks an episode's folder, making it, until `held` is closed; the lock of a killed process is gone with it. False
    when another has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    held.callback(os.close, descriptor)
    return lock(descriptor)


def ready_to_append(folder: Path) -> None:
    """Prepares an episode's folder for more steps: no result, no torn line, and files that belong to this run only.

    Raises:
        OSError: The folder cannot be written.
    """
    # the latter when a kill fell into its writing
    for path in (folder / "episode.json", *folder.glob(f"episode.json.*{TEMPORARY}")):
        path.unlink(missing_ok=True)
    for name in ("steps.jsonl", "messages.jsonl", said.SAID):
        _own(folder / name)
        drop_torn_line(folder / name)


def _own(path: Path) -> None:
    """Replaces a file that has another name, too (a hard link, in a copy that saves space), by a copy: only this run is
    appended to.
    """
    if plain_size(path) and path.stat().st_nlink > 1:
        copy = path.with_name(f"{path.name}.{os.getpid()}{TEMPORARY}")
        copy.unlink(missing_ok=True)
        shutil.copyfile(path, copy, follow_symlinks=False)
        copy.replace(path)

"""Branches: episodes that repeat the first steps of another one, their parent, and then go on by themselves.

A branch has a folder like any episode. It begins with a copy of its parent's first steps, so it needs its parent no
more, and continuing it is what continuing a killed episode is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from embodied.errors import StoreError
from embodied.store.checks import LONGEST_ID, open_plain, whole_lines
from embodied.store.codec import decode, encode
from embodied.store.disk import write_whole
from embodied.store.events import call_objects
from embodied.types import Json

STEPS, MESSAGES = "steps.jsonl", "messages.jsonl"


def branch_id(parent: str, step: int, taken: Collection[str]) -> str:
    """The id of a further branch of `parent` from `step`: `<parent>-b<step>.<number>`.

    Args:
        parent: Its id. One that would make the id too long for a file name is replaced by its hash.
        step: The first step that is the branch's own.
        taken: Ids that there are already.
    """
    number = 1
    while True:
        end = f"-b{step}.{number}"
        name = parent + end
        if len(name.encode()) > LONGEST_ID:
            name = f"branch-{hashlib.sha256(parent.encode()).hexdigest()[:16]}{end}"
        if name not in taken:
            return name
        number += 1


def check_step(parent: Path, step: int) -> None:
    """Raises `StoreError` where an episode cannot branch from `step`: it must have as many steps, and go on after
    them.
    """
    for _ in _beginning(parent, step):
        pass


def copy_beginning(parent: Path, folder: Path, steps: int) -> None:
    """Gives an episode's folder the first `steps` steps of another one, in place of what it has. Each file is there
    whole or not at all; the steps come last.

    Raises:
        StoreError: The other one has fewer steps, or ended with the last of them, or is damaged before.
        OSError: The folder cannot be written.
    """
    lines, needed = [], set[str]()
    for line, step in _beginning(parent, steps):
        needed |= {id_ for call in call_objects(step) for id_ in call.get("messages", ())}
        lines.append(line)
    messages = [line for line in _lines(parent / MESSAGES) if _object(line, "").get("id") in needed]
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / MESSAGES, b"".join(messages))
    write_whole(folder / STEPS, b"".join(lines))


def restore_beginning(folder: Path, parent: Path, steps: int) -> None:
    """Gives a branch its first steps again, where it has lost them: from an earlier attempt at it, or from its parent.
    Where nobody has them, nothing changes.

    Raises:
        OSError: The folder cannot be written.
    """
    if sum(1 for _ in _lines(folder / STEPS)) >= steps:
        return
    attempts = [p for p in folder.glob("attempt-*") if p.is_dir() and not p.is_symlink()]
    for source in (*sorted(attempts, key=_number, reverse=True), parent):
        with suppress(StoreError):
            return copy_beginning(source, folder, steps)


def _number(attempt: Path) -> int:
    number = attempt.name.partition("-")[2]
    return int(number) if number.isdecimal() else 0


def _beginning(folder: Path, steps: int) -> Iterator[tuple[bytes, Json]]:
    """The first `steps` lines of an episode, without what they say of branches of its own."""
    found, ended = 0, False
    if steps > 0:
        for line in _lines(folder / STEPS):
            where = f"{folder / STEPS}, line {found + 1},"
            step = _object(line, where)
            if step.get("index") != found:
                raise StoreError(f"{where} is damaged: it is not step {found}. No branch can repeat it.")
            ended = bool(step.get("terminated") or step.get("truncated"))
            found += 1
            events = step.get("events")
            if isinstance(events, list) and any(_is_branch(event) for event in events):
                step["events"] = [event for event in events if not _is_branch(event)]
                if not step["events"]:
                    del step["events"]
                line = encode(step) + b"\n"
            yield line, step
            if found == steps:
                break
    if steps < 0 or found < steps:
        raise StoreError(f"There is no step {steps} to go back to: {folder.name} has {_counted(found, steps)}.")
    if ended:
        raise StoreError(
            f"{folder.name} ended with step {steps - 1}, so nothing can go on after it: branch from step {steps - 1},"
            " or from an earlier one."
        )


def _counted(found: int, asked: int) -> str:
    return "no negative steps" if asked < 0 else f"{found} recorded {'step' if found == 1 else 'steps'}"


def _is_branch(event: Any) -> bool:
    return isinstance(event, dict) and event.get("kind") == "branch"


def _lines(path: Path) -> Iterator[bytes]:
    file = open_plain(path)
    if file is not None:
        with file:
            yield from whole_lines(file, str(path))


def _object(line: bytes, where: str) -> Json:
    found: Json = decode(line, dict[str, Any], where)
    return found

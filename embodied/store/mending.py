"""Repairs an episode's record after a kill, a full disk or a power cut, so that the episode can continue."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from embodied.errors import StoreError
from embodied.store.checks import open_plain, read_lines
from embodied.store.codec import decode
from embodied.store.disk import write_whole
from embodied.store.events import call_objects
from embodied.types import Json, Step

STEPS, MESSAGES, RESULT = "steps.jsonl", "messages.jsonl", "episode.json"


def set_aside(folder: Path) -> None:
    """Moves what an attempt left into a folder of its own."""
    left = [p for p in folder.iterdir() if p.is_symlink() or not p.is_dir() or p.suffix in (".json", ".jsonl")]
    if left:
        kept = _attempt(folder)
        for path in left:
            path.rename(kept / path.name)


def salvage(folder: Path) -> None:
    """Shortens a damaged record to the steps before the damage, which are paid for. The others go to `attempt-<n>/`.

    Damage is a line that cannot be read, a gap, and a prompt of which a message is lost: `messages.jsonl` may have lost
    its end where `steps.jsonl` has not.
    """
    steps, messages = _lines(folder / STEPS), _lines(folder / MESSAGES)
    whole = {id_: line for line in messages if (id_ := _object(line).get("id"))}
    needed: set[str] = set()
    good = 0
    while (
        good < len(steps) and (prompts := _prompts(_object(steps[good]), good)) is not None and prompts <= whole.keys()
    ):
        needed |= prompts
        good += 1
    kept = _attempt(folder)
    if good < len(steps):
        write_whole(kept / STEPS, b"".join(steps[good:]))
    if len(whole) < len(messages):
        write_whole(kept / MESSAGES, b"".join(messages))
    write_whole(folder / MESSAGES, b"".join(line for id_, line in whole.items() if id_ in needed))
    write_whole(folder / STEPS, b"".join(steps[:good]))
    (folder / RESULT).unlink(missing_ok=True)


def drop_torn_line(path: Path) -> None:
    """Cuts off a last line without a newline."""
    if path.is_symlink() or not path.is_file():
        return
    with path.open("rb+") as f:
        end = f.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65_536)
            f.seek(start)
            if (newline := f.read(end - start).rfind(b"\n")) >= 0:
                end = start + newline + 1
                break
            end = start
        f.truncate(end)


def _attempt(folder: Path) -> Path:
    """A new folder for what is not part of the record any more."""
    kept = folder / f"attempt-{1 + sum(p.is_dir() for p in folder.iterdir())}"
    kept.mkdir()
    return kept


def _lines(path: Path) -> list[bytes]:
    """The lines of a plain file; none where there is none."""
    try:
        file = open_plain(path)
    except StoreError:  # a link or a pipe, which is replaced
        return []
    if file is None:
        return []
    with file:
        return list(read_lines(file, str(path)))


def _object(line: bytes) -> Json:
    """The JSON object in a line; an empty one if there is none that can be read."""
    try:
        return decode(line, dict[str, Any], "") if line.endswith(b"\n") else {}
    except StoreError:
        return {}


def _prompts(step: Json, index: int) -> set[str] | None:
    """The messages that this step's prompts are of; None where it is not the step of that number, or cannot be read."""
    try:
        calls = list(call_objects(step))
        ids = {m for call in calls for m in call["messages"]}
        for call in calls:
            call["messages"] = []
        return ids if msgspec.convert(step, Step).index == index else None
    except (KeyError, TypeError, AttributeError, msgspec.ValidationError):
        return None

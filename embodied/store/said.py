"""What was said to an episode and stands in none of its steps yet: a file beside them, `events.jsonl`.

A person's words are written here at once, because nobody can say them again after a kill. What an attempt that was
broken off left in its result is kept here while the episode continues. A result takes all of it in, and the file goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from embodied.errors import StoreError
from embodied.store.checks import LONGEST_RESULT, read_plain
from embodied.store.codec import encode
from embodied.store.disk import write_whole
from embodied.types import Correction, Event, Step

SAID = "events.jsonl"

_event = msgspec.json.Decoder(Event)


def left(folder: Path, steps: Iterable[Step], result: tuple[Event, ...] | None) -> tuple[Event, ...]:
    """What earlier attempts left that no step holds, each with a final status.

    Args:
        folder: The episode's.
        steps: Those that are recorded.
        result: The events of its result; None where it has none.
    """
    said = read(folder) if result is None else result
    if not said:
        return ()
    recorded = [event for step in steps for event in step.events]
    ids = {event.id for event in recorded if isinstance(event, Correction)}
    return tuple(
        _discarded(event)
        for event in said
        if (event.id not in ids if isinstance(event, Correction) else event not in recorded)
    )


def read(folder: Path) -> tuple[Event, ...]:
    """The events in the file. Lines that cannot be read are left out."""
    try:
        data = read_plain(folder / SAID, LONGEST_RESULT) or b""
    except StoreError:
        return ()
    found = []
    for line in data.splitlines(keepends=True):
        try:
            found.append(_event.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return tuple(found)


def unheard(folder: Path, steps: Iterable[Step]) -> list[Correction]:
    """A person's words to earlier attempts that no executed decision had heard, each once, while the episode goes on.
    Words that the person took back, said otherwise or said again are not among them.

    Args:
        folder: The episode's.
        steps: Those that are recorded.
    """
    words = {
        event.text: event
        for event in read(folder)
        if isinstance(event, Correction) and event.status == "discarded" and event.why == "episode end"
    }
    waiting = [event for event in words.values() if event.applied is None]
    if not waiting:
        return []
    heard = [event for step in steps for event in step.events if isinstance(event, Correction)]
    return [w for w in waiting if not any(h.text == w.text and h.opened >= w.opened for h in heard)]


def keep(folder: Path, events: tuple[Event, ...]) -> None:
    """Writes the file anew; without events there is none."""
    if events:
        write_whole(folder / SAID, b"".join(encode(event) + b"\n" for event in events))
    else:
        (folder / SAID).unlink(missing_ok=True)


def add(folder: Path, event: Event) -> None:
    """Adds one event and hands it to the operating system."""
    with (folder / SAID).open("ab") as file:
        file.write(encode(event) + b"\n")


def _discarded(event: Event) -> Event:
    """Words of which nothing more is known: the process was killed before a decision that heard them was executed."""
    if not isinstance(event, Correction) or event.ended is not None:
        return event
    return msgspec.structs.replace(event, ended=event.opened, why="episode end", status="discarded")

"""Long episodes read in part: where every step of `steps.jsonl` lies, and the few facts that lists, curves and totals
need.

One pass decodes only those facts and skips the texts; the steps themselves are then read by their place in the file.
Damaged lines are skipped and counted, and never an error: the rest can still be shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from embodied.errors import StoreError
from embodied.store.checks import open_plain, whole_lines
from embodied.store.codec import encode
from embodied.types import Usage

INVALID, ERROR, CORRECTED, OTHER = 1, 2, 4, 8
"""Flags of a step, one for each kind of event it has."""

FLAGS = {
    "invalid": INVALID,
    "unread": INVALID,
    "retry": ERROR,
    "asked again": ERROR,
    "cut off": ERROR,
    "damaged": ERROR,
    "error": ERROR,
    "correction": CORRECTED,
    "correction ended": CORRECTED,
    "takeover": CORRECTED,
}


CORRECTION = "A person who watches you says: "
"""How a prompt of ours begins a note of a correction (`embodied.agents.model_agent`). Runs that are older than recorded
events are read by it.
"""


class LightReply(msgspec.Struct, gc=False):
    """The part of a `Reply` that is counted."""

    usage: Usage = Usage()
    stop: str = "stop"
    seconds: float | None = 0.0
    attempts: int = 1


class LightCall(msgspec.Struct):
    """A `Call`; `messages` are ids into `messages.jsonl`."""

    reply: LightReply
    messages: list[str] = []


class LightDecision(msgspec.Struct):
    """A `Decision` without its thought."""

    action: str
    parsed: bool = True
    calls: list[LightCall] = []


class _Object(msgspec.Struct):
    """Any JSON object, its fields skipped."""


class LightStep(msgspec.Struct):
    """A `Step` without its texts. NaN (written as null) is None."""

    index: int
    observation: _Object
    decision: LightDecision
    executed: str
    valid: bool
    reward: float | None
    progress: float | None
    terminated: bool = False
    truncated: bool = False
    agent_seconds: float | None = None
    env_seconds: float | None = None
    events: list[dict[str, Any]] = []

    def calls(self) -> list[LightCall]:
        """Every call of the step, those of its events too: all are paid for. Damaged ones are left out."""
        found: list[LightCall] = []
        for event in self.events:
            before = event.get("superseded")
            for calls in (event.get("calls"), before.get("calls") if isinstance(before, dict) else None):
                with suppress(msgspec.ValidationError):
                    found += msgspec.convert(calls or [], list[LightCall])
        return [*found, *self.decision.calls]


class _MessageId(msgspec.Struct):
    id: str


_step = msgspec.json.Decoder(LightStep)
_message_id = msgspec.json.Decoder(_MessageId)


def light_step(line: bytes) -> LightStep | None:
    """The light step in a line; None for a damaged one."""
    try:
        return _step.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def light_steps(path: Path) -> Iterator[LightStep | None]:
    """The light steps of a `steps.jsonl`, None for each damaged line; nothing when there is no file. A torn last line
    is left out.
    """
    try:
        file = open_plain(path)
        if file is None:
            return
        with file:
            yield from map(light_step, whole_lines(file, str(path)))
    except StoreError:  # not a plain file, or a line without an end: nothing behind it can be read
        yield None


@dataclass(frozen=True)
class Event:
    """Something out of the ordinary in a step. `kind` is a key of `FLAGS`, or a recorded event's own word."""

    kind: str
    text: str


@dataclass(frozen=True)
class StepRow:
    """A step as a list shows it."""

    index: int
    """The step's own number; damaged lines leave holes."""
    offset: int
    length: int
    """Bytes of the line in `steps.jsonl`, without its newline."""
    action: str
    """What was executed."""
    reward: float | None
    progress: float | None
    events: tuple[Event, ...] = ()

    @property
    def flags(self) -> int:
        flags = 0
        for event in self.events:
            flags |= FLAGS.get(event.kind, OTHER)
        return flags


class EpisodeIndex:
    """The index of one episode's folder. `refresh` brings it up to date with a file that has grown or was replaced.

    Attributes:
        rows: The readable steps in order.
        damaged: Numbers, from 1, of the damaged lines of `steps.jsonl`.
    """

    rows: list[StepRow]
    damaged: list[int]
    _inode: int
    _end: int
    _places: dict[str, tuple[int, int]]
    _corrections: dict[str, str]

    def __init__(self, folder: Path):
        self._steps = folder / "steps.jsonl"
        self._messages = folder / "messages.jsonl"
        self._forget()
        self.refresh()

    def refresh(self) -> None:
        """Reads what was appended since the last time, or everything when the file is another one."""
        try:
            file = open_plain(self._steps)
        except StoreError:
            self._forget()
            self.damaged = [1]
            return
        if file is None:
            self._forget()
            return
        with file:
            status = os.fstat(file.fileno())
        if status.st_ino != self._inode or status.st_size < self._end:
            self._forget()
            self._inode = status.st_ino
        if status.st_size > self._end:
            self._index_messages()
            self._index_steps()

    def lines(self, start: int, stop: int) -> list[bytes]:
        """The lines of rows `start` to `stop`: JSON as it was recorded, prompts as message ids."""
        rows = self.rows[max(start, 0) : stop]
        file = open_plain(self._steps) if rows else None
        if file is None:
            return []
        with file:
            return [_read(file, row.offset, row.length) for row in rows]

    def messages(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Id -> line of `messages.jsonl`, of those that are there."""
        known = {i: place for i in ids if (place := self._places.get(i))}
        file = open_plain(self._messages) if known else None
        if file is None:
            return {}
        with file:
            return {i: _read(file, *place) for i, place in known.items()}

    def _forget(self) -> None:
        self.rows = []
        self.damaged = []
        self._inode = -1
        self._end = self._lines = 0
        self._gap = 0
        self._places = {}
        self._messages_end = 0
        self._corrections = {}
        self._recorded = False

    def _index_messages(self) -> None:
        try:
            file = open_plain(self._messages)
        except StoreError:  # a prompt whose messages cannot be read is shown as such
            return
        if file is None:
            return
        with file:
            file.seek(self._messages_end)
            for line in _whole_lines(file):
                try:
                    id_ = _message_id.decode(line).id
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    id_ = ""
                if id_:
                    self._places[id_] = (self._messages_end, len(line) - 1)
                    if _CORRECTION in line and (said := _correction(line)):
                        self._corrections[id_] = said
                self._messages_end += len(line)

    def _index_steps(self) -> None:
        names: dict[str, str] = {}
        file = open_plain(self._steps)
        if file is None:
            return
        with file:
            file.seek(self._end)
            for line in _whole_lines(file):
                self._lines += 1
                step = light_step(line)
                if step is None:
                    self.damaged.append(self._lines)
                    self._gap += 1
                else:
                    action = names.setdefault(step.executed, step.executed)
                    self.rows.append(
                        StepRow(
                            step.index,
                            self._end,
                            len(line) - 1,
                            action,
                            step.reward,
                            step.progress,
                            tuple(self._events(step)),
                        )
                    )
                    self._gap = 0
                self._end += len(line)

    def _events(self, step: LightStep) -> Iterator[Event]:
        if self._gap:
            yield Event(
                "damaged", f"{self._gap} damaged line{'s' * (self._gap > 1)} before this step could not be read."
            )
        decision = step.decision
        # The present observation is the last message, or the one before it if the question is a separate message.
        shown = decision.calls[0].messages[-2:] if decision.calls else []
        self._recorded = self._recorded or any(event.get("kind") == "correction" for event in step.events)
        if not self._recorded and (said := next((self._corrections[i] for i in shown if i in self._corrections), "")):
            yield Event("correction", said)
        if len(decision.calls) > 1:
            yield Event("asked again", f"The agent asked {len(decision.calls)} times.")
        for number, call in enumerate(decision.calls, 1):
            if call.reply.attempts > 1:
                yield Event("retry", f"Call {number} took {call.reply.attempts} attempts.")
            if call.reply.stop in ("length", "content_filter", "max_tokens"):
                yield Event("cut off", f"The reply to call {number} ended early: {call.reply.stop}.")
        if not decision.parsed:
            yield Event("unread", f"No action could be read out of the reply; {step.executed!r} was executed.")
        elif not step.valid:
            yield Event("invalid", f"{decision.action[:200]!r} is not a valid action; {step.executed!r} was executed.")
        yield from (_event(event, step.index) for event in step.events)


_CORRECTION = encode(CORRECTION)[1:-1]
_OBSERVATION = re.compile(r"^(?:Current )?Observation:", re.MULTILINE)


def _correction(line: bytes) -> str:
    """What a person said in the notes that open a message; empty when there are none. An observation further down may
    say anything.
    """
    try:
        text = msgspec.json.decode(line)["message"]["parts"][0]["text"]
        notes = _OBSERVATION.split(text, maxsplit=1)[0].splitlines()
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError, AttributeError, RecursionError):
        return ""
    return "\n".join(note.removeprefix(CORRECTION) for note in notes if note.startswith(CORRECTION))


def _event(event: dict[str, Any], index: int) -> Event:
    kind = str(event.get("kind", "event"))
    if kind == "label":
        about = (
            ""
            if event.get("step") == index
            else f", of step {event['step']}"
            if "step" in event
            else ", of the episode"
        )
        return Event(kind, f"{event.get('by', '')}{about}: {event.get('text', '')}")
    if kind == "review":
        return Event(kind, _reviewed(event))
    if kind == "branch":
        return Event(kind, f"{event.get('by', '')}: back to step {event.get('step', 0)}, in {event.get('episode', '')}")
    if kind != "correction":
        return Event(kind, str(event.get("text") or _told(event)))
    why = f" Ended: {event['why']}." if event.get("why") else ""
    if event.get("applied") not in (None, index):
        return Event("correction ended", f"{event.get('text', '')}{why}")
    before = event.get("superseded")
    instead = f" (the agent had decided: {before.get('action')})" if isinstance(before, dict) else ""
    return Event(kind, f"{event.get('by', '')}: {event.get('text', '')}{instead}{why}")


def _reviewed(event: dict[str, Any]) -> str:
    """What a corrector that stayed silent was told by its model, and why it was silent."""
    try:
        said = [str(call["reply"]["text"])[:200] for call in event.get("calls", ())]
        why = [str(note["text"]) for note in event.get("notes", ())]
    except (LookupError, TypeError):
        return _told(event)
    return f"{event.get('by', '')}: {' '.join([*said, *why])}"


def _told(event: dict[str, Any]) -> str:
    """An event that has no text of its own, as JSON."""
    try:
        return encode({k: v for k, v in event.items() if k != "kind"}).decode()
    except (OverflowError, RecursionError):
        return "(it cannot be shown)"


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines from the file's place on, up to a torn one or one without an end."""
    with suppress(StoreError):
        yield from whole_lines(file, "the file")


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)

"""What a run has used so far, from its records: every call is paid for, also if its episode was not scored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from embodied.store import said
from embodied.store.events import calls_in
from embodied.store.run import Run
from embodied.types import Usage


class _Ended(msgspec.Struct):
    """The part of `episode.json` that is counted."""

    usage: Usage = Usage()


class _Reply(msgspec.Struct):
    usage: Usage = Usage()


class _Call(msgspec.Struct):
    reply: _Reply = msgspec.field(default_factory=_Reply)


class _Decision(msgspec.Struct):
    calls: list[_Call] = []


class _Event(msgspec.Struct):
    superseded: _Decision | None = None
    calls: list[_Call] = []


class _Step(msgspec.Struct):
    """The part of a line of `steps.jsonl` that is counted."""

    decision: _Decision = msgspec.field(default_factory=_Decision)
    events: list[_Event] = []

    def calls(self) -> Iterator[_Call]:
        """The calls of the decision and of the events: all are paid for."""
        yield from self.decision.calls
        for event in self.events:
            yield from (*(event.superseded.calls if event.superseded else ()), *event.calls)


_ended = msgspec.json.Decoder(_Ended)
_step = msgspec.json.Decoder(_Step)


def used(run: Run) -> Usage:
    """The usage of every call recorded in a run, of attempts that were given up too. Damaged records are skipped."""
    total = Usage()
    for spec in run.record.planned:
        for usage in _of_episode(run.folder(spec.id)):
            total = Usage(
                total.input + usage.input,
                total.output + usage.output,
                total.reasoning + usage.reasoning,
                total.cached + usage.cached,
                total.repeated + usage.repeated,
                total.estimated + usage.estimated,
            )
    return total


def _of_episode(folder: Path) -> Iterator[Usage]:
    for attempt in (folder, *folder.glob("attempt-*")):
        try:
            yield _ended.decode((attempt / "episode.json").read_bytes()).usage
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            yield from _of_steps(attempt / "steps.jsonl")
            yield from (call.reply.usage for event in said.read(attempt) for call in calls_in(event))


def _of_steps(path: Path) -> Iterator[Usage]:
    """Of an attempt without a result: it was killed, or is being played now."""
    if not path.is_file():
        return
    with path.open("rb") as lines:
        for line in lines:
            try:
                yield from (call.reply.usage for call in _step.decode(line).calls())
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue

"""What a run has used so far, from its records: every call is paid for, also if its episode was not scored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from embodied.rollout.branching import first_own
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

    index: int = 0
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
    """The usage of every call recorded in a run, of branches and of attempts that were given up too. What a branch
    repeats was paid for by its parent and counts once. Damaged records are skipped.
    """
    total = Usage()
    for spec in run.record.specs:
        for usage in _of_episode(run.folder(spec.id), first_own(spec)):
            total = Usage(
                total.input + usage.input,
                total.output + usage.output,
                total.reasoning + usage.reasoning,
                total.cached + usage.cached,
                total.repeated + usage.repeated,
                total.estimated + usage.estimated,
            )
    return total


def _of_episode(folder: Path, begins: int) -> Iterator[Usage]:
    for attempt in (folder, *folder.glob("attempt-*")):
        try:
            yield _ended.decode((attempt / "episode.json").read_bytes()).usage
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            yield from _of_steps(attempt / "steps.jsonl", begins)


def _of_steps(path: Path, begins: int) -> Iterator[Usage]:
    """Of an attempt without a result: it was killed, or is being played now. Steps before `begins` are another's."""
    if not path.is_file():
        return
    with path.open("rb") as lines:
        for line in lines:
            try:
                step = _step.decode(line)
                yield from (call.reply.usage for call in step.calls() if step.index >= begins)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue

"""What a run has used so far, from its records: every call is paid for, also if its episode was not scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import astuple
from pathlib import Path

import msgspec

from embodied.rollout.branching import first_own
from embodied.store import said
from embodied.store.events import advice_in, calls_in
from embodied.store.run import Run
from embodied.types import Usage


class _Ended(msgspec.Struct):
    """The part of `episode.json` that is counted."""

    usage: Usage = Usage()
    advice: Usage = Usage()


class _Reply(msgspec.Struct):
    usage: Usage = Usage()


class _Call(msgspec.Struct):
    reply: _Reply = msgspec.field(default_factory=_Reply)


class _Decision(msgspec.Struct):
    calls: list[_Call] = []


class _Event(msgspec.Struct):
    kind: str = ""
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

    def advice(self) -> Iterator[_Call]:
        """Those of them that a corrector made."""
        return (call for event in self.events if event.kind in ("correction", "review") for call in event.calls)


_ended = msgspec.json.Decoder(_Ended)
_step = msgspec.json.Decoder(_Step)


Pair = tuple[Usage, Usage]
"""What the whole used, and the part of it that a corrector's own model used."""


def used(run: Run) -> Usage:
    """The usage of every call recorded in a run, of branches and of attempts that were given up too. What a branch
    repeats was paid for by its parent and counts once. Damaged records are skipped.
    """
    return used_in_all(run)[0]


def used_by_each(run: Run) -> Pair:
    """As `used`, apart for the agent's model and for the corrector's own."""
    total, advice = used_in_all(run)
    return Usage(*(a - b for a, b in zip(astuple(total), astuple(advice), strict=True))), advice


def used_in_all(run: Run) -> Pair:
    """As `used`, with the part of a corrector's own model."""
    pairs = [pair for spec in run.record.specs for pair in _of_episode(run.folder(spec.id), first_own(spec))]
    return _sum(total for total, _ in pairs), _sum(advice for _, advice in pairs)


def _sum(usages: Iterable[Usage]) -> Usage:
    columns = zip(*map(astuple, usages), strict=True)
    return Usage(*map(sum, columns))


def _of_episode(folder: Path, begins: int) -> Iterator[Pair]:
    for attempt in (folder, *folder.glob("attempt-*")):
        try:
            ended = _ended.decode((attempt / "episode.json").read_bytes())
            yield ended.usage, ended.advice
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            yield from _of_steps(attempt / "steps.jsonl", begins)
            left = said.read(attempt)
            calls = [call for event in left for call in calls_in(event)]
            advice = [call for event in left for call in advice_in(event)]
            yield _sum(call.reply.usage for call in calls), _sum(call.reply.usage for call in advice)


def _of_steps(path: Path, begins: int) -> Iterator[Pair]:
    """Of an attempt without a result: it was killed, or is being played now. Steps before `begins` are another's."""
    if not path.is_file():
        return
    with path.open("rb") as lines:
        for line in lines:
            try:
                step = _step.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if step.index >= begins:
                yield _sum(call.reply.usage for call in step.calls()), _sum(call.reply.usage for call in step.advice())

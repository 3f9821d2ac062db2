"""What a channel writes into the record: each command that reached the episode, as events of the steps it is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from embodied.agents.resolving import Resolution
from embodied.rollout import control
from embodied.rollout.control import Control, EndedBy, Receipt, Speak, TakeOver
from embodied.types import Branch, Call, Correction, Decision, Event, Interrupt, Label, Status, Takeover, Why

_WHY: dict[EndedBy, Why] = {
    "explicit": "explicit",
    "done": "done",
    "new correction": "new correction",
    "time-out": "time-out",
    "takeover": "takeover",
    "episode end": "episode end",
}
"""What ends a correction, in the words of the record."""
_ID = re.compile(r"\d+-c(\d+)")


def number(correction: Correction) -> int | None:
    """The number of the command that a correction came with; None where it did not come through a channel."""
    match = _ID.fullmatch(correction.id)
    return int(match[1]) if match else None


def resumed(correction: Correction, played: int) -> Receipt:
    """The receipt of a recorded correction that is still in force."""
    return Receipt(
        id=number(correction) or 0,
        command=Speak(correction.text, correction.how, correction.by, correction.lasts, correction.recording),
        opened=correction.opened,
        status="applied",
        applied=correction.applied,
        told=played - 1,
        meant=Resolution(correction.resolved, correction.method, correction.score),
    )


def draft(receipt: Receipt) -> Correction | Label | None:
    """What a command says, before anything came of it; None where it says nothing."""
    match receipt.command:
        case Speak(text, how, by, lasts, recording):
            id_, opened = f"{receipt.opened}-c{receipt.id}", receipt.opened
            return Correction(text=text, how=how, by=by, id=id_, opened=opened, lasts=lasts, recording=recording)
        case control.Label(label, step, by):
            return Label(text=label, by=by, step=step)
        case _:
            return None


def once(events: Iterable[Event]) -> tuple[Event, ...]:
    """The events of one step, with a single record of a correction that began and ended in it."""
    found: list[Event] = []
    places: dict[str, int] = {}
    for event in events:
        if isinstance(event, Correction) and event.id in places:
            first = found[places[event.id]]
            assert isinstance(first, Correction)
            found[places[event.id]] = msgspec.structs.replace(event, superseded=first.superseded, calls=first.calls)
            continue
        if isinstance(event, Correction):
            places[event.id] = len(found)
        found.append(event)
    return tuple(found)


class Spoken:
    """Makes events of receipts, each once."""

    def __init__(self) -> None:
        self._pending: list[Event | Receipt] = []
        self._superseded: dict[int, Decision] = {}
        self._begun: set[int] = set()
        self._closed: set[int] = set()

    def begin(self, counting: Iterable[Receipt]) -> None:
        """The corrections that a record holds already."""
        self._begun.update(receipt.id for receipt in counting)

    def heard(self, receipts: Sequence[Receipt], index: int) -> None:
        """What happens from now on comes behind the corrections that the agent has heard in this step."""
        self._pending += [r for r in receipts if r.applied == index and isinstance(r.command, Speak)]

    def keep(self, receipt: Receipt, events: Sequence[Event]) -> None:
        """What a corrector said of a decision that was stopped before it was made."""
        why: Why = "new correction" if isinstance(receipt.command, Speak) else "episode end"
        why = "takeover" if isinstance(receipt.command, TakeOver) else why
        self._pending += [
            msgspec.structs.replace(event, why=why) if isinstance(event, Correction) else event for event in events
        ]

    def interrupted(self, receipt: Receipt, calls: tuple[Call, ...], frame: int | None = None) -> None:
        """The agent was stopped while it decided, or a step behind a frame."""
        self._pending.append(Interrupt(by=_by(receipt), calls=calls, frame=frame))

    def superseded(self, receipt: Receipt, decision: Decision, events: Sequence[Event]) -> None:
        """A decision was made, with these events, and is not executed."""
        self._pending += events
        if isinstance(receipt.command, Speak | TakeOver):
            self._superseded[receipt.id] = decision
            self._pending.append(receipt)
        else:
            self._pending.append(Interrupt(by=_by(receipt), calls=decision.calls))

    def unexecuted(self, decision: Decision, events: Sequence[Event]) -> None:
        """A decision was made, with these events, and the episode ended before anybody let it be executed."""
        self._pending += events
        self._pending.append(Interrupt(by="person", calls=decision.calls))

    def events(
        self, control_: Control, index: int, over: bool, takeover: Receipt | None, action: str, executed: str | None
    ) -> tuple[Event, ...]:
        """What must stand in a step.

        Args:
            control_: Of the episode.
            index: The step.
            over: The episode ends with it.
            takeover: The takeover in which a person acted at this step; None where the agent decided.
            action: What was decided.
            executed: What was executed; None where the episode ended before the step was.
        """
        pending, self._pending = self._pending, []
        found: list[Event] = []
        written: set[int] = set()
        for item in (*pending, *control_.receipts):
            if not isinstance(item, Receipt):
                found.append(item)
            elif isinstance(item.command, TakeOver):
                if item is not takeover and (before := self._superseded.pop(item.id, None)) is not None:
                    found.append(Interrupt(by=_by(item), superseded=before))  # nobody acted in the agent's place
            elif item.id not in written and item.id not in self._closed and item.status != "refused":
                written.add(item.id)
                found += self._of(item, control_, index, over, executed)
        if takeover is not None:
            superseded = self._superseded.pop(takeover.id, None)
            found.append(Takeover(by=_by(takeover), action=action, superseded=superseded))
        return tuple(found)

    def _of(self, receipt: Receipt, control_: Control, index: int, over: bool, executed: str | None) -> list[Event]:
        if isinstance(receipt.command, Speak):
            return self._correction(receipt, receipt.command, control_, index, over, executed)
        self._closed.add(receipt.id)
        if isinstance(receipt.command, control.Branch | control.Rewind) and receipt.episode:
            return [Branch(episode=receipt.episode, by=_by(receipt), step=receipt.command.step)]
        said = draft(receipt)
        return [said] if isinstance(said, Label) else []

    def _correction(
        self, receipt: Receipt, command: Speak, control_: Control, index: int, over: bool, executed: str | None
    ) -> list[Event]:
        by = receipt.ended_by if receipt.final else control_.ending(receipt, executed or "", over)
        why: Why = _WHY[by] if by else ""
        if not why and (receipt.applied is None or receipt.id in self._begun):
            return []  # it waits, or goes on counting
        begun = receipt.id in self._begun
        self._begun.add(receipt.id)
        applied, ended = receipt.applied, None
        if applied == index and executed is None:
            applied = None  # the decision that heard it was never executed
        if why:
            self._closed.add(receipt.id)
            ended = index if receipt.told is None else receipt.told
        last: Status = "superseded" if why == "new correction" else "discarded" if applied is None else "committed"
        meant = receipt.meant or control_.resolve(command.text)
        said = draft(receipt)
        assert isinstance(said, Correction)
        return [
            msgspec.structs.replace(
                said,
                applied=applied,
                ended=ended,
                why=why,
                status=last if why else "applied",
                resolved=meant.action,
                method=meant.method,
                score=meant.score,
                superseded=None if begun else self._superseded.pop(receipt.id, None),
            )
        ]


def _by(receipt: Receipt) -> str:
    return getattr(receipt.command, "by", "person")

"""What a channel writes into the record: each command that reached the episode, as events of the steps it is about."""

from __future__ import annotations

from collections.abc import Sequence

from embodied.rollout import control
from embodied.rollout.control import EndedBy, Receipt, Speak, TakeOver
from embodied.types import Branch, Call, Correction, Decision, Event, Interrupt, Label, Status, Takeover, Why

_WHY: dict[EndedBy, Why] = {
    "explicit": "explicit",
    "new correction": "new correction",
    "time-out": "time-out",
    "takeover": "takeover",
    "episode end": "episode end",
}
"""What ends a correction, in the words of the record."""


class Spoken:
    """Makes events of receipts, each once."""

    def __init__(self) -> None:
        self._pending: list[Event] = []
        self._superseded: dict[int, Decision] = {}
        self._begun: set[int] = set()
        self._closed: set[int] = set()

    def keep(self, events: Sequence[Event]) -> None:
        """What a corrector said of a decision that was not made."""
        self._pending += events

    def interrupted(self, receipt: Receipt, calls: tuple[Call, ...]) -> None:
        """The agent was stopped while it decided."""
        self._pending.append(Interrupt(by=_by(receipt), calls=calls))

    def superseded(self, receipt: Receipt, decision: Decision, events: Sequence[Event]) -> None:
        """A decision was made, with these events, and is not executed."""
        self._pending += events
        if isinstance(receipt.command, Speak | TakeOver):
            self._superseded[receipt.id] = decision
        else:
            self._pending.append(Interrupt(by=_by(receipt), calls=decision.calls))

    def events(
        self, receipts: Sequence[Receipt], index: int, over: bool, takeover: Receipt | None, action: str
    ) -> tuple[Event, ...]:
        """What must stand in a step.

        Args:
            receipts: All of the episode.
            index: The step.
            over: The episode ends with it.
            takeover: The takeover in which a person acted at this step; None where the agent decided.
            action: What was executed.
        """
        found, self._pending = self._pending, []
        for receipt in receipts:
            if receipt.id in self._closed or receipt.status == "refused":
                continue
            if isinstance(receipt.command, Speak):
                found += self._correction(receipt, receipt.command, index, over)
            elif isinstance(receipt.command, control.Label):
                found.append(_label(receipt.command, index))
                self._closed.add(receipt.id)
            elif isinstance(receipt.command, control.Branch | control.Rewind) and receipt.episode:
                found.append(Branch(episode=receipt.episode, by=_by(receipt), step=receipt.command.step))
                self._closed.add(receipt.id)
            elif not isinstance(receipt.command, TakeOver):
                self._closed.add(receipt.id)
        if takeover is not None:
            superseded = self._superseded.pop(takeover.id, None)
            found.append(Takeover(by=_by(takeover), action=action, superseded=superseded))
        return tuple(found)

    def _correction(self, receipt: Receipt, command: Speak, index: int, over: bool) -> list[Event]:
        why: Why = ""
        if receipt.final:
            why = _WHY[receipt.ended_by]
        elif receipt.applied is None:
            return []  # it waits
        elif index - receipt.applied + 1 >= command.lasts:
            why = "time-out"
        elif over:
            why = "episode end"
        if receipt.id in self._begun and not why:
            return []
        self._begun.add(receipt.id)
        ended = None
        if why:
            self._closed.add(receipt.id)
            ended = index if receipt.told is None else receipt.told
        heard = receipt.applied is not None
        last: Status = "superseded" if why == "new correction" else "committed" if heard else "discarded"
        return [
            Correction(
                text=command.text,
                how=command.how,
                by=command.by,
                id=f"{receipt.opened}-c{receipt.id}",
                opened=receipt.opened,
                applied=receipt.applied,
                ended=ended,
                why=why,
                status=last if why else "applied",
                lasts=command.lasts,
                superseded=self._superseded.pop(receipt.id, None),
            )
        ]


def _label(command: control.Label, index: int) -> Label:
    """The record has no place for a label of an earlier step, so the text says which."""
    about = "" if command.step in (None, index) else f"step {command.step}: "
    return Label(text=about + command.label, by=command.by)


def _by(receipt: Receipt) -> str:
    return getattr(receipt.command, "by", "person")

"""The model calls of a step, those of its events included, and its corrections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import msgspec

from embodied.types import Call, Correction, Decision, Event, Interrupt, Json, Review, Step


def calls_of(step: Step) -> list[Call]:
    """Every model call of a step: those of its events, in order, and then those of its decision. All are paid for."""
    return [*(call for event in step.events for call in calls_in(event)), *step.decision.calls]


def calls_in(event: Event) -> list[Call]:
    """Every model call of an event: of the decision that it superseded, and the speaker's own."""
    superseded: Decision | None = getattr(event, "superseded", None)
    own: tuple[Call, ...] = getattr(event, "calls", ())
    return [*(superseded.calls if superseded is not None else ()), *own]


def advice_in(event: Event) -> tuple[Call, ...]:
    """The model calls of an event that a corrector made."""
    return event.calls if isinstance(event, Correction | Review) else ()


def bare(step: Step) -> Step:
    """The step with every prompt left out."""
    return replace(step, decision=_bare(step.decision), events=tuple(map(without_messages, step.events)))


def without_messages(event: Event) -> Event:
    """The event with every prompt left out."""
    superseded: Decision | None = getattr(event, "superseded", None)
    changed: dict[str, Any] = {} if superseded is None else {"superseded": _bare(superseded)}
    if calls := getattr(event, "calls", ()):
        changed["calls"] = _without(calls)
    return msgspec.structs.replace(event, **changed) if changed else event


def _bare(decision: Decision) -> Decision:
    return replace(decision, calls=_without(decision.calls))


def _without(calls: tuple[Call, ...]) -> tuple[Call, ...]:
    return tuple(replace(call, messages=()) for call in calls)


def cut_at(step: Step) -> int | None:
    """The frame behind which somebody cut a step short; None where it ran to its end."""
    return next((e.frame for e in step.events if isinstance(e, Interrupt) and e.frame is not None), None)


def call_objects(line: Json) -> Iterator[Json]:
    """The calls in a line of `steps.jsonl`, in the order of `calls_of`.

    Raises:
        KeyError, TypeError: It is not such a line.
    """
    for event in line.get("events", ()):
        if (superseded := event.get("superseded")) is not None:
            yield from superseded["calls"]
        yield from event.get("calls", ())
    yield from line["decision"]["calls"]


def opens(correction: Correction, index: int) -> bool:
    """Whether a record in step `index` is the first of its correction. One that counts for several steps stands a
    second time in the step in which it ended.
    """
    return correction.applied in (None, index)


def corrections(steps: Iterable[Step]) -> list[Correction]:
    """The corrections of an episode in the order in which they were spoken, each as it is at its end."""
    return spoken(event for step in steps for event in step.events)


def spoken(events: Iterable[Event]) -> list[Correction]:
    """The corrections among the events of an episode, as `corrections`."""
    found: dict[str, Correction] = {}
    for event in events:
        if isinstance(event, Correction):
            first = found.get(event.id)
            found[event.id] = (
                event
                if first is None
                else msgspec.structs.replace(event, superseded=first.superseded, calls=first.calls)
            )
    return list(found.values())

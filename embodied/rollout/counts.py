"""What an episode counts besides its score: replies that are not whole answers, and notes of its decisions."""

from __future__ import annotations

from collections.abc import Iterator

from embodied.agents.notes import HELP
from embodied.store.events import calls_in, opens
from embodied.types import Correction, Decision, Reply, Review, Step

REPLIES = "replies"
EMPTY = "replies_empty"
CUT = "replies_cut"
FILTERED = "replies_filtered"
CACHED = "replies_cached"
ESTIMATED = "replies_estimated"
"""Replies whose tokens the server did not count."""


CORRECTIONS = "corrections"
"""Corrections that were spoken."""
FOLLOWED = "corrections_followed"
"""Corrections whose action was executed while they counted."""


def of_step(step: Step) -> Iterator[str]:
    """The names under which a step counts, each as often as it does."""
    for event in step.events:
        if isinstance(event, Correction):
            if opens(event, step.index):
                yield CORRECTIONS
            if event.why == "done":
                yield FOLLOWED
        if isinstance(event, Review):
            yield from (note.kind for note in event.notes)
        for call in calls_in(event):
            yield from of_reply(call.reply)
    yield from of_decision(step.decision)
    if not _asked(step.decision) and any(
        isinstance(event, Correction) and event.superseded is not None and _asked(event.superseded)
        for event in step.events
    ):
        yield HELP  # the decision that was executed is the corrected one


def _asked(decision: Decision) -> bool:
    return any(note.kind == HELP for note in decision.notes)


def of_decision(decision: Decision) -> Iterator[str]:
    """The names under which a decision counts, each as often as it does."""
    yield from (note.kind for note in decision.notes)
    for call in decision.calls:
        yield from of_reply(call.reply)


def of_reply(reply: Reply) -> Iterator[str]:
    """The names under which a reply counts."""
    yield REPLIES
    found = {
        EMPTY: not reply.text.strip(),
        CUT: reply.stop == "length",
        FILTERED: reply.stop == "content_filter",
        CACHED: reply.cached,
        ESTIMATED: reply.usage.estimated > 0,
    }
    yield from (name for name, so in found.items() if so)

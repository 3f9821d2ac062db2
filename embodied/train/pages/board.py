"""Which way of learning pays: improvements of the same agent on the same test, beside each other.

An improvement counts with the version that is in place at its end, and is charged with all that its rounds used: also
with rounds whose version was refused, as nobody knows beforehand which these are. The test is not charged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from embodied.quantities import Interval
from embodied.store.codec import encode
from embodied.train.learner import Used
from embodied.train.pages.reading import Improvement
from embodied.train.rounds import Plan, Point

UNITS = (
    ("100 corrections", 100.0),
    ("1,000 episodes", 1_000.0),
    ("million tokens", 1_000_000.0),
    ("hour", 3_600.0),
    ("dollar", 1.0),
)
"""What a gain is divided by: the words, and how much of what `_amounts` says that is."""


@dataclass(frozen=True)
class Entry:
    """An improvement on a board."""

    key: str
    found: Improvement
    gain: float | None
    """Of the version in place over the first one; 0 where that is the first one; None without a result."""
    interval: Interval | None
    p: float | None
    """Two-sided."""
    per: Mapping[str, float | None]
    """Unit -> gain by what was used; None where nothing of it was used, or it is not known."""
    used: Used
    made: Point | None
    """The newest version that the learner made, whatever the gate said of it."""
    ranked: bool
    place: int | None = None
    ranks: tuple[int, int] | None = None
    """Places that it could have: others whose intervals overlap are not told apart."""

    @property
    def why_unranked(self) -> str:
        """In a word or two; empty where it is ranked."""
        if self.found.refused:
            return "REFUSED"
        if self.found.control:
            return "control"
        return "" if self.ranked else "not over"


@dataclass(frozen=True)
class Board:
    """Improvements that may be compared: the same environments, tasks, test episodes and first version."""

    key: str
    title: str
    plan: Plan
    """Of one of them."""
    first: Point | None
    """The first version on the test."""
    entries: Sequence[Entry]
    """The ranked by gain, then controls, then those that are not over or refused."""
    opened: int
    """How often the test seeds were opened, at most, as the improvements say."""


def boards(found: Sequence[Improvement]) -> list[Board]:
    """Improvements by what they may be compared with, in the order given."""
    groups: dict[str, list[Improvement]] = {}
    for one in found:
        groups.setdefault(_alike(one.plan), []).append(one)
    return [_board(key, group) for key, group in groups.items()]


def _alike(plan: Plan) -> str:
    """A hash of what decides the test and the first version."""
    words = tuple(w for w in plan.words if not w.lstrip("+~").startswith("corrector."))
    options = {k: v for k, v in plan.options.items() if not k.startswith("corrector.")}
    same = [plan.agent, plan.env, plan.task, plan.seed, plan.test, plan.steps, plan.image, words, options]
    return hashlib.sha256(encode(same)).hexdigest()[:16]


def _board(key: str, group: Sequence[Improvement]) -> Board:
    entries = [_entry(key, n, one) for n, one in enumerate(group)]
    plan = group[0].plan
    tasks = f" ({plan.task})" if plan.task else ""
    first = next((one.first for one in group if one.first is not None and not one.refused), None)
    opened = max((one.curve.opened for one in group if one.curve is not None), default=0)
    return Board(key, f"{plan.name} on {', '.join(plan.env)}{tasks}", plan, first, _placed(entries), opened)


def _entry(board: str, number: int, one: Improvement) -> Entry:
    now, first, used = one.in_place, one.first, one.used
    gain: float | None = None
    interval: Interval | None = None
    p: float | None = None
    if not one.refused and now is not None and first is not None:
        gain, interval, p = (0.0, None, None) if now is first else (now.gain, now.gain_interval, now.gain_p)
    per = {
        words: None if gain is None or not amount else gain / amount * size
        for (words, size), amount in zip(UNITS, _amounts(used), strict=True)
    }
    ranked = gain is not None and not one.control
    made = None if one.refused else one.last_made
    return Entry(f"{board}-{number + 1}", one, gain, interval, p, per, used, made, ranked)


def _amounts(used: Used) -> tuple[float | None, ...]:
    return used.corrections, used.episodes, used.tokens, used.seconds, used.dollars


def _placed(entries: Sequence[Entry]) -> list[Entry]:
    ranked = sorted((e for e in entries if e.ranked), key=lambda e: -_gain(e))
    rest = sorted(
        (e for e in entries if not e.ranked), key=lambda e: ("control", "not over", "REFUSED").index(e.why_unranked)
    )
    placed: list[Entry] = []
    for e in ranked:
        low, high = _span(e)
        others = [_span(o) for o in ranked if o is not e]
        above, below = sum(o[0] > high for o in others), sum(o[1] < low for o in others)
        place = 1 + sum(_gain(o) > _gain(e) for o in ranked)
        placed.append(replace(e, place=place, ranks=(1 + above, len(ranked) - below)))
    return [*placed, *rest]


def _gain(e: Entry) -> float:
    return 0.0 if e.gain is None else e.gain


def _span(e: Entry) -> Interval:
    """The interval; the gain alone where there is none, as for a first version that is still in place."""
    return e.interval or (_gain(e), _gain(e))


def tied(board: Board, e: Entry) -> list[Entry]:
    """The ranked entries whose intervals overlap with that of `e`."""
    low, high = _span(e)
    return [
        o for o in board.entries if o.ranked and e.ranked and o is not e and _span(o)[0] <= high and low <= _span(o)[1]
    ]


def plain(found: Sequence[Board]) -> list[dict[str, Any]]:
    """The boards as plain values, for JSON and tables."""
    return [
        {
            "board": b.title,
            "entry": e.found.name,
            "learner": e.found.plan.learner,
            "agent": e.found.plan.name,
            "environments": ", ".join(e.found.plan.env),
            "task": e.found.plan.task,
            "corrector": e.found.plan.corrector,
            "place": e.place,
            "rank_from": e.ranks[0] if e.ranks else None,
            "rank_to": e.ranks[1] if e.ranks else None,
            "unranked": e.why_unranked,
            "gain": e.gain,
            "low": e.interval[0] if e.interval else None,
            "high": e.interval[1] if e.interval else None,
            "p": e.p,
            **{f"gain per {words}": value for words, value in e.per.items()},
            "promoted": e.found.promoted,
            "rounds": len(e.found.rounds),
            "episodes": e.used.episodes,
            "corrections": e.used.corrections,
            "tokens": e.used.tokens,
            "seconds": e.used.seconds,
            "dollars": e.used.dollars,
            "newest gain": e.made.gain if e.made else None,
            "newest low": e.made.gain_interval[0] if e.made and e.made.gain_interval else None,
            "newest high": e.made.gain_interval[1] if e.made and e.made.gain_interval else None,
        }
        for b in found
        for e in b.entries
    ]

"""Matches and standings. Knows nothing of HTTP.

Before the vote, a browser does not learn which run an episode is from: addresses of steps hold only the match's own
random name and a side. It gets names, scores and outcomes when the vote is on disk.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import msgspec

from embodied.console.arena.votes import Preferred, Vote, Votes
from embodied.console.viewer.library import Library, NotFound
from embodied.errors import UsageError
from embodied.eval.bradley_terry import bradley_terry
from embodied.eval.results import progress, read
from embodied.eval.score import score
from embodied.eval.settings import describe
from embodied.seeding import derive
from embodied.store.run import Run
from embodied.types import Episode, Json

OPEN = 1_000
"""Matches that were shown and not yet voted on; the oldest are forgotten."""
SIDES = ("left", "right")


@dataclass(frozen=True)
class Contestant:
    """A run in the arena."""

    identity: str
    name: str
    library: Library
    episodes: dict[tuple[str, str, int], Episode]
    """Scored episodes with steps, by environment, task and seed."""
    score: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Match:
    """Two episodes; `left` and `right` are a contestant and its episode."""

    left: tuple[Contestant, Episode]
    right: tuple[Contestant, Episode]
    hidden: str = ""
    """What neither side shows, because it would say who plays: `pictures`, or `observations` with the pictures' texts;
    see `_hidden`.
    """

    def side(self, name: str) -> tuple[Contestant, Episode]:
        if name not in SIDES:
            raise UsageError("A side is left or right.")
        return self.left if name == "left" else self.right


_OVER = "This match is over, or the arena was restarted since. Ask for another one."


class Arena:
    """Chooses matches, keeps votes, ranks. Methods may be called from several threads.

    Args:
        runs: At least two, of which two have recorded episodes of one task.
        votes: Where votes are kept; those already there count.

    Raises:
        UsageError: No two runs have an episode of the same task.
    """

    def __init__(self, runs: Sequence[Run], votes: Votes):
        self.votes = votes
        self.contestants = _contestants(runs)
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Match] = OrderedDict()
        self._voted: set[str] = set()
        self._pairs = [(a, b, shared) for a, b in combinations(self.contestants, 2) if (shared := _shared(a, b))]
        if not self._pairs:
            raise UsageError(
                "No two of these runs have a scored, recorded episode of the same task: there is nothing to compare."
                " Play the same suite with two agents."
            )
        cast, _ = votes.read()
        self._shown = Counter(frozenset(v.runs) for v in cast)
        self._number = len(cast)

    def match(self) -> Json:
        """A new match, between the two runs that met least so far, without saying which they are."""
        with self._lock:
            a, b, shared = min(
                self._pairs, key=lambda pair: self._shown[frozenset((pair[0].identity, pair[1].identity))]
            )
            self._shown[frozenset((a.identity, b.identity))] += 1
            self._number += 1
            drawn = derive(0, "arena", self._number)
            one, two = shared[(drawn >> 1) % len(shared)]
            left, right = (a, a.episodes[one]), (b, b.episodes[two])
            made = Match(left, right, _hidden(left, right)) if drawn & 1 else Match(right, left, _hidden(right, left))
            name = secrets.token_urlsafe(12)
            self._open[name] = made
            while len(self._open) > OPEN:
                self._voted.discard(self._open.popitem(last=False)[0])
        episode = made.left[1]
        mission = episode.mission or made.right[1].mission
        return {
            "match": name,
            "env": episode.spec.task.env,
            "task": episode.spec.task.task,
            "goal": mission.goal if mission else "",
            "hidden": made.hidden,
            "steps": {side: made.side(side)[1].steps for side in SIDES},
        }

    def step(self, match: str, side: str, index: int) -> Json:
        """What was seen and done at a step; the one behind the last is the end."""
        found = self._found(match)
        contestant, episode = found.side(side)
        if index >= episode.steps:
            observation = msgspec.to_builtins(episode.last) if episode.last else {}
            return {**_shown(observation, "", found.hidden), "action": None, "valid": True}
        rows = msgspec.json.decode(contestant.library.steps(episode.spec.id, index, index + 1))
        if not rows:
            return {
                "text": "This step could not be read.",
                "image": False,
                "action": None,
                "thought": "",
                "valid": True,
            }
        row = rows[0]
        observation, decision = row["observation"], row["decision"]
        return {
            **_shown(observation, decision.get("thought", ""), found.hidden),
            "action": row["executed"],
            "valid": row["valid"] and decision.get("parsed", True),
        }

    def image(self, match: str, side: str, index: int) -> bytes:
        """The picture of a step, PNG. Raises `NotFound` where it has none, or the match hides pictures."""
        found = self._found(match)
        if found.hidden:
            raise NotFound("This match shows no pictures.")
        contestant, episode = found.side(side)
        if index >= episode.steps:
            digest = episode.last.image.digest if episode.last and episode.last.image else ""
        else:
            rows = msgspec.json.decode(contestant.library.steps(episode.spec.id, index, index + 1))
            digest = ((rows[0]["observation"].get("image") or {}) if rows else {}).get("digest", "")
        if not digest:
            raise NotFound("This step has no picture.")
        return contestant.library.image(episode.spec.id, digest)

    def vote(self, match: str, choice: Preferred) -> Json:
        """Writes a vote, then says who played. A match can be voted on once.

        Raises:
            NotFound: There is no such match, or it was voted on.
            StoreError: The vote cannot be written; the match stays open.
        """
        with self._lock:
            found = self._found(match)
            if match in self._voted:
                raise NotFound(_OVER)
            (left, one), (right, two) = found.left, found.right
            task = one.spec.task
            now = datetime.now(UTC).isoformat(timespec="seconds")
            names, episodes = (left.name, right.name), (one.spec.id, two.spec.id)
            self.votes.append(Vote(now, (left.identity, right.identity), names, episodes, task.env, task.task, choice))
            self._voted.add(match)  # it stays readable: pages may be asking for its steps at this moment
        return {
            side: {"name": c.name, "progress": e.progress, "success": e.success, "outcome": e.outcome}
            for side, (c, e) in zip(SIDES, (found.left, found.right), strict=True)
        }

    def standings(self) -> Json:
        """The table: strengths from votes beside scores from episodes; runs that are voted on but not here count for
        the others' strengths.
        """
        cast, damaged = self.votes.read()
        strengths = {s.name: s for s in bradley_terry([(*v.runs, v.share) for v in cast if v.runs[0] != v.runs[1]])}
        names = {identity: name for v in cast for identity, name in zip(v.runs, v.names, strict=True)}
        here = {c.identity: c for c in self.contestants}
        rows: list[Json] = []
        for identity in dict.fromkeys([*here, *names]):
            s, c = strengths.get(identity), here.get(identity)
            rows.append(
                {
                    "name": c.name if c else names[identity],
                    "strength": s.strength if s else None,
                    "interval": s.interval if s else None,
                    "wins": s.wins if s else 0,
                    "votes": s.votes if s else 0,
                    "score": c.score if c else None,
                    "score_interval": c.interval if c else None,
                }
            )
        rows.sort(key=lambda r: (r["strength"] is None, -(r["strength"] or 0.0), -(r["score"] or 0.0)))
        return {"rows": rows, "votes": len(cast), "damaged": damaged}

    def _found(self, match: str) -> Match:
        if match not in self._open:
            raise NotFound(_OVER)
        return self._open[match]


def _contestants(runs: Sequence[Run]) -> list[Contestant]:
    """The runs, each with a name of its own."""
    made: list[Contestant] = []
    for run in {run.record.identity: run for run in runs}.values():
        results = read(run)
        total = score(results).total
        kept = {
            (e.spec.task.env, e.spec.task.task, e.spec.seed): e
            for e in results.ended.values()
            if progress(e) is not None and e.steps and (run.folder(e.spec.id) / "steps.jsonl").is_file()
        }
        made.append(
            Contestant(
                run.record.identity, describe(run.record).name, Library([run]), kept, total.progress, total.interval
            )
        )
    count = Counter(c.name for c in made)
    return [replace(c, name=f"{c.name} ({c.identity[:6]})") if count[c.name] > 1 else c for c in made]


def _shared(a: Contestant, b: Contestant) -> list[tuple[tuple[str, str, int], tuple[str, str, int]]]:
    """Pairs of episodes that can be shown together: of the same seed, or, if there are none, of the same task."""
    same = [(key, key) for key in a.episodes if key in b.episodes]
    return same or [(x, y) for x in a.episodes for y in b.episodes if x[:2] == y[:2]]


def _hidden(left: tuple[Contestant, Episode], right: tuple[Contestant, Episode]) -> str:
    """What a match must not show. If only one side saw pictures, showing them would say who plays: both sides then hide
    pictures and thoughts (which speak of pictures). If even the first texts differ (a text in a picture's place), both
    hide all observations. The voter then judges by actions, steps and the goal.
    """
    (one, seen), (two, other) = _first(*left), _first(*right)
    if seen == other:
        return ""
    return "pictures" if one == two else "observations"


def _first(contestant: Contestant, episode: Episode) -> tuple[str, bool]:
    """The text of an episode's first observation, and whether the agent saw pictures in it."""
    rows = msgspec.json.decode(contestant.library.steps(episode.spec.id, 0, 1).decode("utf-8", "replace"))
    observation = rows[0]["observation"] if rows else {}
    last = episode.last is not None and episode.last.image is not None
    return _seen(observation), bool(observation.get("image")) or last


def _shown(observation: dict[str, Any], thought: str, hidden: str) -> Json:
    """What a page is told of an observation and the thought on it."""
    text = "" if hidden == "observations" else _seen(observation)
    return {"text": text, "image": not hidden and bool(observation.get("image")), "thought": "" if hidden else thought}


def _seen(observation: dict[str, Any]) -> str:
    return "\n".join(t for t in (observation.get("status"), observation.get("text")) if t)

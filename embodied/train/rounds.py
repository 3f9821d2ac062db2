"""The folder of an improvement, and the records in it.

OUT/improve.json            what was asked for: Plan
OUT/start/                  the first version, where it had to be made of a preset
OUT/round-1/collect/        training episodes of the parent (a run), with the corrector
OUT/round-1/practice/       what the learner played and asked: runs, and replies in asked.jsonl
OUT/round-1/work/           the learner's own checkpoints, until the round is over
OUT/round-1/child/          the version that it made
OUT/round-1/gate/           parent and child on the same fresh dev episodes (two runs)
OUT/round-1/round.json      how the round ended: Round. Its presence means that the round is over
OUT/test/                   every version on the same test episodes, after the last decision
OUT/curve.json              the result: Curve
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from embodied.errors import StoreError
from embodied.store.checks import check_json, read_plain
from embodied.store.codec import encode
from embodied.store.disk import disk, write_whole
from embodied.train.learner import Used
from embodied.types import Json

PLAN, ROUND, CURVE = "improve.json", "round.json", "curve.json"
FORMAT = 1
_LONGEST = 16 << 20
T = TypeVar("T")

Interval = tuple[float, float]
Decided = Literal["promoted", "kept", "no version", "undecided"]
"""promoted: the child took the parent's place. kept: the gate did not show that it is better. no version: the learner
made none. undecided: too few pairs of episodes had a score.
"""


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """What decides what happens in an improvement; the number of rounds and the budget do not."""

    agent: str
    """Hash of the first version."""
    name: str
    """What the agent was called on the command line."""
    env: tuple[str, ...]
    learner: str
    task: str = ""
    settings: Json = {}
    """The learner's, with its defaults."""
    corrector: str = ""
    seed: int = 0
    steps: int | None = None
    image: bool | None = None
    episodes: int = 0
    """Training episodes of each task in a round."""
    dev: int | None = None
    """Episodes of each task at a gate; None for what `embodied.eval.power` names."""
    test: int = 0
    """Test episodes of each task."""
    words: tuple[str, ...] = ()
    options: Json = {}
    given: tuple[str, ...] = ()
    """Identities of recorded runs that the user gave to learn from."""
    device: str = "cpu"
    format: int = FORMAT


class TaskVerdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """One task at a gate."""

    env: str
    task: str
    parent: float
    child: float
    pairs: int
    worse: float
    """One-sided p value that the child is not worse, by Holm over the tasks."""


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a gate found: child against parent on the same fresh dev episodes."""

    parent: float
    child: float
    pairs: int
    coverage: float
    """Pairs with a score, of those planned, in [0, 1]."""
    p: float
    """One-sided p value that the child is not better."""
    interval: Interval | None = None
    """95 %, of child minus parent."""
    tasks: tuple[TaskVerdict, ...] = ()
    decided: Decided = "kept"
    why: str = ""
    """A sentence."""


class Round(msgspec.Struct, frozen=True, omit_defaults=True):
    """`round.json`."""

    number: int
    parent: str
    """Hash."""
    decided: Decided
    why: str
    child: str = ""
    """Hash; empty where the learner made no version."""
    verdict: Verdict | None = None
    dev: int = 0
    """Episodes of each task at the gate."""
    collect: Used = Used()
    learn: Used = Used()
    """What the learner played and asked besides, and its own seconds."""
    gate: Used = Used()

    @property
    def after(self) -> str:
        """Hash of the version that is in place after this round."""
        return self.child if self.decided == "promoted" else self.parent


class Point(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version on the test episodes."""

    version: str
    """Hash; empty for the rows corrected and ceiling."""
    label: str
    round: int
    """The round that made it; 0 for the first one."""
    decided: str
    """first, promoted, kept (by the gate's decision), corrected or ceiling."""
    score: float | None
    episodes: int
    """With a score."""
    interval: Interval | None = None
    gain: float | None = None
    """Over the first version, on the same seeds."""
    gain_interval: Interval | None = None
    gain_p: float | None = None
    """Two-sided."""
    corrections: float | None = None
    """An episode; only where somebody corrected."""
    spent: Used = Used()
    """What had been used to make it, gates included, all rounds so far."""


class Curve(msgspec.Struct, frozen=True, omit_defaults=True):
    """`curve.json`: what learning bought. The test decided nothing."""

    plan: Plan
    rounds: tuple[Round, ...]
    points: tuple[Point, ...]
    opened: int
    """How often these test seeds were opened on this machine by improvements, this one included."""
    false_promotion: float
    """At most: the chance that one of the promotions was luck."""
    leaks: tuple[str, ...] = ()
    """Sentences: items of the test that were learned from. Such episodes are left out."""
    refused: bool = False
    """Whether these are so many that the result counts for nothing."""
    stopped: str = ""
    """Why it ended before its last round; empty where it did not."""
    test: Used = Used()
    format: int = FORMAT


def identity(plan: Plan) -> str:
    """A hash of what was asked for."""
    return hashlib.sha256(encode(plan)).hexdigest()


def write(path: Path, record: Any) -> None:
    """Writes a record whole or not at all. Raises `StoreError` where it cannot."""
    with disk(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, msgspec.json.format(encode(record), indent=1) + b"\n")


def read(path: Path, type_: type[T]) -> T | None:
    """A record; None where there is none.

    Raises:
        StoreError: It is damaged, or of a later format.
    """
    data = read_plain(path, _LONGEST)
    if data is None:
        return None
    try:
        raw = msgspec.json.decode(data)
        if isinstance(raw, dict) and isinstance(raw.get("format"), int) and raw["format"] > FORMAT:
            raise StoreError(
                f"{path} has format {raw['format']}, and this version of embodied reads formats up to {FORMAT}:"
                " upgrade it with `pip install --upgrade embodied-suite`."
            )
        check_json(raw, str(path))
        return msgspec.convert(raw, type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{path} is damaged: {error}. Restore it from a copy, or remove its round.") from error

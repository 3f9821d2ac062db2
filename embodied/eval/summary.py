"""Summaries of many runs: what each played, its score, its cost, and whether it has ended.

A run's plan and results are read, never its steps. Folders may come from strangers: they are read through the store's
checks, and one that cannot be read is a summary that says why.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from embodied.errors import EmbodiedError, Rewound, StoreError
from embodied.eval.results import Results, read
from embodied.eval.score import score
from embodied.eval.settings import describe, spent
from embodied.store.playing import held, playing
from embodied.store.run import SCORED, Run
from embodied.terminal import shell_word
from embodied.types import Json

FINISHED, IN_PLAY, STOPPED, DAMAGED = "finished", "in play", "stopped", "damaged"
DEEPEST = 3
"""Folders within each other in which runs are looked for."""
IMPROVEMENT, DEEPER = "improve.json", 4
"""What an improvement's folder holds (`embodied.train.rounds`), and how deep its runs are in it."""
MOST_FOLDERS = 20_000
"""The most folders that are searched: a folder of runs has fewer, a home folder more."""


@dataclass(frozen=True)
class Summary:
    """A run in one row."""

    name: str
    """The folder, seen from the folder of runs."""
    path: str
    state: str
    """`finished`: every planned episode is scored, or was rewound, and every branch is over. `in play`: a process plays
    one now. `stopped`: neither; `embodied resume` continues it. `damaged`: see `problem`.
    """
    problem: str = ""
    """What is wrong, in one sentence; empty where all could be read."""
    suite: str = ""
    envs: tuple[str, ...] = ()
    agent: str = ""
    """The policy."""
    preset: str = ""
    """What `--agent` named."""
    model: str = ""
    """`provider/name`; empty where no model is asked."""
    created: str = ""
    """UTC, ISO 8601."""
    progress: float | None = None
    interval: tuple[float, float] | None = None
    """95 %."""
    scored: int = 0
    planned: int = 0
    dollars: float | None = None
    """None where the price is not known."""
    tokens: int = 0
    """Input and output."""
    identity: str = ""
    split: str = "test"
    control: str = ""
    """What was taken from the agent, in words; empty for nothing."""

    @property
    def world(self) -> str:
        """The suite, or else the environments."""
        return self.suite or ", ".join(self.envs)

    def json(self) -> Json:
        """As plain values."""
        return {**asdict(self), "coverage": self.scored / self.planned if self.planned else 0.0}


@dataclass(frozen=True)
class Wanted:
    """Which runs to list: names, or patterns with `*` and `?`; letter case does not matter. An empty one takes all."""

    env: str = ""
    agent: str = ""
    suite: str = ""
    model: str = ""

    def takes(self, found: Summary) -> bool:
        """Whether `found` is wanted. A run that cannot be read is wanted, unless there is a filter."""
        name = found.model.partition("/")[2]
        return (
            _matches(self.env, found.envs)
            and _matches(self.agent, (found.agent, found.preset))
            and _matches(self.suite, (found.suite,))
            and _matches(self.model, (found.model, name))
        )

    def near(self, every: Sequence[Summary]) -> str:
        """`Did you mean 'babyai'?` for a name that no run has, behind a blank; empty where none is near."""
        return (
            _nearest(self.env, (env for s in every for env in s.envs))
            or _nearest(self.agent, (name for s in every for name in (s.agent, s.preset)))
            or _nearest(self.suite, (s.suite for s in every))
            or _nearest(self.model, (s.model for s in every))
        )

    def words(self) -> str:
        """`env babyai, agent naive`; empty where all are wanted."""
        return ", ".join(f"{key} {value}" for key, value in asdict(self).items() if value)


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name.casefold(), sorted(set(filter(None, known))), 1) if name else []
    return f" Did you mean {near[0]!r}?" if near else ""


def _matches(pattern: str, names: Iterable[str]) -> bool:
    return not pattern or any(fnmatchcase(name.casefold(), pattern.casefold()) for name in names)


def find(folder: Path) -> list[Path]:
    """The run folders in `folder`, by name: those that hold a run.json, up to `DEEPEST` folders down, and those of
    improvements; `folder` alone where it is one itself. Links are not followed, and nothing is looked for inside a run.

    Raises: StoreError: `folder` cannot be read, or is not a folder.
    """
    if not folder.is_dir():
        what = "is a file, not a folder of runs" if folder.exists() else "does not exist"
        raise StoreError(f"{folder} {what}. `embodied eval ... --out {shell_word(folder / 'NAME')}` makes a run in it.")
    if os.path.lexists(folder / "run.json"):
        return [folder]
    found: list[Path] = []
    waiting, looked = [(folder, DEEPEST)], 0
    while waiting and looked < MOST_FOLDERS:
        place, left = waiting.pop()
        looked += 1
        try:
            inside = sorted(entry.name for entry in os.scandir(place) if entry.is_dir(follow_symlinks=False))
        except OSError as error:
            if place == folder:
                raise StoreError(f"Cannot read {folder}: {error.strerror or error}.") from error
            continue
        if os.path.lexists(place / "run.json"):
            found.append(place)
            continue
        if os.path.lexists(place / IMPROVEMENT):
            left = max(left, DEEPER)
        if left:
            waiting += [(place / name, left - 1) for name in inside if not name.startswith(".")]
    return sorted(found)


def summaries(folder: Path, paths: Sequence[Path] | None = None) -> Iterator[Summary]:
    """A summary of each run in `folder`, or of `paths` in it. Raises `StoreError` as `find`."""
    locks = held()
    for path in find(folder) if paths is None else paths:
        name = str(path.relative_to(folder)) if path != folder else folder.name
        try:
            yield replace(summary(Run(path), locks), name=name)
        except EmbodiedError as error:
            yield Summary(name, str(path), DAMAGED, str(error))


def summary(run: Run, locks: frozenset[int] | None = None) -> Summary:
    """A summary of an opened run.

    Args:
        run: The run.
        locks: From `embodied.store.playing.held`.
    """
    results, about = read(run), describe(run.record)
    total = score(results).total
    return Summary(
        name=run.root.name,
        path=str(run.root),
        state=_state(run, results, bool(about.imported), locks),
        problem=results.damaged[0] if results.damaged else "",
        suite=about.suite,
        envs=tuple(dict.fromkeys(spec.task.env for spec in run.record.planned)),
        agent=about.agent,
        preset=str(run.record.config.get("preset") or ""),
        model=about.model,
        created=run.record.created,
        progress=total.progress,
        interval=total.interval,
        scored=total.scored,
        planned=total.planned,
        dollars=spent(run.record.config, total.usage, about, total.advice),
        tokens=total.usage.input + total.usage.output,
        identity=run.record.identity,
        split=about.split,
        control=about.control,
    )


def _state(run: Run, results: Results, imported: bool, locks: frozenset[int] | None) -> str:
    if imported:
        return FINISHED
    ended = (*results.ended.values(), *results.branches)
    over = {e.spec.id for e in ended if e.outcome in SCORED or e.error_kind == Rewound.__name__}
    waiting = [run.folder(spec.id) for spec in run.record.specs if spec.id not in over]
    if not waiting:
        return FINISHED
    return IN_PLAY if playing(waiting, locks) else STOPPED

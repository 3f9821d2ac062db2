"""What `embodied.evaluate` gives back: a run's results with their scores, tables and a data frame."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from embodied.errors import StoreError, UsageError
from embodied.eval.analysis import analyse
from embodied.eval.results import Results, read
from embodied.eval.score import RunScore, Score, score
from embodied.eval.tables import Table
from embodied.exchange.tables import flat
from embodied.store.run import Run
from embodied.terminal import line
from embodied.types import Episode, EpisodeSpec

FRAMES = ("polars", "pandas")
"""Packages that have data frames, in the order in which `to_frame` looks for them."""


@dataclass(frozen=True)
class Evaluation(Results):
    """A run's plan, results and scores.

    It is a `Results` (`embodied.eval.results`), so every function that takes one takes this. `print(evaluation)` shows
    a row for each environment.
    """

    run: Run = field(kw_only=True)
    """The run: steps, prompts and pictures of every episode."""
    stopped: str = field(default="", kw_only=True)
    """Why the run stopped before its end; empty when it did not."""

    @classmethod
    def of(cls, run: Run | None, stopped: str = "") -> Evaluation:
        """Reads a run. Raises `StoreError` where there is none."""
        if run is None:
            raise StoreError("The run was stopped before anything was recorded. The same call begins it.")
        results = read(run)
        read_ = (results.path, results.record, results.ended, results.damaged, results.branches)
        return cls(*read_, run=run, stopped=stopped)

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.run.root

    @cached_property
    def scores(self) -> RunScore:
        """Mean progress with its 95 % interval: `scores.total`, `scores.environments`, `scores.tasks`."""
        return score(self)

    @property
    def total(self) -> Score:
        """The score of the whole run."""
        return self.scores.total

    @property
    def progress(self) -> float | None:
        """Mean progress of the whole run in [0, 1]; None when nothing is scored."""
        return self.total.progress

    @property
    def coverage(self) -> float:
        """Share of the planned episodes that have a score, in [0, 1]."""
        return self.total.coverage

    @property
    def episodes(self) -> list[Episode]:
        """The episodes that have ended, in the order of the plan."""
        return list(self.ended.values())

    @property
    def missing(self) -> list[EpisodeSpec]:
        """The planned episodes that are not over. `embodied.resume(evaluation.folder)` plays them. An episode that
        somebody rewound is over, without a score.
        """
        return [spec for spec in self.record.planned if not self.run.over(spec.id)]

    @cached_property
    def tables(self) -> list[Table]:
        """The environments' own tables, which say more than the mean progress."""
        return analyse(self.run, self)

    def to_frame(self, kind: Literal["polars", "pandas"] | None = None) -> Any:
        """A data frame with a row for each episode that has ended, and the columns of `embodied export --format csv`.

        Args:
            kind: Which package makes the frame; None for the first one that is installed, polars before pandas.

        Returns:
            A `polars.DataFrame` or a `pandas.DataFrame`.

        Raises:
            UsageError: The package is not installed; names the line that installs it.
        """
        columns, found = flat(self.episodes, self.record.corrector)
        rows = list(found)
        return _package(kind).DataFrame({name: [row.get(name) for row in rows] for name in columns})

    def __str__(self) -> str:
        rows = [_row(s) for s in self.scores.environments]
        if len(rows) > 1:
            rows.append(_row(self.total))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        shown = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        stopped = [f"Stopped early: {line(self.stopped)}"] if self.stopped else []
        return "\n".join([*shown, *stopped, f"Run: {line(str(self.folder))}"])

    def __repr__(self) -> str:
        return f"<Evaluation {'; '.join(str(self).splitlines())}>"


def _row(s: Score) -> tuple[str, str, str]:
    """An environment, its progress, and how many of its episodes are scored."""
    progress = "no score" if s.progress is None else f"progress {100 * s.progress:.1f} %"
    interval = f" ({100 * s.interval[0]:.1f} to {100 * s.interval[1]:.1f})" if s.interval else ""
    return line(s.name), progress + interval, f"{s.scored} of {s.planned} episodes scored"


def _package(kind: str | None) -> Any:
    if kind is not None and kind not in FRAMES:
        raise UsageError(f"A frame is of {' or '.join(FRAMES)}, not of {kind!r}.")
    for name in FRAMES if kind is None else (kind,):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    raise UsageError(
        f"to_frame() needs {kind or ' or '.join(FRAMES)}, which is not installed. Install it with: pip install"
        f" {kind or FRAMES[0]}"
    )

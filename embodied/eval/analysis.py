"""The environments' own tables, which say more than the mean progress (accuracy by scenario, collisions, baselines on
the same items).

An environment names its function in the catalog (`Entry.analysis`): it gets the scored episodes of that environment in
one run, and returns tables. They are printed under the score and stand in the report.
"""

from __future__ import annotations

from embodied.catalog import ENTRIES
from embodied.errors import EmbodiedError
from embodied.eval.metrics import means
from embodied.eval.results import Results, progress
from embodied.eval.tables import Analysis, Table
from embodied.registry import load
from embodied.store.run import Run
from embodied.types import Episode

_BAD_RECORDS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, EmbodiedError)
"""The exceptions of our own tables for records that their environment did not write."""


def analyse(run: Run, results: Results) -> list[Table]:
    """The tables of every environment of a run that has some; of its scored episodes, in the order of the plan."""
    by_env: dict[str, list[Episode]] = {}
    for episode in results.ended.values():
        if progress(episode) is not None and (entry := ENTRIES.get(episode.spec.task.env)) and entry.analysis:
            by_env.setdefault(entry.name, []).append(episode)
    own = [table for env, episodes in by_env.items() for table in _tables(run, env, episodes)]
    return [*own, *_metrics(run, results)]


def _metrics(run: Run, results: Results) -> list[Table]:
    """The table of plugins' metrics; none where no metric has a number for this run."""
    found, notes = means(run, results)
    if not found and not notes:
        return []
    rows = tuple(
        (
            f"{row.title} ({row.metric})",
            row.env,
            row.mean,
            *(row.interval or (None, None)),
            row.episodes,
            "more" if row.higher_is_better else "less",
        )
        for row in found
    )
    columns = ("metric", "environment", "mean", "95 % from", "to", "episodes", "better")
    return [Table("Metrics", columns, rows, " ".join(notes))]


def _tables(run: Run, env: str, episodes: list[Episode]) -> list[Table]:
    """An environment's tables. If its records do not have the form that it writes (a folder from elsewhere may hold
    such), a sentence in their place.
    """
    try:
        return _function(ENTRIES[env].analysis)(episodes, lambda e: list(run.steps(e.spec.id, [])))
    except Exception as error:
        if not isinstance(error, _BAD_RECORDS) and not ENTRIES[env].distribution:
            raise  # a plugin's function may raise anything; ours may not
        return [
            Table(
                env,
                ("",),
                (),
                f"There are no tables of {env}: its records do not have the form that it writes"
                f" ({type(error).__name__}: {str(error)[:200]}).",
            )
        ]


def _function(target: str) -> Analysis:
    found: Analysis = load(target)
    return found

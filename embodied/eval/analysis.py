"""The environments' own tables: what a mean of progress does not say (accuracy by scenario, collisions, baselines on
the same items).

An environment names its function in the catalog (`Entry.analysis`): it gets the scored episodes of that environment in
one run, and returns tables. They are printed under the score and stand in the report.
"""

from __future__ import annotations

from importlib import import_module

from embodied.catalog import ENTRIES
from embodied.errors import EmbodiedError
from embodied.eval.results import Results, progress
from embodied.eval.tables import Analysis, Table
from embodied.store.run import Run
from embodied.types import Episode


def analyse(run: Run, results: Results) -> list[Table]:
    """The tables of every environment of a run that has some; of its scored episodes, in the order of the plan."""
    by_env: dict[str, list[Episode]] = {}
    for episode in results.ended.values():
        if progress(episode) is not None and (entry := ENTRIES.get(episode.spec.task.env)) and entry.analysis:
            by_env.setdefault(entry.name, []).append(episode)
    return [table for env, episodes in by_env.items() for table in _tables(run, env, episodes)]


def _tables(run: Run, env: str, episodes: list[Episode]) -> list[Table]:
    """An environment's tables; a sentence in their place where its records are not such as it writes, which a folder
    from elsewhere may hold.
    """
    try:
        return _function(ENTRIES[env].analysis)(episodes, lambda e: list(run.steps(e.spec.id, [])))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, EmbodiedError) as error:
        return [
            Table(
                env,
                ("",),
                (),
                f"There are no tables of {env}: its records are not such as it writes them ({type(error).__name__}:"
                f" {str(error)[:200]}).",
            )
        ]


def _function(target: str) -> Analysis:
    module, _, name = target.partition(":")
    found: Analysis = getattr(import_module(module), name)
    return found

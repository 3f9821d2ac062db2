"""BALROG's own aggregation, for comparison with published numbers (balrog/utils.py at af7d1f1).

Tasks of an environment are pooled, the standard error divides by N instead of N - 1, and the error of the whole is the
root of the sum of squares over the number of environments. Ours (`embodied.eval.score`) weighs tasks equally and gives
intervals.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from embodied.eval.results import Results, progress
from embodied.types import Episode, Json

NAMES = {"nethack": "nle"}
"""Our name of an environment -> BALROG's, where they differ."""

PUBLISHED = ("progression_percentage", "standard_error", "episodes_played")
"""Numbers of an environment in a published summary; one without them is left out."""


def summary(results: Results) -> Json:
    """The run's `summary.json` as BALROG would write it, in percent, without `client` and `agent`.

    A run imported from a submission that published no episodes has its published environments.
    """
    published = results.record.config.get("imported", {}).get("summary") if not results.ended else None
    said = (published or {}).get("environments") or {}
    environments = (
        {name: dict(env) for name, env in said.items() if all(env.get(k) is not None for k in PUBLISHED)}
        if published
        else _environments(results)
    )
    n = len(environments)
    return {
        "average_progress": sum(e["progression_percentage"] for e in environments.values()) / n if n else 0.0,
        "standard_error": math.sqrt(sum(e["standard_error"] ** 2 for e in environments.values())) / n if n else 0.0,
        "environments": environments,
        "total_input_tokens": sum(e.usage.input for e in results.ended.values()),
        "total_output_tokens": sum(e.usage.output for e in results.ended.values()),
    }


def _environments(results: Results) -> Json:
    found = {}
    for env in dict.fromkeys(spec.task.env for spec in results.record.planned):
        values = _progress(e for e in results.ended.values() if e.spec.task.env == env)
        if values:
            found[NAMES.get(env, env)] = pooled(values)
    return found


def environment_summary(results: Results, env: str) -> Json:
    """The `<env>_summary.json` of one of our environments as BALROG would write it, in percent."""
    episodes = [e for e in results.ended.values() if e.spec.task.env == env and progress(e) is not None]
    tasks = dict.fromkeys(e.spec.task.task for e in episodes)
    whole = pooled(_progress(episodes))
    return {
        "progression_percentage": whole["progression_percentage"],
        "standard_error": whole["standard_error"],
        "average_steps": sum(e.steps for e in episodes) / len(episodes) if episodes else 0.0,
        "episodes_played": len(episodes),
        "tasks": {task: pooled(_progress(e for e in episodes if e.spec.task.task == task)) for task in tasks},
        "input_tokens": sum(e.usage.input for e in episodes),
        "output_tokens": sum(e.usage.output for e in episodes),
    }


def _progress(episodes: Iterable[Episode]) -> list[float]:
    return [value for e in episodes if (value := progress(e)) is not None]


def pooled(values: Sequence[float]) -> Json:
    """Mean and standard error in percent: population standard deviation over the root of N, 0 for fewer than two."""
    n = len(values)
    average = sum(values) / n if n else 0.0
    error = math.sqrt(sum((v - average) ** 2 for v in values) / n) / math.sqrt(n) if n > 1 else 0.0
    return {"progression_percentage": 100 * average, "standard_error": 100 * error, "episodes_played": n}

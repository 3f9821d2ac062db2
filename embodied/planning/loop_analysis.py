"""Tables of PathEvalLoop-v1: regret, arrival and collisions, of all episodes and by scenario and family of maps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.resources import files

import numpy as np

from embodied.eval.floors import known
from embodied.eval.intervals import interval
from embodied.eval.statistics import stratify
from embodied.eval.tables import Replies, Table, share
from embodied.planning.scenarios import SCENARIOS
from embodied.types import Episode

_COLUMNS = ("", "episodes", "regret", "regret if arrived", "arrived", "collision", "decisions", "replans")
_NOTE = (
    "Regret in [0, 1]: (best - utility) / (best - worst) over policies on the same proposals, 1 where the robot did not"
    " arrive; with 95 % intervals (shares: Wilson)."
)


def tables(episodes: Sequence[Episode], replies: Replies) -> list[Table]:
    """The tables of scored episodes."""
    order = {s.name: s.number for s in SCENARIOS}
    scenarios = sorted({str(e.info["scenario"]) for e in episodes}, key=lambda name: order[name])
    families = sorted({str(e.info["map"]["family"]) for e in episodes})
    rows = [_row("all", episodes)]
    rows += [_row(f"scenario {name}", [e for e in episodes if e.info["scenario"] == name]) for name in scenarios]
    rows += [_row(f"maps {name}", [e for e in episodes if e.info["map"]["family"] == name]) for name in families]
    passed = sum(int(e.info.get("passed_over") or 0) for e in episodes)
    note = _NOTE + (f" Maps passed over because no path leads through them: {passed}." if passed else "")
    return [
        Table("PathEvalLoop-v1: choosing paths on the way", _COLUMNS, tuple(rows), note),
        _chosen(episodes, replies),
        *([_rules(episodes)] if all(_usual(e) for e in episodes) else []),
    ]


def _usual(episode: Episode) -> bool:
    """Whether an episode was played with the options that the rules were measured with."""
    task = episode.spec.task
    return bool(known(task.env, task.task, task.kwargs))


def _rules(episodes: Sequence[Episode]) -> Table:
    """The run beside rules that look at no map: `data/loop_floors.json`, written by `benchmarks/loop_floors.py`."""
    measured = json.loads(files("embodied.planning").joinpath("data/loop_floors.json").read_text(encoding="utf-8"))
    n = measured["episodes"]
    own = _mean(episodes, lambda e: e.progress or 0.0)
    rows = [("this run", len(episodes), own, share(sum(bool(e.success) for e in episodes), len(episodes)))]
    for name, row in measured["rules"].items():
        value = row["progress"]
        shown = f"{value['mean']:.2f} ± {value['standard_error']:.2f}"
        rows.append((name, n, shown, share(row["arrived"], n)))
    return Table(
        "PathEvalLoop-v1: what rules earn that look at no map",
        ("who", "episodes", "progress", "arrived"),
        tuple(rows),
        f"Rules: means with standard errors, of the {n} episodes that `--episodes {n}` plays with the default options."
        " A path that is not offered is executed as `replan`. The last row was chosen from the same episodes.",
    )


def _row(name: str, episodes: Sequence[Episode]) -> tuple[str | float | int | None, ...]:
    def mean(key: str) -> float:
        return float(np.mean([e.metrics[key] for e in episodes]))

    arrived = [e for e in episodes if e.success]
    return (
        name,
        len(episodes),
        _mean(episodes, lambda e: e.metrics["regret"]),
        _mean(arrived, lambda e: e.metrics["regret"]),
        share(len(arrived), len(episodes)),
        share(sum(e.metrics["collision"] for e in episodes), len(episodes)),
        round(mean("decisions"), 1),
        round(mean("replans"), 1),
    )


def _mean(episodes: Sequence[Episode], of: Callable[[Episode], float]) -> str:
    """A mean with its 95 % interval, cut to [0, 1]; without one where there can be none."""
    if not episodes:
        return "-"
    values = [of(e) for e in episodes]
    mean = f"{np.mean(values):.2f}"
    found = interval(stratify({("loop", ""): values})) if len(values) > 1 else None
    return f"{mean} [{found[0]:.2f}, {found[1]:.2f}]" if found else mean


def _chosen(episodes: Sequence[Episode], replies: Replies) -> Table:
    """Whose paths were driven, and in which place they stood: a position that is always taken shows here."""
    planners: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for episode in episodes:
        for step in replies(episode):
            planners[str(step.info.get("chosen") or "none: replan")] += 1
            places[step.executed] += 1
    total = sum(planners.values())
    rows = [(f"planner {name}", count, count / total) for name, count in sorted(planners.items())]
    rows += [(name, count, count / total) for name, count in sorted(places.items())]
    return Table(
        "What was chosen",
        ("", "decisions", "share"),
        tuple(rows),
        "The order of the planners is drawn at every decision.",
    )

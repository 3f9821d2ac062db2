"""The tables of PathEval-v0: how often answers are right, in which scenarios, by which margin, and what rules that
ignore the scenario score.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from statistics import fmean, median

from embodied.eval.tables import Replies, Table, share
from embodied.planning.descriptors import DESCRIPTORS, NAMES
from embodied.planning.env import PathEvalEnv
from embodied.planning.scenarios import SCENARIOS
from embodied.types import Episode

BINS = (1.0, 1.5, 2.0, 3.0, 5.0, float("inf"))
"""Margins, in thresholds."""
_MAIN = ("shorter", "smoother", "fewer sharp turns, then smoother", "the first path")
"""Shortcuts that are listed besides the best one."""
_SILENT = ("image", "expert", "max_steps", "render_mode", "data")

Group = Sequence[Episode]
Chosen = Callable[[Episode], int]
"""What was answered: 1 or 2 in the order shown, 0 for none."""


def tables(episodes: Sequence[Episode], replies: Replies) -> list[Table]:
    """The tables of the scored episodes of a run, by task and options."""
    groups: dict[tuple[str, str], list[Episode]] = {}
    for episode in episodes:
        if episode.info and episode.metrics:
            groups.setdefault((episode.spec.task.task or "decide", _options(episode)), []).append(episode)
    return [
        table
        for (task, options), group in groups.items()
        for table in _of_task(task, f"{task} ({options})" if options else task, group)
    ]


def _options(episode: Episode) -> str:
    """The options of an episode that are not the default, in words."""
    defaults = {name: p.default for name, p in inspect.signature(PathEvalEnv).parameters.items()}
    given = {
        k: v
        for k, v in episode.spec.task.kwargs.items()
        if k not in _SILENT and str(v).lower() != str(defaults.get(k)).lower()
    }
    shown = [] if episode.spec.task.kwargs.get("image") else ["no pictures"]
    return ", ".join(shown + [f"{k}={v}" for k, v in sorted(given.items())])


def _of_task(task: str, title: str, group: Group) -> Iterator[Table]:
    if task == "abstract":
        yield _abstraction(title, group)
    elif task == "perceive":
        yield _perception(title, group) if "chosen" in group[0].metrics else _values(title, group)
    else:
        yield _judges(title, group)
        yield _scenarios(title, group)
        yield _margins(title, group)


# --------------------------------------------------------------------------- judging


def _agent(episode: Episode) -> int:
    return int(episode.metrics.get("chosen", 0))


def _shortcut(name: str) -> Chosen:
    return lambda episode: int(episode.info["shortcuts"][name])


def _right(group: Iterable[Episode], chosen: Chosen) -> int:
    return sum(chosen(e) == e.info["answer"] for e in group)


def best_shortcut(group: Group) -> str:
    """The rule that ignores the scenario and is right most often; among equals the first."""
    rules: dict[str, int] = group[0].info["shortcuts"]
    return max(rules, key=lambda name: _right(group, _shortcut(name)))


def _judges(title: str, group: Group) -> Table:
    best = best_shortcut(group)
    rules = [best, *(name for name in _MAIN if name != best)]
    rows = [_judge("the agent", group, _agent)]
    rows += [_judge(f"always {name}{' (best)' if name == best else ''}", group, _shortcut(name)) for name in rules]
    first = share(sum(e.info["answer"] == 1 for e in group), len(group))
    return Table(
        f"PathEval {title}: the agent, and rules that ignore the scenario",
        (
            "who",
            "items",
            "right",
            "by scenario",
            "right of readable",
            "unparsed",
            "contrast",
            "consistent",
            "took the first",
        ),
        tuple(rows),
        "right: share of right answers; an unparsed answer is not right. by scenario: mean over scenarios. contrast:"
        " two items show the same two paths in scenarios with opposite answers; the share of such couples with both"
        " right. consistent: share of the items shown in both orders for which the agent took the same path. The right"
        f" path came first in {first}. A coin gets 0.50, and 0.25 of the couples.{_left_out(group)}",
    )


def _judge(name: str, group: Group, chosen: Chosen) -> tuple[str | float | int | None, ...]:
    readable = [e for e in group if chosen(e)]
    parts = _by(group, lambda e: e.info["scenario"]).values()
    return (
        name,
        len(group),
        share(_right(group, chosen), len(group)),
        fmean(_right(part, chosen) / len(part) for part in parts),
        share(_right(readable, chosen), len(readable)),
        share(len(group) - len(readable), len(group)),
        share(*contrast(group, chosen)),
        share(*consistency(group, chosen)),
        share(sum(chosen(e) == 1 for e in readable), len(readable)),
    )


def contrast(group: Group, chosen: Chosen) -> tuple[int, int]:
    """Couples of items that show the same pair in the same order and have opposite answers: those with both right, and
    all.
    """
    right = total = 0
    for same in _by(group, lambda e: (e.info["pair"], e.info["swapped"])).values():
        items = list({e.info["item"]: e for e in same}.values())
        for one, other in combinations(items, 2):
            if one.info["answer"] != other.info["answer"]:
                total += 1
                right += _right((one, other), chosen) == 2
    return right, total


def consistency(group: Group, chosen: Chosen) -> tuple[int, int]:
    """Items shown in both orders: those where the same path was taken both times, and all."""
    same = total = 0
    for shown in _by(group, lambda e: e.info["item"]).values():
        orders = {e.info["swapped"]: chosen(e) for e in shown}
        if len(orders) == 2:
            total += 1
            same += bool(orders[False]) and orders[False] + orders[True] == 3
    return same, total


def _scenarios(title: str, group: Group) -> Table:
    best = best_shortcut(group)
    rows = []
    for name, part in _ordered(group).items():
        unparsed = sum(not _agent(e) for e in part)
        rows.append(
            (
                name,
                len(part),
                share(_right(part, _agent), len(part)),
                share(unparsed, len(part)),
                _right(part, _shortcut(best)) / len(part),
            )
        )
    return Table(
        f"PathEval {title}: by scenario", ("scenario", "items", "right", "unparsed", f"always {best}"), tuple(rows)
    )


def _margins(title: str, group: Group) -> Table:
    def margin(e: Episode) -> float:
        return max((abs(e.info["margins"][name]) for name in NAMES if e.info["votes"][name]), default=0.0)

    return Table(
        f"PathEval {title}: by margin",
        ("margin", "items", "right", "unparsed"),
        _binned(group, margin),
        "margin: the greatest difference in a descriptor that matters, in its threshold.",
    )


def _binned(group: Group, margin: Callable[[Episode], float]) -> tuple[tuple[str | int, ...], ...]:
    rows = []
    for low, high in pairwise(BINS):
        part = [e for e in group if low <= margin(e) < high]
        if part:
            name = f"{low:g} and more" if high == BINS[-1] else f"{low:g} to {high:g}"
            rows.append(
                (
                    name,
                    len(part),
                    share(_right(part, _agent), len(part)),
                    share(sum(not _agent(e) for e in part), len(part)),
                )
            )
    return tuple(rows)


# --------------------------------------------------------------------------- seeing


def _perception(title: str, group: Group) -> Table:
    rows = []
    for d in DESCRIPTORS:
        part = [e for e in group if e.info["descriptor"] == d.name]
        if part:
            rows.append(_seen(d.key, part))
    rows.append(_seen("all", group))
    return Table(
        f"PathEval {title}: which path has less",
        (
            "descriptor",
            "asked",
            "pairs",
            "right",
            "always the first",
            "unparsed",
            "took the first",
            *(f"right, margin {low:g}+" for low in (2.0, 3.0)),
        ),
        tuple(rows),
        "Pairs differ by a threshold or more. If a pair was asked about twice, intervals count it once. margin: the"
        f" difference, in thresholds. A coin gets 0.50.{_left_out(group)}",
    )


def _seen(name: str, part: Group) -> tuple[str | int | None, ...]:
    readable = [e for e in part if _agent(e)]
    wide = [[e for e in part if abs(e.info["margins"][e.info["descriptor"]]) >= low] for low in (2.0, 3.0)]
    return (
        name,
        len(part),
        len(_by(part, _question)),
        _once(part, lambda e: e.metrics["correct"]),
        _once(part, lambda e: e.metrics["answer"] == 1),
        _once(part, lambda e: not _agent(e)),
        _once(readable, lambda e: _agent(e) == 1),
        *(_once(w, lambda e: e.metrics["correct"]) for w in wide),
    )


def _question(episode: Episode) -> object:
    return episode.info["pair"], episode.info["descriptor"]


def _once(part: Group, is_so: Callable[[Episode], float], question: Callable[[Episode], object] = _question) -> str:
    """A share of distinct questions: those asked several times count once, with their mean."""
    means = [fmean(map(is_so, same)) for same in _by(part, question).values()]
    return share(sum(means), len(means))


def _values(title: str, group: Group) -> Table:
    rows = []
    for d in DESCRIPTORS:
        part = [e for e in group if e.info["descriptor"] == d.name]
        if not part:
            continue
        truth = [[row[d.name] for row in e.info["descriptors"][e.info["descriptor_set"]]] for e in part]
        middle = median(v for row in truth for v in row)
        blind = fmean(abs(v - middle) for row in truth for v in row)
        told = [e for e in part if not e.metrics["unparsed"]]
        error = fmean(e.metrics["absolute_error"] for e in told) if told else None
        thresholds = fmean(e.metrics["error_in_thresholds"] for e in told) if told else None
        counts = len(part), len(_by(part, _question))
        close, unparsed = _once(part, lambda e: bool(e.success)), _once(part, lambda e: e.metrics["unparsed"])
        rows.append((f"{d.key} ({d.unit})", *counts, error, blind, thresholds, close, unparsed))
    return Table(
        f"PathEval {title}: values",
        (
            "descriptor",
            "asked",
            "pairs",
            "MAE",
            "MAE of the median",
            "MAE in thresholds",
            "both within a threshold",
            "unparsed",
        ),
        tuple(rows),
        "MAE: mean absolute error of the answers that could be read. Without seeing anything, the best answer is the"
        " median of all these paths. If a pair was asked about twice, intervals count it once." + _left_out(group),
    )


# --------------------------------------------------------------------------- knowing what matters


def _abstraction(title: str, group: Group) -> Table:
    rows = [_known(name, part) for name, part in _ordered(group).items()]
    return Table(
        f"PathEval {title}: which descriptors matter",
        ("scenario", "answers", "F1", "F1 without direction", "exact", "unparsed"),
        (*rows, _all_known(group)),
        "F1 of the set of (descriptor, direction). An unparsed answer has F1 0. A scenario is one question, even if it"
        " was asked many times: its interval covers asking it again. The last row's interval covers other scenarios.",
    )


def _known(name: str, part: Group) -> tuple[str | float | int, ...]:
    f1, named = (fmean(e.metrics.get(key, 0.0) for e in part) for key in ("f1", "f1_without_direction"))
    return (
        name,
        len(part),
        f1,
        named,
        share(sum(bool(e.success) for e in part), len(part)),
        share(sum(e.metrics["unparsed"] for e in part), len(part)),
    )


def _all_known(group: Group) -> tuple[str | float | int, ...]:
    def scenario(e: Episode) -> object:
        return e.info["scenario"]

    name, asked, f1, named, *_ = _known("all", group)
    return (
        name,
        asked,
        f1,
        named,
        _once(group, lambda e: bool(e.success), scenario),
        _once(group, lambda e: e.metrics["unparsed"], scenario),
    )


# --------------------------------------------------------------------------- grouping


def _by(group: Iterable[Episode], key: Callable[[Episode], object]) -> Mapping[object, list[Episode]]:
    parts: dict[object, list[Episode]] = {}
    for episode in group:
        parts.setdefault(key(episode), []).append(episode)
    return parts


def _ordered(group: Group) -> dict[str, list[Episode]]:
    """By scenario, in PathEval's order."""
    parts = _by(group, lambda e: e.info["scenario"])
    return {s.name: parts[s.name] for s in SCENARIOS if s.name in parts}


def _left_out(group: Group) -> str:
    left, records = group[0].info.get("left_out", 0), group[0].info.get("records", 0)
    return f" Of {records} published records {left} are left out: their label is not the rule's." if left else ""

"""What `embodied ablate --corrector NAME` prints at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
from rich.text import Text

from embodied.cli.output import print_json
from embodied.cli.tables import console, percent, print_floors, print_table, span, table
from embodied.eval import floors
from embodied.eval.ablation import AGENT, Condition, Row, ablation, joined, measure
from embodied.eval.statistics import Interval
from embodied.quantities import episodes
from embodied.rollout.counts import CORRECTIONS, FOLLOWED
from embodied.terminal import line, plain, shell_word

ALONE, CORRECTED, EXPERT = "alone", "corrected", "expert alone"
"""Names of columns. Columns of `--also` are named by what they set."""


@dataclass(frozen=True)
class Words:
    """What was said in a condition, over its scored episodes."""

    episodes: int
    corrections: int
    followed: int

    @property
    def each(self) -> float:
        """Corrections an episode."""
        return self.corrections / self.episodes if self.episodes else 0.0


def print_help(conditions: Sequence[Condition], corrector: str, out: Path, metric: str, as_json: bool) -> None:
    """Prints the columns and what the words brought, or JSON.

    Raises:
        UsageError: No episode has the metric.
    """
    value, bounded = measure(metric, conditions)
    rows = ablation(conditions, value, bounded)
    said = {c.name: spoken(c) for c in conditions if c.runs}
    if as_json:
        _print_json(conditions, rows, said, corrector, out, metric)
        return
    print()
    _print_columns(conditions, rows, metric, bounded)
    print()
    _print_gains(rows, said, corrector, bounded)
    shown = console()
    for sentence in _remarks(conditions, rows):
        shown.print(line(sentence), highlight=False, markup=False, soft_wrap=True)
    print_floors(joined(conditions[0].runs))
    print(plain(f"Look: `embodied view {shell_word(out)}`."))


def spoken(condition: Condition) -> Words:
    """What was said in a condition."""
    scored = [e for e in joined(condition.runs).ended.values() if e.progress is not None]
    counts = [sum(e.counts.get(name, 0) for e in scored) for name in (CORRECTIONS, FOLLOWED)]
    return Words(len(scored), *counts)


def _shown(name: str) -> str:
    return ALONE if name == AGENT else name


def _tasks(rows: Sequence[Row]) -> dict[tuple[str, str], dict[str, Row]]:
    """(environment, task) -> condition -> row."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        found.setdefault((row.env, row.task), {})[row.condition] = row
    return found


def _print_columns(conditions: Sequence[Condition], rows: Sequence[Row], metric: str, bounded: bool) -> None:
    names = [c.name for c in conditions if c.runs]
    shown = table(metric, *map(_shown, names))
    for (env, task), found in _tasks(rows).items():
        of = f"{env} {task}".strip() or f"all {found[AGENT].tasks} tasks"
        shown.add_row(Text(line(of), style="bold"), *(_number(found.get(name), bounded) for name in names))
        spans = ("" if name not in found else _span(found[name].interval, bounded) for name in names)
        shown.add_row(Text("  95 % interval", style="dim"), *spans)
    print_table(console(), shown)


def _print_gains(rows: Sequence[Row], said: Mapping[str, Words], corrector: str, bounded: bool) -> None:
    """What each condition earns more than the agent alone, over all tasks, and what was said for it."""
    shown = table(
        f"against {ALONE}", "gain", "95 % interval", "p", "seeds", "corrections an episode", "followed", "scored"
    )
    whole = next(iter(_tasks(rows).values()))
    for name, row in whole.items():
        if name == AGENT:
            continue
        words, lead = said[name], row.difference_interval
        spoke = name != EXPERT
        shown.add_row(
            Text(line(f"{name} ({corrector})" if name == CORRECTED else name)),
            _gain(row.difference, bounded),
            _span((-lead[1], -lead[0]) if lead else None, bounded),
            "-" if row.p is None else f"{row.p:.3g}",
            f"{row.pairs} shared" if row.pairs else "-",
            f"{words.each:.1f}" if spoke else "",
            f"{words.followed} of {words.corrections}" if spoke else "",
            f"{row.scored}/{row.planned}",
        )
    print_table(console(), shown)


def _number(row: Row | None, bounded: bool) -> str:
    value = None if row is None else row.score
    return percent(value) if bounded else "-" if value is None else f"{value:.4g}"


def _gain(difference: float | None, bounded: bool) -> str:
    if difference is None:
        return "-"
    return f"{-100 * difference + 0.0:+.1f}" if bounded else f"{-difference + 0.0:+.3g}"


def _span(interval: Interval | None, bounded: bool) -> str:
    return span(interval) if bounded or interval is None else f"{interval[0]:.3g} to {interval[1]:.3g}"


def _remarks(conditions: Sequence[Condition], rows: Sequence[Row]) -> list[str]:
    """What a reader of the tables must know besides."""
    found = ["All columns play the same seeds. A gain is paired by seed; p is not corrected for several columns."]
    for condition in conditions:
        reasons = list(dict.fromkeys(condition.left_out.values()))
        if reasons:
            found.append(f"No {condition.name} for some tasks: {' '.join(reasons)}")
    whole = next(iter(_tasks(rows).values()))
    for name, row in whole.items():
        if row.scored < row.planned:
            found.append(f"{_shown(name)}: {episodes(row.planned - row.scored, 'be')} not scored.")
    return found


def _print_json(
    conditions: Sequence[Condition],
    rows: Sequence[Row],
    said: Mapping[str, Words],
    corrector: str,
    out: Path,
    metric: str,
) -> None:
    print_json(
        {
            "out": str(out),
            "metric": metric,
            "corrector": corrector,
            "columns": [
                {
                    "name": _shown(c.name),
                    "meaning": c.meaning,
                    "runs": [str(run.root) for run in c.runs],
                    "left_out": [{"env": env, "task": task, "reason": why} for (env, task), why in c.left_out.items()],
                    **(asdict(said[c.name]) | {"corrections_an_episode": said[c.name].each} if c.runs else {}),
                }
                for c in conditions
            ],
            "rows": [{**msgspec.to_builtins(row), "condition": _shown(row.condition)} for row in rows],
            "floors": floors.plain(floors.of_run(joined(conditions[0].runs).record)),
        }
    )

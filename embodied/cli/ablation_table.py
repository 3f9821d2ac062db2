"""What `embodied ablate` prints at its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.text import Text

from embodied.cli.output import print_json
from embodied.cli.tables import console, percent, print_floors, print_table, span, table
from embodied.controls import OTHER_GOAL, in_words
from embodied.eval import floors
from embodied.eval.ablation import AGENT, Condition, Row, ablation, joined, measure, verdicts
from embodied.eval.statistics import Interval
from embodied.rollout.playing import Job
from embodied.terminal import line, plain, shell_word

MISLED = (
    "A control misleads this agent: one that was made to do without may earn more. What is earned without looking at"
    " anything stands in the rows random and majority action"
)


def print_ablation(conditions: Sequence[Condition], job: Job, out: Path, metric: str, as_json: bool) -> None:
    """Prints the table of all conditions, or JSON.

    Raises:
        UsageError: No episode has the metric.
    """
    value, bounded = measure(metric, conditions)
    rows = ablation(conditions, value, bounded)
    said = [*(verdicts(rows) if bounded else ()), *_remarks(job, rows)]
    if as_json:
        _print_json(conditions, rows, said, out, metric)
        return
    print()
    _print_rows(rows, metric, bounded)
    shown = console()
    for sentence in (*_left_out(conditions), *said):
        shown.print(line(sentence), highlight=False, markup=False, soft_wrap=True)
    print_floors(joined(conditions[0].runs))
    print(plain(f"Look: `embodied view {shell_word(out)}`."))


def _print_rows(rows: Sequence[Row], metric: str, bounded: bool) -> None:
    shown = table("condition", metric, "95 % interval", "agent's lead", "95 % interval", "scored", "acted as the agent")
    before = None
    for row in rows:
        if (row.env, row.task) != before:
            before = (row.env, row.task)
            name = f"{row.env} {row.task}".strip() or f"all {row.tasks} tasks"
            shown.add_row(Text(line(name), style="bold"), *[""] * 6)
        shown.add_row(
            Text(f"  {in_words(row.condition)}{_part(row, rows)}"),
            _number(row.score, bounded),
            _span(row.interval, bounded),
            "" if row.condition == AGENT else _lead(row.difference, bounded),
            "" if row.condition == AGENT else _span(row.difference_interval, bounded),
            f"{row.scored}/{row.planned}",
            "" if row.condition == AGENT else f"{row.alike}/{row.pairs}",
        )
    print_table(console(), shown)


def _part(row: Row, rows: Sequence[Row]) -> str:
    """Of how many tasks a row is that is not about all of them."""
    return f" ({row.tasks} tasks)" if not row.env and row.tasks < rows[0].tasks else ""


def _number(value: float | None, bounded: bool) -> str:
    return percent(value) if bounded else "-" if value is None else f"{value:.4g}"


def _lead(value: float | None, bounded: bool) -> str:
    return "-" if value is None else f"{100 * value:+.1f}" if bounded else f"{value:+.3g}"


def _span(interval: Interval | None, bounded: bool) -> str:
    return span(interval) if bounded or interval is None else f"{interval[0]:.3g} to {interval[1]:.3g}"


def _left_out(conditions: Sequence[Condition]) -> list[str]:
    """Why rows are missing; once where the reason of several tasks is of the same kind."""
    found = []
    for condition in conditions:
        reasons = list(condition.left_out.values())
        if reasons:
            more = f" The same holds for {len(reasons) - 1} more." if len(reasons) > 1 else ""
            found.append(f"No row {in_words(condition.name)}: {reasons[0]}{more}")
    return found


def _remarks(job: Job, rows: Sequence[Row]) -> list[str]:
    """What a reader of the table must know besides."""
    found = []
    if job.config.agent.history.text:
        found.append(
            "The agent is also given the observation's text: the rows of pictures say what pictures add to that text."
        )
    whole = [r for r in rows if r.env == rows[0].env and r.task == rows[0].task]
    found.append(f"{MISLED}.")
    if any(r.condition == OTHER_GOAL for r in whole):
        found.append(
            "`acted as the agent` counts episodes with exactly the same actions. An agent that never reads its"
            " instruction acts alike in all of them."
        )
    return found


def _print_json(
    conditions: Sequence[Condition], rows: Sequence[Row], said: Sequence[str], out: Path, metric: str
) -> None:
    print_json(
        {
            "out": str(out),
            "metric": metric,
            "conditions": [
                {
                    "name": c.name,
                    "meaning": c.meaning,
                    "runs": [str(run.root) for run in c.runs],
                    "left_out": [{"env": env, "task": task, "reason": why} for (env, task), why in c.left_out.items()],
                }
                for c in conditions
            ],
            "rows": [msgspec.to_builtins(row) for row in rows],
            "remarks": list(said),
            "floors": floors.plain(floors.of_run(joined(conditions[0].runs).record)),
        }
    )

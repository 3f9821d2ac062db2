"""`embodied compare`."""

from __future__ import annotations

from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

if TYPE_CHECKING:
    from embodied.eval.compare import Comparison, Difference
    from embodied.eval.results import Results
    from embodied.types import Json


class Metric(StrEnum):
    progress = "progress"
    success = "success"


def compare(
    runs: list[str] = typer.Argument(..., help="Run folders, two or more."),
    metric: Metric = typer.Option(Metric.progress, "--metric", help="What is compared."),
    tasks: bool = typer.Option(False, "--tasks", help="A line for every task as well."),
    settings: bool = typer.Option(False, "--settings", help="Every setting in which two runs differ as well."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of tables."),
) -> None:
    """Says which run is better, by how much, and whether it could be luck."""
    from embodied.cli.output import print_json
    from embodied.eval.compare import compare as compare_runs
    from embodied.eval.results import METRICS, read
    from embodied.store.run import Run

    opened = {run: read(Run(run)) for run in runs}
    result = compare_runs([opened[run] for run in runs], METRICS[metric])
    if as_json:
        print_json(
            {
                "metric": metric.value,
                "differences": [_json(d) for d in result.differences],
                "nothing_in_common": result.nothing_in_common,
            }
        )
    else:
        _print(result, tasks)
        if settings:
            for a, b in combinations(opened.values(), 2):
                _print_settings(a, b)


def _print_settings(a: Results, b: Results) -> None:
    """Every setting in which two runs differ."""
    from embodied.cli.tables import console, table
    from embodied.eval.settings import changed

    found = changed(a.record, b.record)
    if not found:
        console().print(f"{a.path} and {b.path} have the same settings.", highlight=False, markup=False)
        return
    shown = table("setting", a.path, b.path)
    for key, mine, theirs in found:
        shown.add_row(escape(key), escape(mine[:200]), escape(theirs[:200]))
    console().print(shown, highlight=False)


def _print(result: Comparison, tasks: bool) -> None:
    from embodied.cli.tables import console, percent, span, table

    out = console()
    shown = table(
        "runs", "A", "B", "A - B", "95 % interval", "p", "Holm", "could show", "seeds", "tasks won, tied, lost"
    )
    for d in result.differences:
        shown.add_row(
            f"A {d.a}\nB {d.b}",
            percent(d.score_a),
            percent(d.score_b),
            f"{100 * d.difference:+.1f}",
            span(d.interval),
            _p(d.p),
            _p(d.p_holm),
            "-" if d.detectable is None else f"{100 * d.detectable:.1f}",
            f"{d.pairs} {'shared' if d.paired else 'apart'}",
            ", ".join(map(str, d.record)),
        )
    out.print(shown, highlight=False)
    for d in result.differences:
        out.print(_verdict(d), highlight=False, markup=False, soft_wrap=True)
        if d.interval and (d.p <= 0.05) != (d.interval[0] > 0 or d.interval[1] < 0):
            out.print(
                "  Interval and test disagree, as they may near 5 %: the test decides.", style="dim", highlight=False
            )
        for words in (*d.left_out, *(f"Beside the agents this differs. {w}" for w in d.differs)):
            out.print(f"  {words}", style="dim", highlight=False, markup=False, soft_wrap=True)
        if tasks:
            rows = table("task", "A", "B", "A - B", "seeds")
            for t in d.tasks:
                rows.add_row(
                    f"{t.env} {t.task}".strip(), percent(t.a), percent(t.b), f"{100 * t.difference:+.1f}", str(t.pairs)
                )
            out.print(rows, highlight=False)
    for a, b in result.nothing_in_common:
        out.print(f"{a} and {b} have no scored task in common and are not compared.", highlight=False, markup=False)


def _verdict(d: Difference) -> str:
    """The comparison in a sentence."""
    if d.p_holm <= 0.05:
        better, worse = (d.a, d.b) if d.difference > 0 else (d.b, d.a)
        return f"{better} is better than {worse}: {abs(100 * d.difference):.1f} points, p {_equals(d.p_holm)}."
    able = (
        f"These episodes would show a difference of {100 * d.detectable:.1f} points in four of five repetitions"
        if d.detectable is not None
        else f"These episodes could show no difference ({d.no_interval or 'fewer than six pairs'})"
    )
    return (
        f"No difference shown between {d.a} and {d.b} (p {_equals(d.p_holm)}). {able}; `embodied power {d.a} {d.b}`"
        " says how many it takes."
    )


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _equals(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _json(d: Difference) -> Json:
    import msgspec

    won, tied, lost = d.record
    plain = msgspec.to_builtins(d)
    tasks = [{**row, "difference": t.difference} for row, t in zip(plain["tasks"], d.tasks, strict=True)]
    return {**plain, "difference": d.difference, "won": won, "tied": tied, "lost": lost, "tasks": tasks}

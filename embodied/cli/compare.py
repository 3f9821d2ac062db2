"""`embodied compare`."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from embodied.terminal import plain, shell_word

if TYPE_CHECKING:
    from embodied.eval.compare import Comparison, Difference
    from embodied.eval.metrics import Metric
    from embodied.eval.results import Results
    from embodied.types import Json


def compare(
    runs: list[str] = typer.Argument(..., help="Run folders, two or more."),
    metric: str = typer.Option(
        "progress",
        "--metric",
        help="What is compared: progress, success, or a metric of a plugin (`embodied list metrics`).",
    ),
    tasks: bool = typer.Option(False, "--tasks", help="A line for every task as well."),
    settings: bool = typer.Option(False, "--settings", help="Every setting in which two runs differ as well."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of tables."),
) -> None:
    """Says which run is better, by how much, and whether it could be luck."""
    from embodied.cli.output import print_json
    from embodied.eval import metrics
    from embodied.eval.compare import compare as compare_runs
    from embodied.eval.results import read
    from embodied.store.run import Run

    read_as = metrics.metric(metric)
    opened = {run: read(Run(run)) for run in runs}
    notes: list[str] = []
    for run, results in opened.items():
        opened[run], wrong = metrics.measured(metric, Run(run), results)
        notes += [f"{run}: {sentence}" for sentence in wrong]
    by = metrics.value_of(metric)
    result = metrics.in_own_units(compare_runs([opened[run] for run in runs], by, read_as.range is not None), metric)
    if as_json:
        print_json(
            {
                "metric": metric,
                "higher_is_better": read_as.higher_is_better,
                "notes": notes,
                "differences": [_json(d, Words(read_as)) for d in result.differences],
                "nothing_in_common": result.nothing_in_common,
            }
        )
    else:
        _print(result, tasks, read_as)
        for sentence in notes:
            typer.echo(plain(sentence))
        if settings:
            for a, b in combinations(opened.values(), 2):
                _print_settings(a, b)


def _print_settings(a: Results, b: Results) -> None:
    """Every setting in which two runs differ."""
    from embodied.cli.tables import console, print_table, table
    from embodied.eval.settings import changed

    found = changed(a.record, b.record)
    if not found:
        console().print(f"{a.path} and {b.path} have the same settings.", highlight=False, markup=False)
        return
    shown = table("setting", a.path, b.path)
    for key, mine, theirs in found:
        shown.add_row(escape(key), escape(mine[:200]), escape(theirs[:200]))
    print_table(console(), shown)


def _print(result: Comparison, tasks: bool, metric: Metric) -> None:
    from embodied.cli.tables import console, print_table, table

    out, said = console(), Words(metric)
    shown = table(
        "runs", "A", "B", "A - B", "95 % interval", "p", "Holm", "could show", "seeds", "tasks won, tied, lost"
    )
    for d in result.differences:
        shown.add_row(
            f"A {d.a}\nB {d.b}",
            said.value(d.score_a),
            said.value(d.score_b),
            said.difference(d.difference),
            said.span(d.interval),
            _p(d.p),
            _p(d.p_holm),
            "-" if d.detectable is None else said.size(d.detectable),
            f"{d.pairs} {'shared' if d.paired else 'apart'}",
            ", ".join(map(str, said.record(d))),
        )
    print_table(out, shown)
    for d in result.differences:
        out.print(_verdict(d, said), highlight=False, markup=False, soft_wrap=True)
        if d.interval and (d.p <= 0.05) != (d.interval[0] > 0 or d.interval[1] < 0):
            out.print(
                "  Interval and test disagree, as they may near 5 %: the test decides.", style="dim", highlight=False
            )
        for words in (*d.left_out, *(f"Beside the agents this differs. {w}" for w in d.differs)):
            out.print(f"  {words}", style="dim", highlight=False, markup=False, soft_wrap=True)
        if tasks:
            rows = table("task", "A", "B", "A - B", "seeds")
            for t in d.tasks:
                name = f"{t.env} {t.task}".strip()
                rows.add_row(name, said.value(t.a), said.value(t.b), said.difference(t.difference), str(t.pairs))
            print_table(out, rows)
    for a, b in result.nothing_in_common:
        out.print(f"{a} and {b} have no scored task in common and are not compared.", highlight=False, markup=False)


class Words:
    """How the numbers of a metric are written: in percent and points within [0, 1], else in units of its own."""

    def __init__(self, metric: Metric):
        self.title = metric.title
        self.higher_is_better = metric.higher_is_better
        self._percent = metric.range == (0.0, 1.0)

    def value(self, number: float) -> str:
        from embodied.cli.tables import percent

        return percent(number) if self._percent else f"{number:.4g}"

    def size(self, number: float) -> str:
        """How large a difference is, without its unit."""
        return f"{100 * number:.1f}" if self._percent else f"{number:.3g}"

    def difference(self, number: float) -> str:
        return f"{100 * number:+.1f}" if self._percent else f"{number:+.3g}"

    def span(self, interval: tuple[float, float] | None) -> str:
        return "-" if interval is None else f"{self.size(interval[0])} to {self.size(interval[1])}"

    def record(self, d: Difference) -> tuple[int, int, int]:
        """Tasks that A won, tied and lost."""
        more, tied, less = d.record
        return (more, tied, less) if self.higher_is_better else (less, tied, more)

    def points(self, number: float) -> str:
        """How large a difference is, with its unit."""
        return f"{self.size(number)} {'points' if self._percent else f'in {plain(self.title)}'}"


def _verdict(d: Difference, said: Words) -> str:
    """The comparison in a sentence."""
    p = f"{'p' if d.p == d.p_holm else 'Holm p'} {_equals(d.p_holm)}"
    if d.p_holm <= 0.05:
        better, worse = (d.a, d.b) if (d.difference > 0) == said.higher_is_better else (d.b, d.a)
        return f"{shell_word(better)} is better than {shell_word(worse)}: {said.points(abs(d.difference))}, {p}."
    able = (
        f"These episodes would show a difference of {said.points(d.detectable)} in four of five repetitions"
        if d.detectable is not None
        else f"These episodes cannot show a difference, however large: {d.no_interval or 'it takes at least six pairs'}"
    )
    power = f"; `embodied power {shell_word(d.a)} {shell_word(d.b)}` says how many are needed"
    more = power if said.title in ("progress", "success") else ""
    return f"No difference shown between {shell_word(d.a)} and {shell_word(d.b)} ({p}). {able}{more}."


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _equals(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _json(d: Difference, said: Words) -> Json:
    import msgspec

    won, tied, lost = said.record(d)
    fields = msgspec.to_builtins(d)
    tasks = [{**row, "difference": t.difference} for row, t in zip(fields["tasks"], d.tasks, strict=True)]
    return {**fields, "difference": d.difference, "won": won, "tied": tied, "lost": lost, "tasks": tasks}

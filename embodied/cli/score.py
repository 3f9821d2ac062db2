"""`embodied score`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from embodied.eval.results import Results
    from embodied.eval.score import RunScore
    from embodied.types import Json


class Statistics(StrEnum):
    embodied = "embodied"
    balrog = "balrog"


def score(
    run: str = typer.Argument(..., help="A run folder."),
    tasks: bool = typer.Option(False, "--tasks", help="A line for every task as well."),
    episodes: bool = typer.Option(False, "--episodes", help="A line for every episode as well."),
    statistics: Statistics = typer.Option(
        Statistics.embodied, "--statistics", help="balrog: pooled tasks and standard errors, as BALROG publishes them."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of tables."),
) -> int:
    """Prints a run's score by environment: mean progress, interval, and how many of the planned episodes stand behind
    it. Above it stand agent, model, suite, tokens, dollars, identity and versions.
    """
    from dataclasses import asdict

    from embodied.cli.output import print_json
    from embodied.cli.progress import line
    from embodied.cli.tables import print_analysis, print_balrog, print_floors, print_score
    from embodied.eval import balrog, floors
    from embodied.eval.analysis import analyse
    from embodied.eval.metrics import means
    from embodied.eval.results import read
    from embodied.eval.score import score as score_run
    from embodied.store.run import Run

    folder = Run(run)
    results = read(folder)
    result = score_run(results)
    about = _about(results, result)
    if statistics is Statistics.balrog:
        summary = balrog.summary(results)
        if as_json:
            print_json({**about, **summary})
        else:
            _print_about(about)
            print_balrog(summary)
        return 0
    if as_json:
        body = {**about, **asdict(result), "tables": [asdict(table) for table in analyse(folder, results)]}
        body["metrics"] = [asdict(mean) for mean in means(folder, results)[0]]
        body["floors"] = floors.plain(floors.of_run(results.record))
        if episodes:
            fields = ("outcome", "progress", "success", "steps", "return_", "error", "metrics")
            body["episodes"] = [
                {"id": e.spec.id, **{f.rstrip("_"): getattr(e, f) for f in fields}} for e in results.ended.values()
            ]
            if begun := results.record.branched:
                body["branches"] = [
                    {"id": b.spec.id, "parent": b.spec.parent, "from_step": b.spec.from_step} for b in begun
                ]
        print_json(body)
        return 0
    _print_about(about)
    print_score(result, tasks=tasks)
    print_floors(results)
    print_analysis(analyse(folder, results))
    if episodes:
        for spec in results.record.planned:
            typer.echo(line(results.ended[spec.id]) if spec.id in results.ended else f"{spec.id}  not played")
        branches = {e.spec.id: e for e in results.branches}
        for branch in results.record.branched:
            ended = branches.get(branch.spec.id)
            typer.echo(f"[branch] {line(ended) if ended is not None else f'{branch.spec.id}  not over'}")
    return 0


def _about(results: Results, result: RunScore) -> Json:
    """What was played, with what, and what it cost; tokens and dollars are those of the episodes that have ended."""
    import msgspec

    from embodied.eval.settings import describe, spent

    record, usage = results.record, result.total.usage
    about = describe(record)
    return {
        "run": results.path,
        "identity": record.identity,
        "created": record.created,
        "suite": about.suite,
        "split": about.split,
        "control": about.control,
        "agent": about.agent,
        "preset": str(record.config.get("preset") or ""),
        "model": about.model,
        "usage": msgspec.to_builtins(usage),
        "dollars": spent(record.config, usage, about),
        "versions": record.versions,
    }


def _print_about(about: Json) -> None:
    """Prints the head of the table; what is empty is left out."""
    from rich.table import Table
    from rich.text import Text

    from embodied.cli.tables import console, print_table
    from embodied.terminal import line

    usage, dollars = about["usage"], about["dollars"]
    cost = "cost not known" if dollars is None else f"{dollars:.4g} dollars"
    preset = f" (preset {about['preset']})" if about["preset"] not in ("", about["agent"]) else ""
    rows = {
        "run": about["run"],
        "suite": about["suite"],
        "split": "" if about["split"] == "test" else f"{about['split']}: not a test score",
        "control": f"{about['control']}: not the agent's own score" if about["control"] else "",
        "agent": about["agent"] + preset,
        "model": about["model"],
        "used": f"{usage['input']:,} tokens in, {usage['output']:,} out; {cost}" if usage["input"] else "",
        "identity": about["identity"],
        "versions": ", ".join(f"{name} {version}" for name, version in about["versions"].items()),
    }
    shown = Table(box=None, pad_edge=False, show_header=False)
    for name, said in rows.items():
        if said:
            shown.add_row(name, Text(line(said)))
    out = console()
    print_table(out, shown)
    out.print()

"""`embodied score`."""

from __future__ import annotations

from enum import StrEnum

import typer


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
    it.
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
    if statistics is Statistics.balrog:
        summary = balrog.summary(results)
        if as_json:
            print_json({"run": results.path, **summary})
        else:
            print_balrog(summary)
        return 0
    result = score_run(results)
    if as_json:
        body = {"run": results.path, **asdict(result), "tables": [asdict(table) for table in analyse(folder, results)]}
        body["metrics"] = [asdict(mean) for mean in means(folder, results)[0]]
        body["floors"] = floors.plain(floors.of_run(results.record))
        if episodes:
            fields = ("outcome", "progress", "success", "steps", "return_", "error", "metrics")
            body["episodes"] = [
                {"id": e.spec.id, **{f.rstrip("_"): getattr(e, f) for f in fields}} for e in results.ended.values()
            ]
        print_json(body)
        return 0
    print_score(result, tasks=tasks)
    print_floors(results)
    print_analysis(analyse(folder, results))
    if episodes:
        for spec in results.record.planned:
            typer.echo(line(results.ended[spec.id]) if spec.id in results.ended else f"{spec.id}  not played")
    return 0

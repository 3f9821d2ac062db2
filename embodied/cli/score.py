"""`embodied score`."""

from __future__ import annotations

import typer


def score(
    run: str = typer.Argument(..., help="A run folder."),
    tasks: bool = typer.Option(False, "--tasks", help="A line for every task as well."),
    episodes: bool = typer.Option(False, "--episodes", help="A line for every episode as well."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of tables."),
) -> int:
    """Prints a run's score by environment: mean progress, interval, and how many of the planned episodes stand behind it."""
    from dataclasses import asdict

    import msgspec

    from embodied.cli.progress import line
    from embodied.cli.tables import print_score
    from embodied.eval.score import score as score_run
    from embodied.store.run import Run

    opened = Run(run)
    result = score_run(opened)
    if as_json:
        body = {"run": str(opened.root), **asdict(result)}
        if episodes:
            fields = ("outcome", "progress", "success", "steps", "return_", "error", "metrics")
            body["episodes"] = [{"id": e.spec.id, **{f.rstrip("_"): getattr(e, f) for f in fields}} for e in opened.episodes()]
        typer.echo(msgspec.json.format(msgspec.json.encode(body), indent=2).decode())
        return 0
    print_score(result, tasks=tasks)
    if episodes:
        ended = {e.spec.id: e for e in opened.episodes()}
        for spec in opened.record.planned:
            typer.echo(line(ended[spec.id]) if spec.id in ended else f"{spec.id}  not played")
    return 0

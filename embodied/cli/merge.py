"""`embodied merge RUN... --out RUN`: the parts that several machines played, as one run."""

from __future__ import annotations

from pathlib import Path

import typer

from embodied.terminal import shell_word


def merge(
    runs: list[str] = typer.Argument(..., help="Run folders of the same plan, for instance the shards of a job array."),
    out: Path = typer.Option(..., "--out", help="Run folder to make, or to add to."),
) -> int:
    """Joins several folders of the same run into one.

    The exit code is 5 if planned episodes still have no score.
    """
    from embodied.cli.tables import episodes, print_score
    from embodied.eval.score import score
    from embodied.rollout.identity import difference
    from embodied.store.merge import merge as merge_runs
    from embodied.store.run import Run

    left_out: list[str] = []
    merged = merge_runs([Run(run) for run in runs], out, difference, left_out)
    print_score(score(merged))
    for note in left_out:
        typer.echo(note)
    if missing := len(merged.record.planned) - sum(merged.scored(spec.id) for spec in merged.record.planned):
        again = any(not merged.over(spec.id) for spec in merged.record.planned)
        way = f"`embodied resume {shell_word(out)}` plays again." if again else "somebody went back in them."
        typer.echo(f"{episodes(missing, 'have')} no score; {way}")
    return 5 if missing else 0

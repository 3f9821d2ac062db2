"""`embodied check ENV ...`: does an environment keep the contract?"""

from __future__ import annotations

import typer


def check(
    env: list[str] = typer.Argument(
        ..., help="A name of `embodied list envs`, a Gymnasium id, gym:ID, or module:class."
    ),
    seed: int = typer.Option(0, "--seed", min=0, help="Episode seed."),
    steps: int = typer.Option(20, "--steps", min=1, help="Steps played in each episode."),
    seconds: int = typer.Option(600, "--seconds", min=1, help="Seconds after which an environment is given up."),
) -> int:
    """Checks environments, your own too, against the contract of LanguageEnv: a report for each, exit code 1 when one
    breaks a rule, 5 when one crashes, cannot be made or hangs.
    """
    from embodied.cli.apart import apart
    from embodied.terminal import plain

    kept = True
    for name in env:
        report, ok = apart("embodied.cli.check:reported", name, seconds, name=name, seed=seed, steps=steps)
        typer.echo(plain(report))
        kept = kept and ok
    return 0 if kept else 1


def reported(name: str, seed: int, steps: int) -> tuple[str, bool]:
    """The report on an environment, and whether it keeps all rules."""
    from embodied.envs.check import check
    from embodied.envs.check.__main__ import named

    report = check(named(name), seed=seed, steps=steps)
    return str(report), report.ok

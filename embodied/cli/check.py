"""`embodied check ENV ...`: does an environment keep the contract?"""

from __future__ import annotations

import typer


def check(
    env: list[str] = typer.Argument(
        ..., help="A name of `embodied list envs`, a Gymnasium id, gym:ID, or module:class."
    ),
    seed: int = typer.Option(0, "--seed", min=0, help="Episode seed."),
    steps: int = typer.Option(20, "--steps", min=1, help="Steps played in each episode."),
) -> int:
    """Checks environments, your own too, against the contract of LanguageEnv: a report for each, exit code 1 when one
    breaks a rule.
    """
    from embodied.envs.check.__main__ import main

    return main([*env, "--seed", str(seed), "--steps", str(steps)])

"""`embodied play ENV`: a person plays, in the terminal."""

from __future__ import annotations

import typer


def play(
    ctx: typer.Context,
    env: str = typer.Argument(..., help="Environment, as `embodied list envs` names it, or gym:ID."),
    task: str | None = typer.Option(None, "--task", help="A task; the environment's first by default."),
    seed: int = typer.Option(0, "--seed", min=0, help="Suite seed."),
    steps: int | None = typer.Option(None, "--steps", min=1, help="Step limit; the environment's by default."),
    out: str | None = typer.Option(None, "--out", help="Run folder."),
) -> int:
    """Lets you play an episode in the terminal. It is recorded like any run, and can serve as a demonstration."""
    from embodied.catalog import entry
    from embodied.cli.session import play as play_job
    from embodied.cli.trust import say
    from embodied.request import Request
    from embodied.session import prepare

    if task is None and not env.startswith("gym:"):
        task = entry(env).tasks[0]
    request = Request(
        agent="human",
        env=(env,),
        task=task,
        image=False,
        episodes=1,
        seed=seed,
        steps=steps,
        out=out,
        words=tuple(ctx.args),
    )
    return play_job(prepare(request, say=say), as_json=False)

"""`embodied train`: makes agents that learn."""

from __future__ import annotations

from pathlib import Path

import typer

app = typer.Typer(help="Makes agents that learn.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    pass


@app.command()
def tinyvlm(
    env: str = typer.Option(..., "--env", help="babyai, babaisai, minihack, crafter, or several: one model for three."),
    out: Path = typer.Option(..., "--out", help="Folder of the agent; the same command continues a training in it."),
    seed: int = typer.Option(0, "--seed", min=0, help="Decides the first weights, the lessons and their order."),
    updates: int | None = typer.Option(None, "--updates", min=1, help="Steps of the optimizer; the plan's by default."),
    episodes: int | None = typer.Option(None, "--episodes", min=1, help="Episodes that the expert plays first."),
    name: str | None = typer.Option(None, "--name", help="What the agent is called; the plan's name by default."),
    device: str = typer.Option("auto", "--device", help="auto, cpu, cuda or cuda:N."),
    threads: int = typer.Option(1, "--threads", min=1, help="CPU threads. One gives the same bytes every time."),
) -> None:
    """Trains a small vision-language agent from nothing, with the world's expert as its teacher.

    The expert plays episodes of the train split. The agent learns the expert's next action from the picture, the goal
    and its own past actions. Then it plays itself, and the expert says what it should have done. Episodes of the dev
    split decide which weights are kept. `embodied eval --agent FOLDER` plays the result.
    """
    from dataclasses import replace

    from embodied.errors import MissingExtra

    try:
        import torch

        from embodied.train.tinyvlm.making import Making
        from embodied.train.tinyvlm.worlds import plan
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("embodied"):
            raise
        raise MissingExtra(f"Training (module {error.name})", "local") from error
    from embodied.cli import interrupt
    from embodied.models.local.transformers import device_of
    from embodied.terminal import shell_word

    torch.set_num_threads(threads)
    wanted = plan(env)
    wanted = replace(wanted, seed=seed, episodes=episodes or wanted.episodes, name=name or wanted.name)
    if updates is not None:
        wanted = wanted.shortened(updates)
    try:
        version = Making(wanted, out, device_of(device), lambda text: typer.echo(text)).make()
    except KeyboardInterrupt:
        interrupt.say(
            f"Stopped. The same command goes on after the last checkpoint in {shell_word(out)}, if there is one."
        )
        raise typer.Exit(interrupt.INTERRUPTED) from None
    folder = shell_word(out if out.is_absolute() else f"./{out}")
    typer.echo(f"{version.label} in {out}. Play it: embodied eval --env {wanted.worlds[0].env} --agent {folder}")

"""`embodied replay RUN [EPISODE]`: does the record still say what happens?"""

from __future__ import annotations

import typer

DIFFERS = 6
"""Exit code: something differs."""


def replay(
    run: str = typer.Argument(..., help="A run folder."),
    episode: str | None = typer.Argument(None, help="An episode: its id, a unique beginning of it, or its number; all by default."),
    workers: int | None = typer.Option(None, "--workers", min=1, help="Processes; the number of cores by default."),
    trust: bool = typer.Option(False, "--trust", help="Make environments that the folder names, although another user or machine made it."),
) -> int:
    """Executes seeds and recorded actions again and compares every observation, reward and flag; no agent, no model.

    Prints the first step that differs in each episode. Exit code 0 when all agree, 6 when something differs or is damaged.
    """
    import asyncio

    from embodied.cli.session import cores, versions
    from embodied.cli.trust import require_trust
    from embodied.errors import StoreError
    from embodied.rollout.replay import Verdict, replay_all
    from embodied.store.run import Run

    opened = Run(run)
    wanted = None if episode is None else opened.find(episode)
    specs = [spec for spec in opened.record.planned if wanted in (None, spec.id) and (opened.folder(spec.id) / "steps.jsonl").exists()]
    if not specs:
        raise StoreError(f"{run} has no recorded step" + ("." if wanted is None else f" of {wanted}."))
    require_trust(opened, trust, play=False)
    now = versions()
    if changed := [f"{name} {old} (here {now.get(name, 'none')})" for name, old in opened.record.versions.items() if now.get(name) != old]:
        typer.echo(f"Recorded with {', '.join(changed)}.")
    agreed: list[bool] = []

    def show(verdict: Verdict) -> None:
        agreed.append(not verdict.difference)
        typer.echo(f"{verdict.spec.id}  {verdict.steps} steps agree" + (f"; {verdict.difference}" if verdict.difference else ""))

    asyncio.run(replay_all(opened, specs, workers or cores(), show))
    typer.echo(f"{sum(agreed)} of {len(agreed)} episodes agree.")
    return 0 if all(agreed) else DIFFERS

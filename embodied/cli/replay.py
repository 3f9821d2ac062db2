"""`embodied replay RUN [EPISODE]`: does the record still say what happens?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from embodied.rollout.replay import Verdict
    from embodied.rollout.worlds.workers import Pool
    from embodied.store.run import Run
    from embodied.types import EpisodeSpec

DIFFERS = 6
"""Exit code: something differs."""


def replay(
    run: str = typer.Argument(..., help="A run folder."),
    episode: str | None = typer.Argument(
        None, help="An episode: its id, a unique beginning of it, or its number; all by default."
    ),
    workers: int | None = typer.Option(None, "--workers", min=1, help="Processes; the number of cores by default."),
    trust: bool = typer.Option(
        False, "--trust", help="Trust a folder that was made elsewhere, and make the environments that it names."
    ),
    data: Path | None = typer.Option(
        None, "--data", help="For imported TextWorld episodes: the folder of the published games, <task>/*.ulx or *.z8."
    ),
) -> int:
    """Executes seeds and recorded actions again, and compares every observation, reward and flag.

    It asks no agent and no model.

    Of imported runs it compares what their records hold, and says what they
    lack. It prints the first step that differs in each episode.

    Exit code: 0 if all agree; 6 if something differs or is damaged, or if
    no episode could be compared.
    """
    import asyncio
    from functools import partial

    from embodied.cli.trust import require_trust
    from embodied.errors import StoreError, UsageError
    from embodied.eval.settings import older_versions
    from embodied.exchange.balrog.replaying import COMPARED, replay_imported
    from embodied.rollout.identity import versions
    from embodied.rollout.playing import cores
    from embodied.rollout.replay import replay_all
    from embodied.store.run import Run

    opened = Run(run)
    wanted = None if episode is None else opened.find(episode)
    specs = [spec for spec in opened.record.specs if wanted in (None, spec.id) and _recorded(opened, spec.id)]
    if not specs:
        raise StoreError(f"{run} has no recorded step" + ("." if wanted is None else f" of {wanted}."))
    require_trust(opened, trust, play=False)
    imported = "imported" in opened.record.config
    if data is not None and not (imported and data.is_dir()):
        raise UsageError(
            f"There is no folder {data}."
            if imported
            else "--data is for imported runs: a run of ours records the games it played."
        )
    if imported:
        typer.echo(COMPARED)
    then = opened.record.versions
    now = versions((spec.task for spec in specs), (name for name in then if "/" not in name))
    older = older_versions(opened.record)
    if older:
        typer.echo(
            f"Recorded with an older version of the environment: {older}. Its episodes need that version to agree."
        )
    if changed := [
        f"{name} {old} (here {now.get(name, 'none')})" for name, old in then.items() if now.get(name) != old
    ]:
        typer.echo(f"Recorded with {', '.join(changed)}.")
    shown: list[Verdict] = []

    def show(verdict: Verdict) -> None:
        shown.append(verdict)
        agreeing = "1 step agrees" if verdict.steps == 1 else f"{verdict.steps} steps agree"
        said = f"not compared: {verdict.left_out}" if verdict.left_out else agreeing
        typer.echo(f"{verdict.spec.id}  {said}" + (f"; {verdict.difference}" if verdict.difference else ""))

    replay_one = partial(replay_imported, data=data) if imported else _replay_older if older else None
    asyncio.run(replay_all(opened, specs, workers or cores(), show, replay_one))
    compared = [verdict for verdict in shown if not verdict.left_out]
    agreed = sum(not verdict.difference for verdict in compared)
    left_out = f" Not compared: {len(shown) - len(compared)}." if len(compared) < len(shown) else ""
    typer.echo(f"{agreed} of {len(compared)} episodes agree.{left_out}")
    return 0 if compared and agreed == len(compared) else DIFFERS


async def _replay_older(run: Run, spec: EpisodeSpec, pool: Pool) -> Verdict:
    """As any other, but an episode whose task or options the present version does not have is not compared."""
    from embodied.errors import UsageError
    from embodied.eval.settings import old_version
    from embodied.rollout.replay import Verdict, replay

    try:
        return await replay(run, spec, pool)
    except UsageError:
        old = old_version(run.record, spec.task.env)
        if not old:
            raise
        return Verdict(spec, 0, left_out=f"only {spec.task.env} {old} can make it")


def _recorded(run: Run, id_: str) -> bool:
    """Whether something of an episode can be compared, or is damaged and must be named."""
    from embodied.errors import StoreError

    if (run.folder(id_) / "steps.jsonl").exists():
        return True
    try:
        episode = run.episode(id_)
    except StoreError:
        return True
    # of imported ones often the result alone is there
    return episode is not None and episode.steps > 0 and "imported" not in run.record.config

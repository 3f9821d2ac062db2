"""`embodied branch RUN EPISODE STEP`: goes back to a step of a recorded episode and tries again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import asyncio

    from embodied.cli.desk import DeskAt
    from embodied.models.prices import Price
    from embodied.rollout.playing import Job
    from embodied.rollout.runner import Listener
    from embodied.store.run import Run
    from embodied.types import EpisodeSpec


def branch(
    ctx: typer.Context,
    run: str = typer.Argument(..., help="A run folder."),
    episode: str = typer.Argument(..., help="An episode: its id, a unique beginning of it, or its number."),
    step: int = typer.Argument(..., help="The first step that is played anew; those before are repeated."),
    words: str = typer.Option("", "--say", help="A correction, which the agent hears in that step."),
    lasts: int = typer.Option(
        1, "--lasts", min=1, help="For how many steps it counts, at most; it ends when its action is executed."
    ),
    agent: str | None = typer.Option(
        None, "--agent", help="The folder of the agent that the run was played with, where it was moved."
    ),
    trust: bool = typer.Option(
        False,
        "--trust",
        help="Continue a folder that another user or machine made: see docs/runs.md, Folders from others.",
    ),
    console: bool = typer.Option(
        False, "--console", help="At the desk, in the browser; only for a run that was begun with --console."
    ),
    wait: bool = typer.Option(False, "--wait", help="With --console: each episode waits until a person says go on."),
    port: int = typer.Option(0, "--port", min=0, max=65535, help="Of the desk, on 127.0.0.1; any free one by default."),
    speech_model: Path | None = typer.Option(
        None,
        "--speech-model",
        envvar="EMBODIED_SPEECH_MODEL",
        help="Folder of a Whisper model (faster-whisper) for talking at the desk; the packaged one by default.",
    ),
) -> int:
    """Goes back to a step of a recorded episode, and lets the agent play on from there.

    The result is a branch: an episode of its own, in the same run folder. It
    repeats the steps before without asking a model. It counts in no score.

    Further words say how to play: `run.workers=1`.
    """
    from dataclasses import replace

    from embodied.cli.desk import desk_for
    from embodied.cli.trust import require_trust, require_trust_in_agent
    from embodied.errors import UsageError
    from embodied.rollout.control import LONGEST
    from embodied.session import played_version, reopen
    from embodied.store.run import Run

    if len(words) > LONGEST:
        raise UsageError(f"The correction has {len(words):,} characters; {LONGEST:,} is the most.")
    opened = Run(run)
    desk = desk_for(opened, console, wait, port, speech_model)
    if "imported" in opened.record.config:
        raise UsageError(f"{run} was imported: it names no agent that could play on. Only a run of ours can branch.")
    new = opened.next_branch(opened.find(episode), step)
    require_trust(opened, trust, play=True)
    version = played_version(opened, agent)
    if version is not None:
        require_trust_in_agent(version, trust)
    job = reopen(opened, ctx.args, version=version)
    return _play(replace(job, specs=(new,)), opened, new, words.strip(), lasts, desk)


def _play(job: Job, run: Run, new: EpisodeSpec, words: str, lasts: int, desk: DeskAt | None) -> int:
    """Begins the branch once everything is checked, plays it, and prints how its parent ended and how it did."""
    from embodied.cli import interrupt
    from embodied.cli.progress import line, listener
    from embodied.cli.session import performed
    from embodied.errors import StoreError
    from embodied.rollout.playing import LOADING
    from embodied.terminal import shell_word

    parent, step, folder = str(new.parent), int(str(new.from_step)), shell_word(run.root)

    @contextmanager
    def watch(
        run: Run, specs: Sequence[EpisodeSpec], price: Price | None, stopping: asyncio.Event
    ) -> Iterator[Listener]:
        before = run.result(parent)
        typer.echo(f"From step {step} of {line(before) if before is not None else f'{parent}  not over'}")
        with listener(run, specs, price=price, silent=job.config.agent.policy == "human") as shown:
            yield shown

    def begin(_: object) -> None:
        if run.branch(parent, step, say=words, lasts=lasts).id != new.id:
            raise StoreError(f"Somebody else has just begun {new.id}. `embodied resume {folder}` plays yours.")

    _, result = performed(job, watch, begin, desk)
    if result.interrupted:
        interrupt.say(f"Stopped. Nothing recorded is lost: `embodied resume {folder}` continues from here.")
        return interrupt.ended(LOADING)
    typer.echo(f"A branch counts in no score. Look: `embodied view {folder}`.")
    return 0 if run.over(new.id) else 5

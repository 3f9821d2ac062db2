"""`--console`: people watch a run that is being played, in the browser, and speak to its agents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from embodied.errors import UsageError
from embodied.rollout.runner import Listener, Listeners

if TYPE_CHECKING:
    from embodied.console.desk.desk import Desk
    from embodied.rollout.channel import Channel
    from embodied.rollout.playing import Job
    from embodied.store.run import Run
    from embodied.types import EpisodeSpec


def desk_for(run: Run, console: bool, wait: bool, port: int, speech_model: Path | None = None) -> DeskAt | None:
    """The desk for a run that goes on; None where nobody asked for one.

    Raises:
        UsageError: The run was begun without a desk, or an option is about a desk that nobody asked for.
    """
    if not console:
        if wait or port:
            raise UsageError("--wait and --port are about the desk: add --console.")
        return None
    corrector = run.record.config.get("corrector")
    if not isinstance(corrector, dict) or corrector.get("name") != "desk":
        raise UsageError(
            f"{run.root} was not begun with --console, so nobody may speak in it now: leave out --console, or begin"
            " another run with `embodied eval ... --console`."
        )
    return DeskAt(port, wait, speech_model=speech_model)


@dataclass(frozen=True)
class DeskAt:
    """Where the desk is, and how it begins."""

    port: int = 0
    """On 127.0.0.1; 0 for any free one."""
    wait: bool = False
    """Whether episodes wait for a person."""
    browser: bool = False
    """Whether to open the page."""
    speech_model: Path | None = None
    """Folder of a Whisper model; None for the packaged one, if it is installed."""

    @asynccontextmanager
    async def opened(self, job: Job) -> AsyncIterator[AtDesk]:
        """The desk of one job, which is served while it is played."""
        from embodied.console.desk.desk import Desk
        from embodied.console.desk.roles import CONTROLLER, WATCHER
        from embodied.console.desk.server import opened
        from embodied.models.prices import price_of
        from embodied.store.amendments import label
        from embodied.store.blobs import FileBlobs
        from embodied.store.desks import noted
        from embodied.store.run import Run
        from embodied.store.said import unheard

        price = price_of(job.config.model, job.config.run.price) if job.asks else None
        desk = Desk(
            self.wait,
            price,
            recorded=lambda spec: Run(job.root).steps(spec.id),
            relabel=lambda spec, told: label(Run(job.root), spec.id, told.text, step=told.step, by=told.by),
            unheard=lambda spec: unheard(Run(job.root).folder(spec.id), Run(job.root).steps(spec.id)),
        )
        async with opened(desk, FileBlobs(job.root / "blobs"), self.port, self.speech_model, job.root) as addresses:
            print(
                f"The desk: {addresses[CONTROLLER]}\nTo watch only: {addresses[WATCHER]}\nBoth addresses are secret."
                " They work in a browser of this machine.",
                flush=True,
            )
            if self.browser:
                import webbrowser

                webbrowser.open(addresses[CONTROLLER])
            with noted(job.root, addresses[CONTROLLER], addresses[WATCHER]):
                yield AtDesk(desk)


@dataclass(frozen=True)
class AtDesk:
    """A desk that is served."""

    desk: Desk

    def channel(self, spec: EpisodeSpec) -> Channel:
        """The channel of an episode that begins."""
        return self.desk.channel(spec)

    @contextmanager
    def beside(self, heard: AbstractContextManager[Listener]) -> Iterator[Listener]:
        """The listener of a run, and the desk."""
        with heard as listener:
            yield Listeners((listener, self.desk))

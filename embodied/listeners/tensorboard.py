"""`--log tensorboard`: event files in the run folder; `tensorboard --logdir RUN/tensorboard` shows them."""

from __future__ import annotations

from embodied.listeners import Context
from embodied.listeners.scalars import Scalars, settings
from embodied.types import Episode, EpisodeSpec, Step


class TensorBoardListener:
    """Writes a scalar a number; the step is how many episodes have ended. Needs the extra `tensorboard`."""

    def __init__(self, context: Context):
        from tensorboardX import SummaryWriter

        run, self._scalars = context.run, Scalars(context.before)
        self._writer = SummaryWriter(str(run.root / "tensorboard"))
        lines = [f"    {key} = {value}" for key, value in settings(run).items()]
        self._writer.add_text("settings", "\n".join(lines), self._scalars.count)

    def started(self, spec: EpisodeSpec) -> None:
        """Nothing to write yet."""

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        """Steps are in the run folder."""

    def ended(self, episode: Episode) -> None:
        for name, value in self._scalars.of(episode).items():
            self._writer.add_scalar(name, value, self._scalars.count)

    def close(self) -> None:
        self._writer.close()

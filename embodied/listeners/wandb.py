"""`--log wandb`: a run at Weights & Biases.

Its own variables say where: WANDB_PROJECT (default: embodied), WANDB_ENTITY, WANDB_MODE=offline, WANDB_API_KEY.
"""

from __future__ import annotations

import os

from embodied.listeners import Context
from embodied.listeners.scalars import Scalars, key, settings
from embodied.types import Episode, EpisodeSpec, Step


class WandbListener:
    """Logs numbers of ended episodes; a resumed run continues as the same one. Needs the extra `wandb`.

    Weights & Biases is given no console output, no code and no command line: they may hold private things.
    """

    def __init__(self, context: Context):
        import wandb

        run, self._scalars = context.run, Scalars(context.before)
        quiet = wandb.Settings(
            console="off", disable_code=True, disable_git=True, x_disable_meta=True, silent=True, x_disable_stats=True
        )
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "embodied"),
            name=run.root.name,
            id=key(run),
            resume="allow",
            config=dict(settings(run)),
            dir=str(run.root),
            settings=quiet,
        )

    def started(self, spec: EpisodeSpec) -> None:
        """Nothing to log yet."""

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        """Steps are in the run folder."""

    def ended(self, episode: Episode) -> None:
        self._run.log({**self._scalars.of(episode), "episodes": self._scalars.count})

    def close(self) -> None:
        self._run.finish()

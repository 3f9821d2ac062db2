"""Configuration of a corrector: a plain dataclass, which Hydra uses as its schema (`corrector.silence=0.5`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from embodied import models
from embodied.agents.sentences import EMBEDDERS
from embodied.errors import UsageError
from embodied.models.config import ModelConfig


def no_model() -> ModelConfig:
    """The configuration of a model that was not chosen yet."""
    return ModelConfig(provider="", name="")


@dataclass
class CorrectorConfig:
    """A corrector. Everything in it is recorded with the run."""

    name: str = ""
    """Name in `embodied.correctors.CORRECTORS`; empty where nobody speaks."""
    when: str = "always"
    """always: it reviews every decision. asked: only those with which the agent asks for help (`agent.asks`)."""
    silence: float = 0.0
    """For `oracle`: the share of disagreements on which it stays silent, in [0, 1]."""
    wrong: float = 0.0
    """For `oracle`: the share of its corrections that name another action than the expert's, in [0, 1]."""
    delay: int = 0
    """For `oracle`: steps by which its words come late. They speak of the moment that was then."""
    lasts: int = 1
    """Steps after which a correction ends by itself. It ends earlier when its action was executed."""
    wordings: int = 6
    """For `oracle`: among how many wordings it chooses, 1 for always the same."""
    expert: str = ""
    """For `oracle`: which of the environment's experts it speaks for; its first by default."""
    sentences: str = "off"
    """What finds the action that is nearest in meaning, where words name none and the agent asks no model: `off`,
    `hashing` (compares spelling) or `minilm` (a sentence model; needs the extra `sentences`). It never depends on what
    is installed."""
    run: str | None = None
    """For `script`: the run folder whose corrections it repeats."""
    history: int = 4
    """For `critic`: how many of the last steps it is shown, 0 for the present one alone."""
    image: bool = True
    """For `critic`: whether it is shown the pictures that the agent is shown."""
    model: ModelConfig = field(default_factory=no_model)
    """For `critic`: the model that it asks. The keys are those of `model`."""


WHEN = ("always", "asked")
WORDINGS = 6
"""How many wordings the oracle has."""
OPTIONS = {
    "oracle": ("silence", "wrong", "delay", "lasts", "wordings", "expert", "sentences", "when"),
    "script": ("run", "sentences"),
    "critic": ("model", "history", "image", "lasts", "sentences", "when"),
    "person": ("lasts", "sentences", "when"),
    "desk": ("expert", "sentences"),
}
"""Corrector of ours -> its options."""


def check_values(config: CorrectorConfig) -> None:
    """Raises `UsageError` when a value makes no sense; the message names the key."""
    for key in ("silence", "wrong"):
        if not 0 <= getattr(config, key) <= 1:
            raise UsageError(f"corrector.{key} is a share between 0 and 1, not {getattr(config, key)}.")
    if config.when not in WHEN:
        raise UsageError(f"corrector.when is one of {', '.join(WHEN)}, not {config.when!r}.")
    if config.when == "asked" and config.delay:
        raise UsageError("corrector.when=asked answers at once: leave out corrector.delay.")
    if config.delay < 0 or config.lasts < 1:
        raise UsageError("corrector.delay counts steps from 0 on, and corrector.lasts from 1 on.")
    if not 1 <= config.wordings <= WORDINGS:
        raise UsageError(f"corrector.wordings is between 1 and {WORDINGS}, not {config.wordings}.")
    if config.sentences not in ("off", *EMBEDDERS):
        raise UsageError(f"corrector.sentences is one of off, {', '.join(EMBEDDERS)}, not {config.sentences!r}.")
    if config.history < 0:
        raise UsageError(f"corrector.history counts steps from 0 on, not {config.history}.")
    if (config.run is not None) != (config.name == "script"):
        raise UsageError(
            "The corrector `script` repeats the corrections of a recorded run: --corrector script corrector.run=RUN."
        )
    _check_options(config)
    if config.model.provider:
        models.check(config.model, "corrector.model")


def _check_options(config: CorrectorConfig) -> None:
    """Raises `UsageError` for an option of another corrector than the one that speaks. Which options a plugin reads is
    not known.
    """
    unset = CorrectorConfig()
    chosen = [key for key in vars(unset) if key != "name" and getattr(config, key) != getattr(unset, key)]
    if not config.name and chosen:
        raise UsageError(f"corrector.{chosen[0]} is set, but nobody speaks: name who with --corrector NAME.")
    for key in chosen:
        if key not in OPTIONS.get(config.name, chosen):
            raise UsageError(
                f"The corrector {config.name} has no option corrector.{key}. Its options are:"
                f" {', '.join(OPTIONS[config.name])}."
            )

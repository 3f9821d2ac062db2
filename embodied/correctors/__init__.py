"""Correctors speak to an agent while it acts.

`build` makes one corrector for one episode. A corrector is a name in `CORRECTORS`; other distributions add theirs
through the entry-point group `embodied.correctors`: a callable that takes a `Kit` and returns a `Corrector`. It says by
attributes what it needs, each false where it is missing:

    expert = True       it reads the advice of the environment's expert
    needs_model = True  it asks a model of its own (`corrector.model`)
    in_person = True    it waits for a person at this terminal
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embodied.agents.sentences import embedder
from embodied.correctors.config import CorrectorConfig, check_values
from embodied.errors import UsageError
from embodied.registry import Registry
from embodied.types import Settings

if TYPE_CHECKING:
    from embodied.correctors.base import Corrector, Orders
    from embodied.models.base import Model
    from embodied.types import EpisodeSpec

__all__ = [
    "CORRECTORS",
    "CorrectorConfig",
    "Kit",
    "build",
    "check",
    "hears_expert",
    "in_person",
    "needs_expert",
    "needs_model",
]

CORRECTORS = Registry(
    "corrector",
    {
        "oracle": "embodied.correctors.oracle:Oracle",
        "script": "embodied.correctors.script:Script",
        "critic": "embodied.correctors.critic:Critic",
        "desk": "embodied.correctors.desk:Desk",
        "person": "embodied.correctors.person:Person",
    },
)


@dataclass(frozen=True)
class Kit:
    """What a corrector is built from."""

    config: CorrectorConfig
    spec: EpisodeSpec | None = None
    """The episode that will be played; None outside a run."""
    model: Model | None = None
    """The corrector's own model; None where `corrector.model` names none."""
    settings: Settings = field(default_factory=Settings)
    """Sampling settings of that model's calls."""
    orders: Orders | None = None
    """What it can do besides speaking; None for a corrector that is not a person, and outside a run."""


def check(config: CorrectorConfig) -> None:
    """Raises `UsageError` when a value makes no sense or a model is missing, and `UnknownName` for an unknown name."""
    check_values(config)
    if needs_model(config) and not config.model.provider:
        raise UsageError(
            f"The corrector {config.name} asks a model of its own: add corrector.model.provider=PROVIDER"
            " corrector.model.name=NAME (`embodied list models`)."
        )


def needs_expert(config: CorrectorConfig) -> bool:
    """Whether the corrector speaks for the environment's expert, so that the environment must have one."""
    return _says(config, "expert")


def hears_expert(config: CorrectorConfig) -> bool:
    """Whether the corrector may ask for the expert's advice where the environment has an expert."""
    return _says(config, "hears_expert")


def needs_model(config: CorrectorConfig) -> bool:
    """Whether the corrector asks a model of its own."""
    return _says(config, "needs_model")


def in_person(config: CorrectorConfig) -> bool:
    """Whether a person at the terminal corrects: one episode at a time."""
    return _says(config, "in_person")


def _says(config: CorrectorConfig, attribute: str) -> bool:
    return bool(config.name) and bool(getattr(CORRECTORS.get(config.name), attribute, False))


def build(
    config: CorrectorConfig, spec: EpisodeSpec | None = None, model: Model | None = None, orders: Orders | None = None
) -> Corrector | None:
    """Makes the corrector for one episode; None where nobody speaks.

    Args:
        config: The corrector's configuration.
        spec: The episode that will be played.
        model: Asked by a corrector for which `needs_model` is true.
        orders: For one for which `in_person` is true.

    Raises:
        UnknownName: There is no such corrector.
        UsageError: A value makes no sense, there is no model where one is needed, or the run that a script is taken
            from lacks something.
        MissingExtra: The sentence model of `corrector.sentences` is not installed.
    """
    check(config)
    if not config.name:
        return None
    if model is None and needs_model(config):
        raise UsageError(f"The corrector {config.name} asks a model: give `model` to `correctors.build`.")
    if config.sentences != "off":
        embedder(config.sentences)  # that it can be loaded shows before the first episode
    kit = Kit(config, spec, model, config.model.settings(), orders)
    made: Corrector = CORRECTORS.get(config.name)(kit)
    if config.when == "always":
        return made
    from embodied.correctors.asked import OnlyAsked

    return OnlyAsked(made)

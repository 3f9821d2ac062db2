"""Correctors speak to an agent while it acts.

`build` makes one corrector for one episode. A corrector is a name in `CORRECTORS`; other distributions add theirs
through the entry-point group `embodied.correctors`: a callable that takes a `Kit` and returns a `Corrector`. One that
reads the advice of the environment's expert says so with an attribute `expert = True`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embodied.agents.sentences import embedder
from embodied.correctors.config import CorrectorConfig, check
from embodied.registry import Registry

if TYPE_CHECKING:
    from embodied.correctors.base import Corrector
    from embodied.types import EpisodeSpec

__all__ = ["CORRECTORS", "CorrectorConfig", "Kit", "build", "check", "needs_expert"]

CORRECTORS = Registry(
    "corrector",
    {
        "oracle": "embodied.correctors.oracle:Oracle",
        "script": "embodied.correctors.script:Script",
    },
)


@dataclass(frozen=True)
class Kit:
    """What a corrector is built from."""

    config: CorrectorConfig
    spec: EpisodeSpec | None = None
    """The episode that will be played; None outside a run."""


def needs_expert(config: CorrectorConfig) -> bool:
    """Whether the corrector speaks for the environment's expert, so that the environment must have one."""
    return bool(config.name) and bool(getattr(CORRECTORS.get(config.name), "expert", False))


def build(config: CorrectorConfig, spec: EpisodeSpec | None = None) -> Corrector | None:
    """Makes the corrector for one episode; None where nobody speaks.

    Raises:
        UnknownName: There is no such corrector.
        UsageError: A value makes no sense, or the run that a script is taken from lacks something.
        MissingExtra: The sentence model of `corrector.sentences` is not installed.
    """
    check(config)
    if not config.name:
        return None
    if config.sentences != "off":
        embedder(config.sentences)  # that it can be loaded shows before the first episode
    made: Corrector = CORRECTORS.get(config.name)(Kit(config, spec))
    return made

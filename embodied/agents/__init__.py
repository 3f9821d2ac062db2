"""Agents turn observations into decisions.

`build` makes one agent for one episode. A policy is a name in `AGENTS`; other distributions add theirs through the
entry-point group `embodied.agents`: a callable that takes a `Kit` and returns an `Agent`. One that asks no model says
so with an attribute `needs_model = False`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from embodied.agents.config import AgentConfig, check, check_actions, shows_pictures
from embodied.errors import UsageError
from embodied.registry import Registry
from embodied.types import Settings

if TYPE_CHECKING:
    from embodied.agents.base import Agent
    from embodied.blobs import Blobs
    from embodied.models.base import Model
    from embodied.types import EpisodeSpec

__all__ = ["AGENTS", "AgentConfig", "Kit", "build", "check", "check_actions", "needs_model", "shows_pictures"]

AGENTS = Registry(
    "agent",
    {
        "naive": "embodied.agents.naive:naive",
        "robust_naive": "embodied.agents.naive:robust_naive",
        "few_shot": "embodied.agents.few_shot:few_shot",
        "cot": "embodied.agents.cot:cot",
        "robust_cot": "embodied.agents.cot:robust_cot",
        "random": "embodied.agents.random:RandomAgent",
        "scripted": "embodied.agents.scripted:ScriptedAgent",
        "constant": "embodied.agents.constant:ConstantAgent",
        "expert": "embodied.agents.expert:ExpertAgent",
        "human": "embodied.agents.human:HumanAgent",
        "template": "embodied.agents.memory.template:TemplateAgent",
        "rehearsal": "embodied.agents.memory.rehearsing:RehearsalAgent",
        "memorised": "embodied.agents.memorised:MemorisedAgent",
    },
)

_WITHOUT_MODEL = frozenset({"random", "scripted", "constant", "expert", "human", "memorised", "template", "rehearsal"})


@dataclass(frozen=True)
class Kit:
    """What an agent is built from."""

    config: AgentConfig
    model: Model | None = None
    settings: Settings = field(default_factory=Settings)
    spec: EpisodeSpec | None = None
    """The episode that will be played; None outside a run."""
    blobs: Blobs | None = None
    """Where the model finds pictures; an agent that shows pictures of other runs puts them here."""
    parts: Mapping[str, Path] = field(default_factory=dict)
    """Where each part of the agent's version lies, by its name. They were checked; what they hold is a stranger's."""


def needs_model(policy: str) -> bool:
    """Whether `policy` asks a model. A policy of another distribution does, unless its attribute `needs_model` is
    false.

    Raises:
        UsageError: It is of another distribution and cannot be imported.
    """
    if policy in _WITHOUT_MODEL:
        return False
    plugin = AGENTS.plugin(policy)
    return True if plugin is None else bool(getattr(plugin.load(), "needs_model", True))


def build(
    config: AgentConfig,
    model: Model | None = None,
    settings: Settings | None = None,
    *,
    spec: EpisodeSpec | None = None,
    blobs: Blobs | None = None,
    parts: Mapping[str, Path] | None = None,
) -> Agent:
    """Makes the agent for one episode.

    Args:
        config: The agent's configuration.
        model: Asked by the policies for which `needs_model` is true.
        settings: Sampling settings of every model call.
        spec: The episode that will be played: few-shot agents never show a demonstration of it.
        blobs: The run's blobs.
        parts: Name -> place of the parts of the agent's version.

    Raises:
        UnknownName: No such policy or parsing policy.
        UsageError: A value that makes no sense, no model where one is needed, or no demonstrations.
    """
    check(config)
    if config.perception != "none" and not needs_model(config.policy):
        raise UsageError(f"agent.perception is for agents that ask a model, not for {config.policy!r}.")
    if config.format is not None and not needs_model(config.policy):
        raise UsageError(f"agent.format is for agents that ask a model, not for {config.policy!r}.")
    if config.instructions and not needs_model(config.policy):
        raise UsageError(f"agent.instructions is for agents that ask a model, not for {config.policy!r}.")
    if (config.asks or config.samples > 1) and not needs_model(config.policy):
        key = "asks" if config.asks else "samples"
        raise UsageError(f"agent.{key} is for agents that ask a model, not for {config.policy!r}.")
    if config.follow and not needs_model(config.policy):
        raise UsageError(f"agent.follow is for agents that ask a model, not for {config.policy!r}.")
    if not shows_pictures(config):
        config = replace(config, history=replace(config.history, image=0))
    if config.samples > 1 and model is not None:
        from embodied.agents.asking.asking import Sampled

        model = Sampled(model, config.samples, config.format == "choice")
    kit = Kit(config, model, settings or Settings(), spec, blobs, parts or {})
    made: Agent = AGENTS.get(config.policy)(kit)
    if config.asks:
        from embodied.agents.asking.asking import Asking

        made = Asking(made, kit)
    if not config.follow:
        return made
    from embodied.agents.obedient import Obedient

    return Obedient(made)

"""naive and robust_naive: ask for an action and nothing else."""

from __future__ import annotations

from embodied.agents import Kit
from embodied.agents.formats import Plain, Tagged
from embodied.agents.model_agent import ModelAgent, compose


def naive(kit: Kit) -> ModelAgent:
    """Asks for the action alone."""
    return compose(kit, Plain())


def robust_naive(kit: Kit) -> ModelAgent:
    """Asks for the action alone, between tags."""
    return compose(kit, Tagged(thinks=False))

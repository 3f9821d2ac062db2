"""cot and robust_cot: ask for a thought first. The thought is kept apart from the action, and shown again for
`history.thought` turns.
"""

from __future__ import annotations

from embodied.agents import Kit
from embodied.agents.formats import Marked, Tagged
from embodied.agents.model_agent import ModelAgent, compose


def cot(kit: Kit) -> ModelAgent:
    """Asks for a thought, then for a line `ACTION: x`."""
    return compose(kit, Marked())


def robust_cot(kit: Kit) -> ModelAgent:
    """Asks for a thought, then for the action between tags."""
    return compose(kit, Tagged(thinks=True))

"""Where agent versions lie: those that ship with the package, and those that this user made or allowed."""

from __future__ import annotations

import re
from pathlib import Path

from embodied.agents.versions import FILE, AgentVersion, load, read
from embodied.errors import EmbodiedError
from embodied.store.ours import agent_folder

SHIPPED = Path(__file__).parent / "shipped"
"""Versions of the package: a folder for each name."""


def shipped() -> dict[str, Path]:
    """Name -> folder of every version that ships with the package."""
    return {path.parent.name: path.parent for path in sorted(SHIPPED.glob(f"*/{FILE}"))}


def is_shipped(version: AgentVersion) -> bool:
    """Whether the version ships with the package."""
    return version.folder.resolve().parent == SHIPPED.resolve()


def is_ours(version: AgentVersion) -> bool:
    """Whether the version ships with the package, or this user made or allowed it."""
    return is_shipped(version) or agent_folder(version.hash) is not None


def known(version: str) -> AgentVersion | None:
    """The version of a hash where it was last seen, with every byte checked; None where it is not there any more."""
    if not re.fullmatch(r"[0-9a-f]{64}", version):  # from a run folder, perhaps of a stranger
        return None
    seen = agent_folder(version)
    for place in [*([seen] if seen else []), *shipped().values()]:
        try:
            if read(place).hash == version:
                return load(place)
        except EmbodiedError:  # it was changed or is gone: the caller says what to do
            continue
    return None

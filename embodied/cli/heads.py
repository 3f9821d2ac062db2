"""The first lines of agent presets: policy and model, read without composing a configuration.

Presets that ship with the package are plain YAML and tested: their files are read as they are. Presets of the user's
own (`EMBODIED_CONF`) may hold anything. They are composed, which takes longer and says what is wrong with them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodied.agents import folders
from embodied.agents.versions import read
from embodied.errors import UsageError

SHIPPED = Path(__file__).parent.parent / "conf" / "agent"


@dataclass(frozen=True)
class Head:
    """A preset, a version that ships with the package, or a policy that has none of its name."""

    name: str
    policy: str
    provider: str = ""
    model: str = ""
    worlds: tuple[str, ...] = ()
    """The environments that it was made for; empty: any."""

    @property
    def asks(self) -> str:
        """`provider/name`; empty where the preset names no model."""
        return f"{self.provider}/{self.model}" if self.provider else ""


def names() -> list[str]:
    """What `--agent` may name: presets, and policies of other distributions."""
    from embodied.agents import AGENTS

    own = {path.stem for path in Path(os.environ["EMBODIED_CONF"], "agent").glob("*.yaml")} if _has_own() else set()
    return sorted({path.stem for path in SHIPPED.glob("*.yaml")} | own | set(folders.shipped()) | set(AGENTS.names()))


def heads(left_out: Callable[[str, UsageError], None]) -> list[Head]:
    """Every preset that can be read, by name, and the policies that have none.

    Args:
        left_out: Gets the name of a preset that cannot be used, and why.

    Raises:
        UsageError: `EMBODIED_CONF` names something else than a folder.
    """
    from embodied.agents import AGENTS

    own = _own() if _has_own() else set()
    found = [head for head in shipped() if head.name not in own]
    known = own | {head.name for head in found}
    for name in sorted(own):
        try:
            found.append(_composed(name))
        except UsageError as error:
            left_out(name, error)
    found += [Head(name, name) for name in AGENTS.names() if name not in known]
    return sorted(found, key=lambda head: head.name)


def shipped() -> list[Head]:
    """The presets and versions of the package, by name. A version goes before a preset of its name."""
    found = {path.stem: _shipped(path) for path in SHIPPED.glob("*.yaml")}
    found |= {name: _version(name, folder) for name, folder in folders.shipped().items()}
    return [found[name] for name in sorted(found)]


def _has_own() -> bool:
    return bool(os.environ.get("EMBODIED_CONF"))


def _own() -> set[str]:
    from embodied.presets import folder

    place = folder()
    return set() if place is None else {path.stem for path in (place / "agent").glob("*.yaml")}


def _shipped(path: Path) -> Head:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    said: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), loader)
    agent, model = said.get("agent", {}), said.get("model", {})
    return Head(path.stem, agent["policy"], model.get("provider", ""), model.get("name", ""))


def _version(name: str, folder: Path) -> Head:
    version = read(folder)
    said = version.record.settings
    model = version.label if version.record.parts else str(said.get("model.name", ""))
    policy = str(said.get("agent.policy", "naive"))
    return Head(name, policy, str(said.get("model.provider", "")), model, version.record.worlds)


def _composed(name: str) -> Head:
    from embodied.config import compose, quoted

    config = compose([f"agent={quoted(name)}"])
    return Head(name, config.agent.policy, config.model.provider, config.model.name)

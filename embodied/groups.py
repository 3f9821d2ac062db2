"""Environments, agents and correctors of plugins as members of Hydra's groups of these names, beside the files in
`conf/`.
"""

from __future__ import annotations

from collections.abc import Iterable

from hydra.core.config_store import ConfigStore

from embodied.agents import AGENTS
from embodied.catalog import ENTRIES, Entry
from embodied.correctors import CORRECTORS
from embodied.envs import plugin_options
from embodied.errors import EmbodiedError
from embodied.registry import report


def plugin_environment(name: str) -> Entry | None:
    """The environment of another distribution of that name; None where there is none, or it is ours."""
    if name in ENTRIES.ours or name.startswith("gym"):
        return None
    return ENTRIES.get(name)


def plugin_members(group: str) -> list[str]:
    """The names that plugins add to a group."""
    if group == "env":
        return [e.name for e in ENTRIES.plugins()]
    return [plugin.name for plugin in (CORRECTORS if group == "corrector" else AGENTS).plugins()]


def readable() -> list[str]:
    """The environments of plugins whose options can be read; says why the others cannot be used."""
    found = []
    for e in ENTRIES.plugins():
        try:
            plugin_options(e)
            found.append(e.name)
        except EmbodiedError as error:
            report(error)
    return found


def offer(chosen: Iterable[tuple[str, str]]) -> None:
    """Tells Hydra about the chosen members that come from plugins. A file of that name, ours or the user's, goes first.

    Args:
        chosen: (group, name), where a group is `env`, `agent` or `corrector`.

    Raises:
        UsageError: The options of a plugin's environment cannot be read.
    """
    store = ConfigStore.instance()
    for group, name in chosen:
        if group == "env" and (found := plugin_environment(name)):
            store.store(name=name, group="env", node={"name": name, "task": None, **plugin_options(found)})
        elif group == "agent" and AGENTS.plugin(name):
            store.store(name=name, group="agent", node={"policy": name})
        elif group == "corrector" and CORRECTORS.plugin(name):
            store.store(name=name, group="corrector", node={"name": name})

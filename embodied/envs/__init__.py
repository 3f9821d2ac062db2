"""Gymnasium environments: registered, versioned, usable with none of our agents.

`gymnasium.make("embodied/NetHack-v0", task=..., rules=..., image=...)` works after `import embodied`; without that import,
`gymnasium.make("embodied:embodied/NetHack-v0")` does.
"""

from __future__ import annotations

from typing import Any

from embodied.envs.catalog import ENTRIES, Entry, check_task, entry

__all__ = ["ENTRIES", "Entry", "check_task", "entry", "make", "register"]


def register() -> None:
    """Registers every environment with Gymnasium; calling it again changes nothing."""
    import gymnasium

    for e in ENTRIES.values():
        if e.id not in gymnasium.registry:
            gymnasium.register(e.id, entry_point=e.target, disable_env_checker=True, order_enforce=False)


def make(name: str, task: str | None = None, **kwargs: Any):
    """Makes an environment by command-line name (`nethack`, or `gym:ID` for any other Gymnasium environment).

    Returns:
        A `LanguageEnv`, not wrapped.

    Raises:
        UnknownName: No such environment or task.
        MissingExtra: The simulator is not installed.
    """
    import importlib

    from embodied.errors import MissingExtra

    if name.startswith("gym:"):
        from embodied.envs.generic import GenericEnv

        return GenericEnv(name.removeprefix("gym:"), **kwargs)
    e = entry(name)
    task = check_task(e, task or e.tasks[0])
    module, _, attribute = e.target.partition(":")
    try:
        cls = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("embodied"):
            raise
        raise MissingExtra(f"The environment {name} (module {error.name})", e.extra) from error
    return cls(task=task, **kwargs)

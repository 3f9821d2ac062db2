"""Gymnasium environments: registered, versioned, usable with none of our agents.

`gymnasium.make("embodied/NetHack-v0", task=..., rules=..., image=...)` works after `import embodied`; without that
import, `gymnasium.make("embodied:embodied/NetHack-v0")` does. Environments whose questions are about pictures show them
(`image=False`: they do not).
"""

from __future__ import annotations

from typing import Any

from embodied.catalog import ENTRIES, Entry, check_task, entry, has_picture
from embodied.registry import unknown

__all__ = ["ENTRIES", "Entry", "check_options", "check_task", "entry", "has_picture", "load", "make", "register"]


def register() -> None:
    """Registers every environment with Gymnasium; calling it again changes nothing.

    `gymnasium.make` shows the pictures of those whose questions are about pictures (`Entry.seen`), unless it is told
    `image=False`.
    """
    import gymnasium

    for e in ENTRIES.values():
        if e.id not in gymnasium.registry:
            gymnasium.register(
                e.id,
                entry_point=e.target,
                disable_env_checker=True,
                order_enforce=False,
                kwargs={"image": True} if e.seen else {},
            )


def make(name: str, task: str | None = None, **kwargs: Any):
    """Makes an environment by command-line name (`nethack`, or `gym:ID` for any other Gymnasium environment).

    Returns:
        A `LanguageEnv`, not wrapped.

    Raises:
        UnknownName: No such environment or task.
        MissingExtra: The simulator is not installed.
    """
    if name.startswith("gym:"):
        from embodied.envs.generic import open_gym

        return open_gym(name.removeprefix("gym:"), **kwargs)
    e = entry(name)
    task = check_task(e, task or e.tasks[0])
    return load(e)(task=task, **kwargs)


def load(e: Entry) -> type:
    """The class of an environment. Raises `MissingExtra` when its simulator is not installed."""
    import importlib

    from embodied.extras import missing

    module, _, attribute = e.target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("embodied"):
            raise
        raise missing(f"The environment {e.name} (module {error.name})", e.extra, error.name) from error


def check_options(e: Entry, options: dict[str, Any]) -> None:
    """Checks that `e`'s constructor takes these options. Raises `UnknownName` with the nearest one."""
    import inspect

    known = [p.name for p in inspect.signature(load(e)).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for key in options:
        if key not in known:
            raise unknown(f"option of {e.name}", key, known, f"embodied show {e.name}")

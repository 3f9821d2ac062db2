"""Gymnasium environments: registered, versioned, usable without our agents.

`gymnasium.make("embodied/NetHack-v0", task=..., rules=..., image=...)` works after `import embodied`; without that
import, `gymnasium.make("embodied:embodied/NetHack-v0")` does. Environments whose questions are about pictures show them
unless `image=False`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from embodied import catalog
from embodied.catalog import ENTRIES, Entry, check_task, entry
from embodied.errors import UsageError
from embodied.registry import Plugin, unknown
from embodied.registry import load as load_target

if TYPE_CHECKING:
    from embodied.envs.base import LanguageEnv

__all__ = [
    "ENTRIES",
    "Entry",
    "check_options",
    "check_task",
    "entry",
    "has_picture",
    "load",
    "make",
    "parameters",
    "plugin_options",
    "register",
]


def has_picture(name: str) -> bool:
    """Whether the environment named `name` can be asked for an image: a plugin's when its constructor can."""
    if not catalog.has_picture(name):
        return False
    return name.startswith("gym:") or not entry(name).distribution or "image" in parameters(load(entry(name)))


def register(plugins: bool = False) -> None:
    """Registers every environment with Gymnasium; calling it again changes nothing.

    `gymnasium.make` shows the pictures of those whose questions are about pictures (`Entry.seen`), unless it is told
    `image=False`.

    Args:
        plugins: Also those of other distributions. `import embodied` leaves them out: it must stay quick, and may
            itself be part of the import of a plugin.
    """
    import gymnasium

    for e in (ENTRIES if plugins else ENTRIES.ours).values():
        if e.id not in gymnasium.registry:
            gymnasium.register(
                e.id,
                entry_point=e.target,
                disable_env_checker=True,
                order_enforce=False,
                kwargs={"image": True} if e.seen else {},
            )


def make(name: str, task: str | None = None, **kwargs: Any) -> LanguageEnv:
    """Makes an environment by command-line name (`nethack`, or `gym:ID` for any other Gymnasium environment).

    Returns:
        A `LanguageEnv`, not wrapped.

    Raises:
        UnknownName: No such environment or task.
        MissingExtra: The simulator is not installed.
        UsageError: A plugin's environment cannot be imported, or is not an environment.
    """
    if name.startswith("gym:"):
        from embodied.envs.generic import open_gym

        return open_gym(name.removeprefix("gym:"), **kwargs)
    e = entry(name)
    task = check_task(e, task or e.tasks[0])
    creator = load(e)
    named = {"task": task} if "task" in parameters(creator) or len(e.tasks) > 1 else {}
    return _made(e, creator(**named, **kwargs))


def _made(e: Entry, made: Any) -> LanguageEnv:
    """What a constructor made. Raises `UsageError` if the suite cannot play it."""
    from embodied.envs.base import LanguageEnv

    if not isinstance(made, LanguageEnv):
        raise UsageError(
            f"The environment {e.name!r} of the distribution {e.distribution!r} is not a LanguageEnv but a"
            f" {type(made).__name__}. Let its class inherit from embodied.envs.base.LanguageEnv."
        )
    return made


def load(e: Entry) -> Callable[..., Any]:
    """The class of an environment.

    Raises:
        MissingExtra: Its simulator is not installed.
        UsageError: It is a plugin's and cannot be imported.
    """
    from embodied.extras import missing

    try:
        found: Callable[..., Any] = load_target(e.target)
    except ModuleNotFoundError as error:
        if e.distribution or (error.name or "").startswith("embodied"):
            raise _broken(e, error) from error
        raise missing(f"The environment {e.name} (module {error.name})", e.extra, error.name) from error
    except (Exception, SystemExit) as error:  # a stranger's module may raise anything, and may leave
        raise _broken(e, error) from error
    return found


def _broken(e: Entry, error: BaseException) -> BaseException:
    """The error for an environment that cannot be imported: a sentence for a plugin's, the original error for one of
    ours.
    """
    if not e.distribution:
        return error
    return Plugin("environment", e.name, e.target, e.distribution).bad(
        f"cannot be imported ({type(error).__name__}: {error})"
    )


def parameters(creator: Callable[..., Any]) -> dict[str, Any]:
    """The parameters of a constructor that can be given by keyword, with their defaults (None where there is none)."""
    import inspect

    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return {
        p.name: None if p.default is inspect.Parameter.empty else p.default
        for p in inspect.signature(creator).parameters.values()
        if p.kind in kinds
    }


def check_options(e: Entry, options: dict[str, Any]) -> None:
    """Checks that `e`'s constructor takes these options. Raises `UnknownName` with the nearest one."""
    known = [name for name in parameters(load(e)) if name != "task"]
    for key in options:
        if key not in known:
            raise unknown(f"option of {e.name}", key, known, f"embodied show {e.name}")


_NOT_OPTIONS = ("task", "image", "max_steps", "expert", "render_mode")
"""Parameters that the command line sets through its own options."""


def plugin_options(e: Entry) -> dict[str, Any]:
    """The options of a plugin's environment with their defaults: those of its file `Entry.options`, else the keyword
    parameters of its constructor. A default that is not plain JSON stands as None, which leaves it to the constructor.

    Raises:
        UsageError: The file or the constructor cannot be read.
    """
    if not e.options:
        return {name: _plain(value) for name, value in parameters(load(e)).items() if name not in _NOT_OPTIONS}
    from importlib.resources import files

    from omegaconf import OmegaConf

    package, _, name = e.options.partition(":")
    try:
        found = OmegaConf.to_container(OmegaConf.create((files(package) / name).read_text("utf-8")))
    except Exception as error:  # a missing package or file, or one that is not YAML
        raise Plugin("environment", e.name, e.target, e.distribution).bad(
            f"has options that cannot be read from {e.options} ({type(error).__name__}: {error})"
        ) from error
    return {str(k): v for k, v in found.items() if k not in ("name", "task")} if isinstance(found, dict) else {}


def _plain(value: Any) -> Any:
    """`value` if it is plain JSON, a tuple as a list; else None."""
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value if isinstance(value, str | bool | int | float) else None

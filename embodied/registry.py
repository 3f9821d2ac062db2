"""One Registry: names to lazily imported targets, plugins by entry point, and "did you mean".

Other distributions add names through entry points. The group of a kind is `embodied.<kind>s`: `embodied.environments`,
`embodied.suites`, `embodied.metrics`, `embodied.agents`, `embodied.correctors`, `embodied.learners`, `embodied.models`,
`embodied.exports`, `embodied.listeners`.
The names of plugins are read from their metadata when a name is not one of ours, or when all names are listed. Their
code is imported when a name is used.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from embodied.errors import UnknownName, UsageError
from embodied.terminal import line

OURS = "embodied-suite"
"""The distribution that this package comes in."""
_said: set[str] = set()


def unknown(kind: str, name: str, known: Iterable[str], list_command: str, cutoff: float = 0.5) -> UnknownName:
    """The error for a name that is not in `known`: names the nearest one (as like as
    `cutoff`, in [0, 1]) and the command that lists them all.
    """
    name = str(name)
    folded = {k.casefold(): k for k in known}
    near = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=cutoff)
    # `goto` for `BabyAI-MixedTrainLocal-v0/goto`
    near = near or [k for k in folded if name and name.casefold() in k][:1]
    hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
    return UnknownName(f"There is no {kind} named {name!r}.{hint} `{list_command}` lists them all.")


@dataclass(frozen=True)
class Plugin:
    """One entry point of another distribution."""

    kind: str
    name: str
    target: str
    """`package.module:attribute`."""
    distribution: str
    """The name that the distribution is installed under."""

    def load(self) -> Any:
        """Imports the target. Raises `UsageError`, which names the distribution, when that fails."""
        try:
            return load(self.target)
        except (Exception, SystemExit) as error:  # a stranger's module may raise anything, and may leave
            raise self.bad(f"cannot be imported ({type(error).__name__}: {error})") from error

    def bad(self, why: str) -> UsageError:
        """The error for a plugin that cannot be used; `why` continues the sentence after its name."""
        sentence = line(f"The {self.kind} {self.name!r} of the distribution {self.distribution!r} {why}")
        return UsageError(f"{sentence.rstrip('.')}. Repair or uninstall {line(self.distribution)}.")


def plugins(kind: str) -> list[Plugin]:
    """The entry points of other distributions in the group of `kind`, sorted by name; none is imported."""
    found = [
        Plugin(kind, point.name, point.value, point.dist.name if point.dist else "unknown")
        for point in entry_points(group=f"embodied.{kind}s")
    ]
    return sorted(found, key=lambda plugin: (plugin.name, plugin.distribution))


def load(target: str) -> Any:
    """Imports `package.module:attribute`; the attribute may be dotted."""
    module, _, attribute = target.partition(":")
    found = importlib.import_module(module.strip())
    for name in filter(None, attribute.strip().split(".")):
        found = getattr(found, name)
    return found


def clash(kind: str, name: str, one: str, other: str) -> str:
    """The sentence for a name that two distributions claim."""
    return line(f"Two {kind}s are named {name!r}: one of the distribution {one!r}, one of {other!r}")


def report(error: Exception | str) -> None:
    """Says on standard error, once in a process, what is wrong with a plugin that is left out."""
    sentence = line(str(error))
    if sentence not in _said:
        _said.add(sentence)
        print(f"warning: {sentence}", file=sys.stderr)


class Registry:
    """Maps names to targets that are imported only when asked for.

    A target is `"package.module:attribute"`. Other distributions add theirs through the entry-point group
    `embodied.<kind>s` (for instance `embodied.agents`), which is read on the first miss. A plugin whose name is one of
    ours is left out, with a warning. Where two plugins share a name, asking for it is an error.
    """

    def __init__(self, kind: str, targets: dict[str, str] | None = None):
        self.kind = kind
        self._targets = dict(targets or {})
        self._plugins: dict[str, Plugin] = {}
        self._clashes: dict[str, str] = {}
        self._plugins_read = False

    def add(self, name: str, target: str) -> None:
        """Registers `target` under `name`. Raises `UsageError` when the name is taken by another target."""
        if self._targets.get(name, target) != target:
            raise UsageError(f"Two {self.kind}s are named {name!r}: {self._targets[name]} and {target}. Rename one.")
        self._targets[name] = target

    def get(self, name: str) -> Any:
        """Imports and returns the target of `name`.

        Raises:
            UnknownName: There is no such name; names the nearest one.
            UsageError: It is a plugin's and cannot be imported, or two plugins share it.
        """
        if name in self._targets:
            return load(self._targets[name])
        plugin = self.plugin(name)
        if name in self._clashes:
            raise UsageError(f"{self._clashes[name]}. Uninstall one of them.")
        if plugin is None:
            raise unknown(self.kind, name, self.names(), f"embodied list {self.kind}s")
        return plugin.load()

    def plugin(self, name: str) -> Plugin | None:
        """The plugin of that name; None for a name of ours, or an unknown one."""
        if name in self._targets:
            return None
        self._read_plugins()
        return self._plugins.get(name)

    def names(self) -> list[str]:
        """Every name, those of plugins included, sorted."""
        self._read_plugins()
        return sorted(self._targets | self._plugins)

    def plugins(self) -> list[Plugin]:
        """The plugins, sorted by name."""
        self._read_plugins()
        return list(self._plugins.values())

    def __contains__(self, name: object) -> bool:
        return name in self._targets or name in self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def _read_plugins(self) -> None:
        if self._plugins_read:
            return
        self._plugins_read = True
        for plugin in plugins(self.kind):
            if plugin.name in self._targets:
                report(f"{clash(self.kind, plugin.name, OURS, plugin.distribution)}, which is left out.")
            elif plugin.name in self._plugins:
                other = self._plugins[plugin.name].distribution
                self._clashes[plugin.name] = clash(self.kind, plugin.name, other, plugin.distribution)
            else:
                self._plugins[plugin.name] = plugin

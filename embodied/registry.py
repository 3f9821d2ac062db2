"""One Registry: names to lazily imported targets, plugins by entry point, and "did you mean"."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

from embodied.errors import UnknownName, UsageError


def unknown(kind: str, name: str, known: list[str], list_command: str) -> UnknownName:
    """The error for a name that is not in `known`: names the nearest one and the command that lists them all."""
    name = str(name)
    folded = {k.casefold(): k for k in known}
    near = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.5)
    # `goto` for `BabyAI-MixedTrainLocal-v0/goto`
    near = near or [k for k in folded if name and name.casefold() in k][:1]
    hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
    return UnknownName(f"There is no {kind} named {name!r}.{hint} `{list_command}` lists them all.")


class Registry:
    """Maps names to targets that are imported only when asked for.

    A target is `"package.module:attribute"`. Other distributions add theirs through the entry-point group
    `embodied.<kind>s` (for instance `embodied.agents`), which is read on the first miss.
    """

    def __init__(self, kind: str, targets: dict[str, str] | None = None):
        self.kind = kind
        self._targets = dict(targets or {})
        self._plugins_read = False

    def add(self, name: str, target: str) -> None:
        """Registers `target` under `name`. Raises `UsageError` when the name is taken by another target."""
        if self._targets.get(name, target) != target:
            raise UsageError(f"Two {self.kind}s are named {name!r}: {self._targets[name]} and {target}. Rename one.")
        self._targets[name] = target

    def get(self, name: str) -> Any:
        """Imports and returns the target of `name`. Raises `UnknownName` with the nearest name."""
        if name not in self._targets:
            self._read_plugins()
        if name not in self._targets:
            raise unknown(self.kind, name, sorted(self._targets), f"embodied list {self.kind}s")
        module, _, attribute = self._targets[name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def names(self) -> list[str]:
        self._read_plugins()
        return sorted(self._targets)

    def __contains__(self, name: str) -> bool:
        return name in self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def _read_plugins(self) -> None:
        if not self._plugins_read:
            self._plugins_read = True
            for point in entry_points(group=f"embodied.{self.kind}s"):
                self.add(point.name, point.value)

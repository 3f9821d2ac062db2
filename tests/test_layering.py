"""Arrows between the rooms of the house point down, and no module imports itself by a detour.

An import inside a function counts as one at the top of a module: it makes the same rooms depend on each other, only
later. An import under `if TYPE_CHECKING` does not count: it never runs.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import embodied
from embodied.catalog import ENTRIES

ROOT = Path(embodied.__file__).parent
FAMILIES = {"games", "planning", "driving", "scenes3d", "robots", "web"}
GROUND = {
    *("arrays", "atomic", "blobs", "bounded", "caches", "catalog", "controls", "errors", "extras", "numerals"),
    *("quantities", "registry", "secrets", "seeding", "splits", "terminal", "types", "variables"),
}
"""Modules that every room may import. They import only each other."""

WORLD = {"envs", "raster"}
SETTING = {"models", "agents", "presets", "config", "groups"}
PLAYING = {*SETTING, "store", "envs", "rollout", "correctors", "trust", "versions"}
JUDGING = {*PLAYING, "eval", "listeners", "train"}
BELOW: dict[str, set[str]] = {
    **{name: set() for name in GROUND},
    **{family: WORLD for family in FAMILIES},
    "envs": set(),
    "raster": set(),
    "store": set(),
    "models": {"store"},
    "agents": {"models", "store"},
    **{name: {*SETTING, "correctors", "envs"} for name in ("presets", "groups", "config")},
    "versions": {*SETTING, "store"},
    "correctors": {"models", "agents", "store"},
    "trust": {"models", "agents", "store"},
    "rollout": PLAYING,
    "eval": PLAYING,
    "listeners": {*PLAYING, "eval"},
    "train": {*PLAYING, "eval", "request"},
    "console": JUDGING,
    "exchange": {*JUDGING, "console", *FAMILIES},
    "request": {*PLAYING, "eval"},
    "evaluation": {*JUDGING, "exchange"},
    "session": {*JUDGING, "console", "exchange", "request", "evaluation"},
    "cli": {*JUDGING, *FAMILIES, "console", "exchange", "request", "evaluation", "session"},
    "__main__": {"cli"},
    "": {"envs", "session"},
}
"""Room (a folder or a module of `embodied`; "" is `embodied` itself) -> the rooms below it, besides `GROUND`."""
TABLES = {e.analysis.partition(":")[0] for e in ENTRIES.values() if e.analysis} | {"embodied.planning.probe_tables"}
"""The modules that make a family's own tables: they alone of a family may import `eval`."""


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@cache
def modules() -> dict[str, Path]:
    """Every module of the package."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = ["embodied", *path.relative_to(ROOT).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def graph() -> dict[str, set[str]]:
    """Module -> the modules of the package that it imports, itself left out."""
    return {module: _imports(path, module) - {module} for module, path in modules().items()}


def _imports(path: Path, module: str) -> set[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names: list[str] = []
    for node in _running(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            names += [n if (n := f"{source}.{alias.name}") in modules() else source for alias in node.names]
    return {name for name in names if name in modules()}


def _running(tree: ast.AST) -> list[ast.AST]:
    """The nodes of a tree that can run: not those under `if TYPE_CHECKING`."""
    found: list[ast.AST] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for other in node.orelse:
                found += [other, *_running(other)]
        else:
            found += [node, *_running(node)]
    return found


def circles(edges: dict[str, set[str]]) -> list[set[str]]:
    """The sets of more than one module that all reach each other (Tarjan 1972)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: list[str] = []
    found: list[set[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        open_.append(module)
        for other in sorted(edges[module]):
            if other not in number:
                visit(other)
            if other in open_:
                lowest[module] = min(lowest[module], lowest[other])
        if lowest[module] == number[module]:
            at = open_.index(module)
            if len(open_) - at > 1:
                found.append(set(open_[at:]))
            del open_[at:]

    for module in sorted(edges):
        if module not in number:
            visit(module)
    return found


def test_every_room_has_its_place() -> None:
    unknown = {room(module) for module in modules()} - set(BELOW) - {"conf"}
    assert not unknown, f"Say in BELOW what {sorted(unknown)} may import."


def test_arrows_point_down() -> None:
    up = []
    for module, others in graph().items():
        here = room(module)
        allowed = {here, "", *GROUND, *BELOW.get(here, set()), *({"eval"} if module in TABLES else ())}
        if here in GROUND:
            allowed = {"", *GROUND}
        up += [(module, other) for other in sorted(others) if room(other) not in allowed]
    assert not up, "\n".join(f"{module} must not import {other}" for module, other in sorted(up))


def test_there_are_no_circles() -> None:
    wrong = [sorted(circle) for circle in circles(graph())]
    assert not wrong, "\n".join(" -> ".join(circle) for circle in wrong)


def test_circles_and_arrows_up_are_seen() -> None:
    """The two checks above find what they look for."""
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [{"a", "b", "c"}]
    tree = ast.parse("if TYPE_CHECKING:\n    import a\ndef f():\n    import b\n")
    names = [alias.name for node in _running(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert names == ["b"]
    assert "embodied.envs.base" in graph()["embodied.games.crafter.env"]


@pytest.mark.parametrize("name", ENTRIES)
def test_an_environment_loads_no_other_layer(name: str) -> None:
    """Imported in a process of its own, an environment brings only its family, the contract and the ground floor."""
    target = ENTRIES[name].target.partition(":")[0]
    script = f"import sys, {target}\nprint(*sorted(m for m in sys.modules if m.startswith('embodied.')))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    assert target in loaded
    allowed = {room(target), *WORLD, *GROUND}
    assert [module for module in loaded if room(module) not in allowed] == []

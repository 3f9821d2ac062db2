"""Presets of the user's own: files `agent/*.yaml` and `env/*.yaml` in the folder that `EMBODIED_CONF` names.

Each file that a request uses is read and checked before Hydra composes it, so that an error names the file, the key and
the nearest one.
"""

from __future__ import annotations

import codecs
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from embodied.errors import UnknownName, UsageError
from embodied.registry import unknown

HEADER = "# @package _global_"
GROUPS = ("agent", "corrector", "env")
_BOM = codecs.BOM_UTF8.decode()
_CHOICES = {"agent.policy": "agent", "model.provider": "model", "corrector.model.provider": "model"}
"""Keys whose values are names in a registry, and what they name."""


def folder() -> Path | None:
    """The user's folder of presets. Raises `UsageError` when the variable names something else."""
    named = os.environ.get("EMBODIED_CONF")
    if not named:
        return None
    if not Path(named).is_dir():
        raise UsageError(
            f"EMBODIED_CONF names {named}, which is not a folder. It must hold agent/*.yaml and env/*.yaml of your own."
        )
    return Path(named).resolve()


def dotted(schema: DictConfig) -> list[str]:
    """Every key of a configuration, dotted (`agent.history.text`)."""

    def walk(node: Any, path: str) -> list[str]:
        if isinstance(node, dict):
            return [k for name, value in node.items() for k in walk(value, f"{path}.{name}" if path else str(name))]
        return [path]

    return walk(OmegaConf.to_container(schema), "")


@contextmanager
def search(chosen: Iterable[tuple[str, str]], schema: DictConfig) -> Iterator[list[Path]]:
    """Checks the user's presets that a request chooses.

    Args:
        chosen: Group and name: `("agent", "mine")`.
        schema: The configuration's structure, with its defaults.

    Yields:
        Folders for Hydra to search: the user's, behind one with copies of the files that Hydra would not read (a byte
        order mark).

    Raises:
        UsageError: A preset cannot be read, or has a value of a wrong type; names the file and the key.
        UnknownName: A preset has a key or name that does not exist; names the file, the key and the nearest one.
    """
    own, chosen = folder(), list(chosen)
    for group, name in chosen:
        if ".." in Path(name).parts:
            raise UsageError(
                f"{group}={name} is outside the folder of presets. `embodied list {group}s` lists the names."
            )
    with ExitStack() as stack:
        if own is None:
            yield []
            return
        copies: dict[str, str] = {}
        for group, name in chosen:
            _check(own, group, name, schema, copies)
        if not copies and "$" not in str(own):
            yield [own]
            return
        mended = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="embodied-presets-")))
        # under a name that Hydra does not take for an interpolation
        (mended / "own").symlink_to(own, target_is_directory=True)
        for name, text in copies.items():
            (mended / name).parent.mkdir(exist_ok=True)
            (mended / name).write_text(text, encoding="utf-8")
        yield [mended, mended / "own"]


def chosen(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The presets that Hydra words choose (`agent=mine`), as group and name."""
    for word in words:
        key, _, value = word.lstrip("+").partition("=")
        if key in GROUPS:
            quote = value[:1] if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1 else ""
            yield key, value[1:-1].replace(f"\\{quote}", quote) if quote else value


def _check(own: Path, group: str, name: str, schema: DictConfig, copies: dict[str, str]) -> None:
    """Checks one preset, and those of its group that its `defaults` name. Puts the text of a file with a byte order
    mark into `copies`.
    """
    relative = f"{group}/{name}.yaml"
    path = own / relative
    if relative in copies or not path.exists():
        return
    text = _text(path)
    if text.startswith(_BOM):
        text = copies[relative] = text.removeprefix(_BOM)
    content = _content(path, text)
    if not content:
        raise UsageError(
            f"{path} sets no key. A preset must set some, for instance"
            f" {'agent.policy' if group == 'agent' else 'name'}; the first line is {HEADER!r}."
        )
    package = _package(text)
    based = content.pop("defaults", None) or []
    for other in based:
        if isinstance(other, str) and other not in ("_self_", name):
            _check(own, group, other, schema, copies)
    _check_package(path, group, package, content, schema)
    prefix = "" if package == "_global_" else group if package in (None, "_group_") else package
    _check_keys(path, content, schema, prefix)
    environment = content.get("env") if not prefix else content if prefix == "env" else None
    if environment is not None and not based:
        _check_environment(path, environment)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"Cannot read the preset {path}: {error.strerror or error}.") from error
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        wrong = f"the byte 0x{data[error.start]:02x} in line {line}"
        raise UsageError(f"{path} is not UTF-8 ({wrong}): save it as UTF-8, which any editor offers.") from error


def _content(path: Path, text: str) -> dict[Any, Any]:
    try:
        made = OmegaConf.create(text)
        content = OmegaConf.to_container(made, resolve=False)
    except (YAMLError, OmegaConfBaseException, ValueError) as error:
        raise UsageError(f"{path}{_explained(error, text)}") from error
    if not isinstance(content, dict):
        raise UsageError(
            f"{path} holds a list where a mapping belongs: write `key: value` lines, for instance `agent:` and below it"
            " `  policy: cot`."
        )
    return content


def _explained(error: Exception, text: str) -> str:
    """What is wrong with YAML, behind the name of its file."""
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    problem = error.problem if isinstance(error, MarkedYAMLError) else " ".join(str(error).split())
    where = "" if mark is None else f", line {mark.line + 1}"
    if "\\t" in str(problem) or (mark is not None and "\t" in text.splitlines()[mark.line : mark.line + 1][:1]):
        return f"{where} has a tab where YAML takes blanks alone: indent with blanks."
    if found := re.search(r"found duplicate key (.+)", str(problem)):
        return f"{where}: the key {found[1]!r} stands there twice. Keep one."
    return f"{where} is not valid YAML: {problem}."


def _package(text: str) -> str | None:
    """The package that a file's first lines name, as Hydra reads them."""
    for line in filter(None, map(str.strip, text.splitlines())):
        if not (found := re.match(r"#\s*@(\w+)\s+(\S+)\s*$", line)):
            return None
        if found[1] == "package":
            return found[2]
    return None


def _check_package(path: Path, group: str, package: str | None, content: dict[Any, Any], schema: DictConfig) -> None:
    """Checks that the keys of a file exist in the package that its first lines name."""
    there = set(schema.agent) if group == "agent" else set()
    outside = [
        key
        for key in content
        if key in schema and key not in there and (group == "agent" or isinstance(content[key], dict))
    ]
    if package is None and outside:
        means = f"{group}.{outside[0]}"
        raise UsageError(
            f"{path}: the line {HEADER!r} must be its first line, else its key {outside[0]!r} means {means!r}, which"
            " does not exist."
        )
    if package not in (None, "_global_", "_group_") and not _exists(schema, package):
        raise UsageError(f"{path}: there is no package {package!r}: its first line must be {HEADER!r}.")


def _check_keys(path: Path, content: Any, schema: DictConfig, key: str) -> None:
    """Checks a preset's part at a dotted key against the schema, down to its values."""
    if key and key.split(".")[0] == "env":
        if not isinstance(content, dict) and key == "env":
            raise UsageError(f"{path}: {key} must be a mapping of keys and values, not {_kind(content)}.")
        return
    if key and not _exists(schema, key):
        known = dotted(schema)
        raise _in_file(
            path, unknown("option", key, [*known, *(str(k) for k in schema if k not in known)], "embodied list options")
        )
    node = OmegaConf.select(schema, key) if key else schema
    if isinstance(node, DictConfig) and not _free(node):
        if not isinstance(content, dict):
            raise UsageError(
                f"{path}: {key} must be a mapping of keys and values ({', '.join(list(node)[:3])}, ...), not"
                f" {_kind(content)}."
            )
        for name, value in content.items():
            _check_keys(path, value, schema, f"{key}.{name}" if key else str(name))
        return
    _check_value(path, content, schema, key)


def _check_value(path: Path, value: Any, schema: DictConfig, key: str) -> None:
    from embodied.agents import AGENTS
    from embodied.models.config import MODELS

    try:
        OmegaConf.update(OmegaConf.create(schema), key, value, merge=False)
    except (OmegaConfBaseException, ValueError, TypeError) as error:
        says = " ".join(str(error).split("\n")[0].split()).rstrip(".")
        raise UsageError(
            f"{path}: {key} has a value of the wrong type: {says}. `embodied list options` shows every key with its"
            " default."
        ) from error
    if kind := _CHOICES.get(key):
        known = (AGENTS if kind == "agent" else MODELS).names()
        if isinstance(value, str) and value and "${" not in value and value not in known:
            raise _in_file(path, unknown(key, value, known, f"embodied list {kind}s"))


def _check_environment(path: Path, content: dict[str, Any]) -> None:
    """Checks the environment that a preset names, and its options."""
    from embodied.catalog import entry
    from embodied.envs import check_options

    name = content.get("name")
    if not isinstance(name, str) or name == "???":
        raise UsageError(
            f"{path}: the key env.name must name an environment (`embodied list envs`), not {_kind(name)}."
        )
    if "${" in name or name.startswith("gym:"):
        return
    try:
        check_options(entry(name), {str(k): v for k, v in content.items() if k not in ("name", "task")})
    except UnknownName as error:
        raise _in_file(path, error) from error


def _exists(schema: DictConfig, key: str) -> bool:
    node: Any = schema
    for name in key.split("."):
        if not isinstance(node, DictConfig) or (name not in node and not _free(node)):
            return False
        node = node.get(name) if name in node else None
    return True


def _free(node: DictConfig) -> bool:
    """Whether a mapping takes any keys."""
    return OmegaConf.get_type(node) is dict


def _in_file(path: Path, error: UnknownName) -> UnknownName:
    return UnknownName(f"{path}: {error}")


def _kind(value: Any) -> str:
    return {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(value), f"{value!r}")

"""An agent's folder as a preset: where `--agent` finds it, what it may set, and what a run records of it.

A folder may come from a stranger. It sets how an agent asks and how its model answers. It names no server, no key, no
variable and no file outside itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from embodied import presets
from embodied.agents.folders import is_shipped, known, shipped
from embodied.agents.versions import FILE, AgentRecord, AgentVersion, load
from embodied.catalog import ENTRIES
from embodied.config import EvalConfig, members, restore
from embodied.errors import StoreError, UsageError
from embodied.models.config import LOCAL, ModelConfig
from embodied.models.local.content import weights_hash
from embodied.models.local.weights import EMBEDDED
from embodied.store.checks import read_plain
from embodied.terminal import shell_word
from embodied.types import TaskSpec

MODEL = "model"
"""The part that holds the model's weights."""
_WITH_WEIGHTS = ("gguf", "transformers")
OF_OTHERS = ("expert", "human", "scripted")
"""Policies with which a version would show somebody else's play as its own."""
_LONGEST_CONFIG = 16 << 20
"""Bytes of a model's `config.json` and its like."""
NEVER = (
    "model.base_url",
    "model.api_key_env",
    "model.path",
    "model.mmproj",
    "model.script",
    "model.sha256",
    "agent.version",
    "agent.demonstrations.runs",
)
"""Keys that name servers, keys, files or code of the user's machine, or that embodied computes."""


def find(agent: str) -> AgentVersion | None:
    """The version that `--agent` names: a folder, or one that ships with the package. None: it names a preset.

    A preset of the user's own goes before a shipped version of its name, and any name before a folder `NAME` of the
    working directory: `./NAME` always means the folder.

    Raises:
        UsageError: It is a path without an agent, or `~` cannot be read.
        StoreError: The folder is damaged, was changed, or sets what no version may set.
    """
    if not agent or "\0" in agent:
        return None
    if agent.startswith(("/", "~", "./", "../")) or agent in (".", ".."):
        return load(_expanded(agent))
    own = presets.folder()
    if own is not None and (own / "agent" / f"{agent}.yaml").is_file():
        return None
    if agent in shipped():
        return load(shipped()[agent])
    if agent not in members("agent") and (Path(agent) / FILE).is_file():
        return load(agent)
    return None


def member(version: AgentVersion, env: str) -> AgentVersion:
    """The version that plays an environment: `version`, or `<name>-<env>` of the same family, where both ship with the
    package and `version` was not made for `env`.
    """
    other = f"{version.record.name}-{env}"
    if is_shipped(version) and version.record.worlds and env not in version.record.worlds and other in shipped():
        return load(shipped()[other])
    return version


def of_run(recorded: str, folder: str | Path | None, run: Path) -> AgentVersion | None:
    """The version that a run was played with.

    Args:
        recorded: The hash that the run records; empty for a run without a version.
        folder: Where the user says it is (`--agent FOLDER`).
        run: The run folder, for the sentence.

    Raises:
        StoreError: It is not known where the folder is, or `folder` holds another version.
        UsageError: The run was not played with a version, and `folder` is named.
    """
    if not recorded:
        if folder is not None:
            raise UsageError(f"{run} was not played with an agent's folder: leave out --agent.")
        return None
    if folder is None:
        if (found := known(recorded)) is not None:
            return found
        raise StoreError(
            f"{run} was played with the agent {recorded[:12]}, whose folder is not where it was, or was changed. Say"
            f" where it is: `embodied resume {shell_word(run)} --agent FOLDER`."
        )
    version = load(_expanded(str(folder)))
    if version.hash != recorded:
        raise StoreError(
            f"{version.folder} is the agent {version.hash[:12]}, and {run} was played with {recorded[:12]}. Another"
            " agent is another run: `embodied eval --agent FOLDER ...`."
        )
    return version


def settings(version: AgentVersion) -> dict[str, Any]:
    """Dotted key -> value: what a version sets in a configuration, weaker than what the user types.

    Raises:
        StoreError: It sets what no version may set, or a value is of the wrong type.
    """
    where, record = version.folder / FILE, version.record
    for key, value in record.settings.items():
        if key in NEVER or not (key == "image" or key.startswith(("agent.", "model."))):
            raise StoreError(
                f"{where} sets {key!r}, which an agent's folder may not set: it says how the agent asks and how its"
                " model answers, and names no server, key, variable or file."
            )
        if any("${" in text or "://" in text for text in _texts(value)):
            raise StoreError(f"{where}: {key} holds a URL or a reference to a variable, which no agent's folder may.")
    try:
        config = restore({}, (), record.settings)
    except UsageError as error:
        raise StoreError(f"{where}: {error}") from error
    if config.agent.policy in OF_OTHERS:
        raise StoreError(f"{where} sets the policy {config.agent.policy!r}: what it plays is not the version's own.")
    _check_exam(record, where)
    if MODEL in record.parts:
        if config.model.provider not in _WITH_WEIGHTS:
            raise StoreError(
                f"{where} has a part {MODEL!r}, so its model.provider must be one of {', '.join(_WITH_WEIGHTS)}, not"
                f" {config.model.provider!r}."
            )
        return {**record.settings, "agent.version": version.hash, "model.name": version.label}
    if config.model.provider in LOCAL and config.model.name != EMBEDDED:
        raise StoreError(f"{where} names a model of this machine that is not among its parts: {config.model.name!r}.")
    return {**record.settings, "agent.version": version.hash}


def _check_exam(record: AgentRecord, where: Path) -> None:
    """Raises `StoreError` for a task that an environment does not list: a version must not choose easier ones."""
    for env, tasks in record.tasks.items():
        known = ENTRIES[env].tasks if env in ENTRIES else tasks
        if other := [task for task in tasks if task not in known]:
            raise StoreError(f"{where} names the task {other[0]!r}, which {env} does not list.")


def place(config: EvalConfig, version: AgentVersion | None) -> None:
    """Puts into a configuration where a version's parts lie, and which weights they are. The places are not recorded.

    Raises:
        UsageError: `model.path`, `model.sha256` or `corrector.model.sha256` says something else.
        StoreError: A version's part cannot be used.
    """
    model = config.model
    if version is not None:
        config.parts = MappingProxyType({name: version.part(name).resolve() for name in version.record.parts})
    if version is not None and MODEL in version.record.parts and model.name == version.label:
        if model.path is not None or model.mmproj is not None:
            raise UsageError(f"{version.label} brings its own weights: leave out model.path and model.mmproj.")
        model.path = str(_weights(version, model.provider))
        found: str | None = version.record.parts[MODEL]
        config.unresolved = MappingProxyType({**config.unresolved, ("model", "path"): None})
    else:
        found = weights_hash(model)
    _mark(model, found, "model")
    _mark(config.corrector.model, weights_hash(config.corrector.model), "corrector.model")


def _mark(model: ModelConfig, found: str | None, key: str) -> None:
    """Puts the hash of the weights into the configuration of a model, which stands at `key`."""
    if found is None:
        return
    if model.sha256 not in ("", found):
        raise UsageError(
            f"{model.provider}/{model.name} has weights with the hash {found[:12]}, not {model.sha256[:12]}"
            f" ({key}.sha256): they were changed, or are another model's."
        )
    model.sha256 = found


def view(version: AgentVersion, env: str) -> dict[str, Any]:
    """Dotted key -> value: how the pictures of an environment are drawn for a version.

    Raises:
        StoreError: It sets another option of the environment.
    """
    allowed = ENTRIES[env].views if env in ENTRIES else ()
    options = version.record.view.get(env, {})
    for key, value in options.items():
        if key not in allowed or not isinstance(value, int | str):
            raise StoreError(
                f"{version.folder / FILE} sets the option {key!r} of {env}, which an agent's folder may not set"
                f" (it may set {', '.join(allowed) or 'none'})."
            )
    return {f"env.{key}": value for key, value in options.items()}


def check_worlds(version: AgentVersion, environments: Iterable[str]) -> None:
    """Raises `UsageError` for an environment that the version was not made for."""
    made_for = version.record.worlds
    family = f"{version.record.name}-"
    own = [name.removeprefix(family) for name in shipped() if is_shipped(version) and name.startswith(family)]
    others = [env for env in own if env in ENTRIES]
    for name in environments:
        if made_for and name in others:
            raise UsageError(
                f"{version.record.name} plays one world in a run, as it is another agent in each: name {name} alone."
            )
        if made_for and name not in made_for:
            raise UsageError(
                f"{version.record.name} was made for {', '.join([*made_for, *others])} and does not know {name}. Play"
                " it there, or take another agent (`embodied list agents`)."
            )


def check_tasks(version: AgentVersion, tasks: Iterable[TaskSpec]) -> None:
    """Raises `UsageError` for a task, or for pictures, that the version was not made for."""
    record = version.record
    for spec in tasks:
        made_for = record.tasks.get(spec.env, (spec.task,))
        if spec.task not in made_for:
            raise UsageError(
                f"{record.name} was not made for {spec.task} of {spec.env}, but for {', '.join(made_for)}. Name some of"
                " these with --task, or take another agent (`embodied list agents`)."
            )
        for key, value in record.view.get(spec.env, {}).items():
            if spec.kwargs.get(key) != value:
                raise UsageError(
                    f"{record.name} was made for the pictures of env.{key}={value}, not of {spec.kwargs.get(key)}:"
                    f" leave out env.{key}."
                )


def check_pictures(version: AgentVersion, image: bool | None) -> None:
    """Raises `UsageError` where a version that was made to see shall get text only."""
    if image is False and version.record.settings.get("image"):
        raise UsageError(f"{version.record.name} was made to see pictures: leave out --text.")


def check_words(version: AgentVersion, words: Iterable[str]) -> None:
    """Raises `UsageError` where words choose another agent, or say what is computed."""
    for word in words:
        key = word.lstrip("+~").partition("=")[0]
        if key in ("agent", "agent.version"):
            raise UsageError(f"{word!r} does not go with --agent {version.folder}: take one agent, and set its keys.")


def _weights(version: AgentVersion, provider: str) -> Path:
    """The file or folder that a provider loads."""
    part = version.part(MODEL).resolve()
    if part.is_file() and provider == "transformers":
        raise StoreError(f"{part} is a file, and the provider transformers loads a model folder.")
    if part.is_dir():
        _check_no_code(part)
    if part.is_file() or provider == "transformers":
        return part
    files = sorted(part.glob("*.gguf"))
    if len(files) != 1:
        raise StoreError(f"{part} must hold one GGUF file for the provider gguf; it holds {len(files)}.")
    return files[0]


def _check_no_code(folder: Path) -> None:
    """Raises `StoreError` where a model folder would have transformers fetch code or load another model: by `auto_map`,
    by a kernel of the hub in place of attention, by an adapter of a model that lies elsewhere.
    """
    for path in sorted(folder.rglob("*config.json")):
        data = read_plain(path, _LONGEST_CONFIG) or b""
        try:
            said = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise StoreError(f"{path} is damaged: {error}. Take another copy.") from error
        for key, value in _pairs(said):
            of_hub = key.endswith("_implementation") and any("/" in text for text in _texts(value))
            if of_hub or key in ("auto_map", "custom_pipelines", "base_model_name_or_path"):
                raise StoreError(f"{path} has the key {key!r}, which loads code or weights from outside the folder.")


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key within a plain value, with what it holds."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield str(key), item
        yield from _pairs(item)


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{text}: there is no such user. Write the whole path of the agent's folder.") from error


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in _texts(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []

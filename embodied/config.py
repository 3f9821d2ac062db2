"""Configuration: Hydra's compose API over dataclass schemas.

`compose(["agent.history.text=4"], env="nethack", agent="gpt4o")` gives an `EvalConfig`. Groups are folders of
`embodied/conf`; users add their own folder with the environment variable `EMBODIED_CONF`.

A preset is weaker than a typed value (`values`), and that is weaker than a word that the user typed. Only words meet
Hydra's parser.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, is_dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast, get_type_hints

from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from embodied import groups, presets
from embodied.agents.config import AgentConfig, shows_pictures
from embodied.correctors.config import OPTIONS, CorrectorConfig
from embodied.envs import plugin_options
from embodied.errors import UnknownName, UsageError
from embodied.models.config import ModelConfig
from embodied.models.config import blind as reads_no_pictures
from embodied.registry import unknown
from embodied.variables import REFERENCE

Keys = tuple[Any, ...]
"""The place of a value: the keys, and numbers in lists, that lead to it."""


@dataclass
class BudgetConfig:
    """The most that a run may use in all, resumed parts included. The run stops before it exceeds this. It can be
    resumed with a larger budget.
    """

    tokens: int | None = None
    """Input and output together."""
    dollars: float | None = None
    """US dollars, by the price of the model."""


@dataclass
class RunConfig:
    """How a run is played. Only `seed`, `split`, `control` and `steps` change what happens in an episode."""

    seed: int = 0
    """Suite seed: decides every episode's seed."""
    split: str = "test"
    """Which episodes: test; train, from which agents may learn; or dev, which decides what is kept."""
    control: str = "none"
    """What is taken from the agent, to see how much of its score it owes to it: none; black_picture; shuffled_picture;
    or shuffled_instruction (`embodied ablate`).
    """
    episodes: int | None = None
    """Episodes per task; None for the suite's number."""
    steps: int | None = None
    """Step limit; None for the environment's."""
    workers: int | None = None
    """Processes that environments live in; None for the number of cores."""
    ray: str | None = None
    """Address of a Ray cluster to put the workers on (`host:port`, `auto`, `local`), one for each of its cores; None
    for this machine without Ray.
    """
    replicas: int = 0
    """Copies of the model (provider transformers) on the Ray cluster, a core or a GPU each; 0 for one in this process.
    """
    concurrency: int | None = None
    """Episodes in flight; None for 8 a worker where a service is asked, 2 where no model is, `model.batch` (a replica)
    for transformers, else 1.
    """
    step_seconds: float = 60.0
    """Seconds that a step of an environment may take before its worker is ended."""
    reset_seconds: float = 600.0
    """Seconds that starting an episode may take."""
    worker_variables: list[str] = field(default_factory=list)
    """Environment variables with secrets that environments need. Workers inherit only these keys, tokens and passwords.
    """
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    price: list[float] | None = None
    """US dollars per million tokens of input, cached input and output; None for the model's public price
    (`embodied/models/data/prices.toml`).
    """
    corrector_price: list[float] | None = None
    """The same for the model of a corrector (`corrector.model`)."""
    cache: str = "deterministic"
    """Replies kept on disk: off; deterministic: of services, at temperature 0; all: sampled ones and those of local
    models too.
    """
    out: str | None = None
    """Run folder; None for `runs/<environment>-<agent>-<hash>`."""


@dataclass
class EvalConfig:
    """Everything `embodied eval` needs."""

    env: dict[str, Any] | None = None
    """`name`, `task` (None for all), and the environment's options."""
    suite: str | None = None
    image: bool = False
    """Whether agents are given pictures."""
    agent: AgentConfig = field(default_factory=AgentConfig)
    corrector: CorrectorConfig = field(default_factory=CorrectorConfig)
    """Who speaks to the agent while it acts."""
    model: ModelConfig = field(default_factory=lambda: ModelConfig(provider="", name=""))
    """An empty provider: none chosen yet."""
    run: RunConfig = field(default_factory=RunConfig)

    unresolved = MappingProxyType[Keys, str | None]({})
    """Not a key: what is recorded in place of values that read an environment variable or say where an agent's weights
    lie, by path.
    """
    parts = MappingProxyType[str, Path]({})
    """Not a key: where each part of the agent's version lies, by its name."""


ConfigStore.instance().store(name="embodied_schema", node=EvalConfig)
_COMPOSING = threading.Lock()
"""Hydra's state is of the whole process."""


def compose(
    words: Sequence[str],
    *,
    env: str | None = None,
    agent: str | None = None,
    corrector: str | None = None,
    values: Mapping[str, Any] = MappingProxyType({}),
) -> EvalConfig:
    """Composes a configuration.

    Args:
        words: What a user typed, in Hydra's grammar: `agent.history.text=4`, `env=nethack`.
        env: A member of the group `env`.
        agent: A member of the group `agent`.
        corrector: A member of the group `corrector`.
        values: Dotted key -> value. It overrides presets, and words override it. A text means exactly this text.

    Raises:
        UnknownName: A group member (environment, agent) or key does not exist; names the nearest one.
        UsageError: A word is malformed or a value has the wrong type.
    """
    _check_words(words)
    wanted = {"env": env, "agent": agent, "corrector": corrector}
    for group, name in wanted.items():
        if name is not None and "${" in name:  # Hydra would take it for an interpolation
            raise _no_member(group, name)
    chosen = [(group, name) for group, name in wanted.items() if name is not None] + list(presets.chosen(words))
    defaults = ["embodied_schema", *({group: name} for group, name in wanted.items()), "_self_"]
    groups.offer(chosen)
    schema, typed = OmegaConf.structured(EvalConfig), _nested(values)
    try:
        OmegaConf.merge(schema, typed)  # Hydra would not say which key is wrong
        with _COMPOSING, presets.search(chosen, schema) as folders:
            places = ",".join(quoted(f"file://{folder}") for folder in folders)
            ConfigStore.instance().store(name="embodied_request", node={"defaults": defaults, **typed})
            with _our_hydra():
                searched = [f"hydra.searchpath=[{places}]"] if folders else []
                return _object(hydra_compose("embodied_request", overrides=[*searched, *words]))
    except MissingConfigException as error:
        raise _missing(error) from error
    except (ConfigCompositionException, HydraException, OmegaConfBaseException) as error:
        raise _explained(error) from error


@contextmanager
def _our_hydra() -> Iterator[None]:
    """Hydra over our configuration, also in a program that uses Hydra itself: there is one for the whole process."""
    theirs = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module("embodied.conf", version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = theirs


def restore(
    recorded: dict[str, Any], words: Sequence[str] = (), values: Mapping[str, Any] = MappingProxyType({})
) -> EvalConfig:
    """The configuration of a run folder, with new values for some keys: by words (`run.workers=4`), or by values.

    Raises:
        UnknownName: A key does not exist; names the nearest one.
        UsageError: A word is malformed or a value has the wrong type.
    """
    for word in words:
        if "=" not in word:
            raise UsageError(
                f"{word!r} is not an option of the form key=value. `embodied list options` shows every key."
            )
    try:
        known = {key: value for key, value in recorded.items() if key in EvalConfig.__dataclass_fields__}
        anew = OmegaConf.from_dotlist(list(words))
        merged = OmegaConf.merge(OmegaConf.structured(EvalConfig), known, anew, _nested(values))
        return _object(cast(DictConfig, merged))
    except (HydraException, OmegaConfBaseException) as error:
        raise _explained(error) from error


def recorded(config: EvalConfig) -> dict[str, Any]:
    """The whole configuration as plain JSON; what reads an environment variable stands as `${oc.env:NAME}`, never with
    its value.
    """
    plain = asdict(config)
    for path, text in config.unresolved.items():
        _put(plain, path, text)
    return plain


def blind(config: EvalConfig) -> bool:
    """Whether the run would send pictures to a model that is known not to read them."""
    return reads_no_pictures(config.model) and shows_pictures(config.agent)


def _object(composed: DictConfig) -> EvalConfig:
    """The configuration with its values. Options of an environment stay references to environment variables until it is
    made.
    """
    config = cast(EvalConfig, OmegaConf.to_object(composed))
    raw = cast(dict[str, Any], OmegaConf.to_container(composed, resolve=False))
    references = {path: text for path, text in _strings(raw) if "${" in text and _reads_variable(text, raw)}
    config.unresolved = MappingProxyType({k: text for k, text in references.items() if k[0] not in ("env", "run")})
    for path, text in references.items():
        if path[0] == "env" and path[1:] not in (("name",), ("task",)):
            _put(config.env, path[1:], text)
    return config


def _strings(node: Any, path: Keys = ()) -> Iterator[tuple[Keys, str]]:
    """Every string in a plain value, with its path of keys and numbers."""
    if isinstance(node, str):
        yield path, node
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from _strings(value, (*path, key))


def _put(node: Any, path: Keys, value: str | None) -> None:
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value


def _reads_variable(text: str, raw: dict[str, Any], deep: int = 8) -> bool:
    """Whether an interpolation reads an environment variable, itself or through the keys that it names."""
    if REFERENCE in text:
        return True
    for name in re.findall(r"\$\{([\w.]+)\}", text):
        node: Any = raw
        for key in name.split("."):
            node = node.get(key) if isinstance(node, dict) else None
        if isinstance(node, str) and deep and _reads_variable(node, raw, deep - 1):
            return True
    return False


def quoted(text: str) -> str:
    """`text` as the value of a Hydra word that means exactly this text, with any characters."""
    return "'" + re.sub(r"(\\*)('|\Z)", lambda m: 2 * m[1] + (m[2] and "\\'"), _literal(text)) + "'"


def _literal(text: str) -> str:
    """`text` with `${` escaped, which would begin an interpolation."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as nested mappings, whose texts mean themselves."""
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *path, last = key.split(".")
        node = nested
        for name in path:
            node = node.setdefault(name, {})
        node[last] = _plain(value)
    return nested


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _literal(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _check_words(overrides: Sequence[str]) -> None:
    """Checks words that Hydra would accept, or would refuse in its parser's words. Only an environment has options
    that we cannot know.
    """
    known = keys(EvalConfig())
    for word in overrides:
        if "=" not in word or word.startswith("~"):
            raise UsageError(
                f"{word!r} is not an option of the form key=value. `embodied list options` shows every key."
            )
        key = word.lstrip("+").partition("=")[0]
        if word.startswith("+") and not key.startswith("env.") and key not in known:
            raise unknown("option", key, known, "embodied list options")


def env_options(name: str) -> set[str]:
    """The options in an environment's configuration (`embodied/conf/env/<name>.yaml`, or a plugin's own)."""
    return set(env_defaults(name))


def _mapping(node: Any) -> dict[str, Any]:
    return cast(dict[str, Any], OmegaConf.to_container(node))


@cache
def env_defaults(name: str) -> Mapping[str, Any]:
    """The options in an environment's configuration with their defaults."""
    if plugin := groups.plugin_environment(name):
        return MappingProxyType(plugin_options(plugin))
    options = _mapping(OmegaConf.load(Path(__file__).parent / "conf/env" / f"{name}.yaml"))
    return MappingProxyType({k: v for k, v in options.items() if k not in ("name", "task")})


def members(group: str) -> list[str]:
    """Names in a configuration group (`env`, `agent`, `corrector`), the user's included."""
    folders = [Path(__file__).parent / "conf", *filter(None, [presets.folder()])]
    named = {p.stem for folder in folders for p in (folder / group).glob("*.yaml")}
    return sorted(named | set(groups.plugin_members(group)))


def keys(config: EvalConfig) -> list[str]:
    """Every key of a configuration, dotted, for lists and near misses."""
    return presets.dotted(OmegaConf.structured(config))


def meanings(schema: type, path: str = "") -> dict[str, str]:
    """Dotted key -> what the source says below the field."""
    found: dict[str, str] = {}
    types = get_type_hints(schema)
    body = cast(ast.ClassDef, ast.parse(textwrap.dedent(inspect.getsource(schema))).body[0]).body
    for node, below in pairwise([*body, ast.Pass()]):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        name = node.target.id
        if is_dataclass(types[name]):
            found |= meanings(types[name], f"{path}{name}.")
        elif isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[f"{path}{name}"] = " ".join(str(below.value.value).split())
    return found


def _of_correctors() -> str:
    """The options of each corrector, as the end of a sentence about one that does not exist."""
    found = "; ".join(f"{name} has {', '.join(options)}" for name, options in OPTIONS.items())
    return f" Behind `corrector.`, {found}."


def _missing(error: MissingConfigException) -> UsageError:
    group, _, name = (error.missing_cfg_file or "").partition("/")
    if group in ("env", "agent", "corrector"):
        return _no_member(group, name)
    return UsageError(f"There is no configuration {error.missing_cfg_file!r}.")


def _no_member(group: str, name: str) -> UsageError:
    kind = {"env": "environment"}.get(group, group)
    return unknown(kind, name, members(group), f"embodied list {group}s")


def _explained(error: Exception) -> UsageError:
    """Hydra's message in one sentence; an unknown key gets the nearest one."""
    cause = error.__cause__ or error
    if isinstance(error, OverrideParseException):
        word = error.override
        says = (
            f"The value of {word!r} cannot be read. Lists are [a,b]; text with blanks, brackets or commas goes in"
            " quotes within quotes: \"key='a b'\"."
        )
        return UsageError(says)
    text = " ".join(str(cause).split("\n")[0].split()).rstrip(".")
    key = getattr(cause, "full_key", None) or (
        m.group(1) if (m := re.search(r"Could not override '([^']+)'", str(error))) else None
    )
    if key and ("not in struct" in str(cause) or "not in '" in str(cause)):
        shipped = (path.stem for path in (Path(__file__).parent / "conf/env").glob("*.yaml"))
        own = sorted({f"env.{option}" for name in (*shipped, *groups.readable()) for option in env_options(name)})
        error = unknown("option", key, [*keys(EvalConfig()), "env.task", *own], "embodied list options")
        return UnknownName(f"{error}{_of_correctors()}") if key.startswith("corrector.") else error
    where = f" at {key}" if key else ""
    return UsageError(
        f"The configuration is not valid{where}: {text}. `embodied list options` shows every key with its default."
    )

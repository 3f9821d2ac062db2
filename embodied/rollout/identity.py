"""What makes two runs the same run: everything that decides what happens in an episode, and nothing else.

A run outlives the version of this package that began it. So the package's own version is recorded, but never compared.
A run may not name a setting because the setting is younger than the run. Then the setting has the value that it had
before it existed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version

import msgspec

from embodied.agents import AGENTS
from embodied.agents.sentences.minilm import DISTRIBUTIONS
from embodied.catalog import ENTRIES
from embodied.config import EvalConfig, env_defaults, recorded
from embodied.correctors import CORRECTORS
from embodied.models.config import MODELS
from embodied.rollout.plan import identity
from embodied.store.codec import encode
from embodied.store.run import RunRecord
from embodied.types import Json, TaskSpec

PACKAGE = "embodied-suite"
SIMULATORS = ("nle", "minihack", "minigrid", "crafter", "textworld", "gymnasium", "numpy", "highway-env", "ompl")
"""Distributions whose version can move a score; recorded with every run."""
HOW = (
    "episodes",
    "out",
    "workers",
    "ray",
    "replicas",
    "concurrency",
    "step_seconds",
    "reset_seconds",
    "budget",
    "price",
    "corrector_price",
    "cache",
    "worker_variables",
)
"""Keys of `run` that say how a run is played, not what happens in an episode: not a part of a run's identity."""
BEFORE = {"agent.parse.reader": "v1", "agent.corrections": "paragraph"}
"""Younger key -> what older runs did before the key existed, if that is not today's default."""

SPOKEN = "agent.corrections"
"""The younger key that is compared only where a corrector speaks: nothing else of a run depends on it."""

UNSAID = ("model.sha256", "corrector.model.sha256")
"""Younger keys that an older run says nothing of: it is not compared by them."""


def deciding(config: EvalConfig) -> Json:
    """The part of a configuration that decides what happens in an episode, as `run.json` holds it."""
    whole = recorded(config)
    run = {key: value for key, value in whole["run"].items() if key not in HOW}
    return {**{key: value for key, value in whole.items() if key not in ("suite", "run")}, "run": run}


def of_plugins(config: EvalConfig) -> list[str]:
    """The distributions that agent, model and corrector come from, if they are plugins, and those of the sentence model
    that looks up the meaning of corrections.
    """
    found = (
        AGENTS.plugin(config.agent.policy),
        MODELS.plugin(config.model.provider),
        MODELS.plugin(config.corrector.model.provider),
        CORRECTORS.plugin(config.corrector.name) if config.corrector.name else None,
    )
    sentences = DISTRIBUTIONS if config.corrector.name and config.corrector.sentences == "minilm" else ()
    return [*(plugin.distribution for plugin in found if plugin is not None), *sentences]


def versions(specs: Iterable[TaskSpec] = (), more: Iterable[str] = ()) -> dict[str, str]:
    """Versions of what can move a score: of installed distributions, and of the environments of `specs` that have had
    more than one.

    Args:
        specs: What is played.
        more: Further distributions.
    """
    options: dict[str, list[Json]] = {}
    for spec in specs:
        if spec.env in ENTRIES:
            options.setdefault(spec.env, []).append(spec.kwargs)
    played = sorted((ENTRIES[env] for env in options), key=lambda e: e.id)
    found = {e.family: number for e in played if (number := e.version_of(options[e.name])) != "v0"}
    others = {name for e in played if e.distribution for name in (e.distribution, *e.versions)} | set(more)
    for name in (PACKAGE, *SIMULATORS, *sorted(others - {PACKAGE, *SIMULATORS})):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def run_identity(config: Json, found: Mapping[str, str]) -> str:
    """A hash that two runs share when their episodes are the same in everything but their number.

    Keys at their default are left out: a key that a later version adds changes no hash.

    Args:
        config: What `RunRecord.config` will hold.
        found: From `versions`.
    """
    simulators = {name: number for name, number in found.items() if name != PACKAGE}
    chosen = _chosen(config, _defaults(config))
    if several := _several(config):  # those without an option of their own too
        chosen["env"] = {name: chosen.get("env", {}).get(name, {}) for name in several}
    return identity({**chosen, "simulators": simulators})


def difference(then: RunRecord, now: RunRecord) -> str:
    """Why the run of `then` cannot continue as the run of `now`, in words: the first difference that decides an
    episode. Empty if it can continue.
    """
    mine, others = (msgspec.json.decode(encode(record.config)) for record in (then, now))
    if more := [name for name in _several(others) if name not in (mine.get("env") or {})]:
        return f"{more[0]} is not played there"
    if not any(_corrected(config) for config in (mine, others)):
        mine, others = _silent(mine), _silent(others)
    return _difference(mine, others, _defaults(others)) or _of_versions(then.versions, now.versions)


def unnamed(record: RunRecord) -> list[str]:
    """`key=value` for every younger key of `BEFORE` that a run does not name."""

    def names(key: str) -> bool:
        node: object = record.config
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        return node is not None

    return [f"{key}={value}" for key, value in BEFORE.items() if not names(key)]


def _corrected(config: Json) -> bool:
    corrector = config.get("corrector")
    return isinstance(corrector, dict) and bool(corrector.get("name"))


def _silent(config: Json) -> Json:
    """`config` without what matters only to an agent that is corrected."""
    agent = config.get("agent")
    if not isinstance(agent, dict):
        return config
    return {**config, "agent": {key: value for key, value in agent.items() if f"agent.{key}" != SPOKEN}}


def _several(config: Json) -> list[str]:
    """The environments of a configuration, sorted, where it may hold more than one; empty where it is about one."""
    env = config.get("env") or {}
    return [] if isinstance(env.get("name"), str) else sorted(env)


def _defaults(config: Json) -> Json:
    """The default value of every key, in the form of `RunRecord.config`."""
    several = _several(config)
    env = config.get("env") or {}
    options = {name: _options(name) for name in several} if several or not env else _options(env["name"])
    return {**deciding(EvalConfig()), "suite": None, "env": options}


def _options(name: str) -> Json:
    return dict(env_defaults(name)) if name in ENTRIES else {}


def _chosen(config: Json, defaults: Json) -> Json:
    """`config` without the keys that stand at their default."""
    found: Json = {}
    for key, value in config.items():
        if isinstance(value, dict) and isinstance(defaults.get(key), dict):
            found |= {key: part} if (part := _chosen(value, defaults[key])) else {}
        elif key not in defaults or value != defaults[key]:
            found[key] = value
    return found


def _difference(old: Json, new: Json, defaults: Json, path: str = "") -> str:
    for key in [*old, *(key for key in new if key not in old)]:
        dotted = f"{path}{key}"
        if dotted in UNSAID and key not in old:
            continue
        default = defaults.get(key)
        a = old[key] if key in old else BEFORE.get(dotted, {} if isinstance(default, dict) else default)
        b = new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            if inner := _difference(a, b, default if isinstance(default, dict) else {}, f"{dotted}."):
                return inner
        elif a != b:
            return f"{dotted} is {a!r} there and {b!r} here"
    return ""


def _of_versions(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """A distribution that either run lacks is not compared: no episode of both has used it."""
    for name in [*then, *(name for name in now if name not in then)]:
        environment = name not in (PACKAGE, *SIMULATORS) and "/" in name
        a, b = (found.get(name, "v0" if environment else "") for found in (then, now))
        if a and b and a != b and name != PACKAGE:
            return f"version.{name} is {a!r} there and {b!r} here"
    return ""

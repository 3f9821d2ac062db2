"""What a run was played with, in the few words a table has room for."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from embodied.catalog import ENTRIES
from embodied.controls import control_of, in_words
from embodied.correctors.config import CorrectorConfig
from embodied.models.config import ModelConfig
from embodied.models.prices import price_of
from embodied.splits import split_of
from embodied.store.run import RunRecord
from embodied.types import Json, Usage

OPEN = ("gguf", "transformers", "compatible", "vllm")
"""Providers that run weights one has."""
CLOSED = ("openai", "anthropic", "google", "gemini", "claude", "xai")
NO_MODEL = ("random", "scripted", "constant", "expert", "human")
PROVIDERS = {"gemini": "google", "claude": "anthropic"}
"""BALROG's client -> our provider, where they differ: for prices."""


@dataclass(frozen=True)
class RunSettings:
    """A run in words."""

    name: str
    """Model and agent, or the name under which it was published; and the control, if there is one."""
    agent: str
    model: str
    """`provider/name`; empty for an agent without a model."""
    open_model: bool | None
    """Whether its weights can be had; None where nothing says so."""
    vision: bool
    suite: str
    split: str
    """Of which episodes: test, train or dev."""
    control: str
    """What was taken from the agent, in words (`embodied.controls`); empty for nothing."""
    rules: str
    """Of the environments: embodied, balrog, or both."""
    imported: str
    """The format it was imported from; empty for a run of ours."""
    date: str
    corrector: str = ""
    """Who spoke to the agent; empty where it played alone."""


def named_agent(agent: str, preset: str) -> str:
    """`oracle (expert)`: what `--agent` named, and the policy where that is another."""
    return agent if not preset or preset == agent.partition(", ")[0] else f"{preset} ({agent})"


def describe(record: RunRecord) -> RunSettings:
    """Reads a run's settings from its record; facts that a foreign record lacks are empty."""
    config = record.config
    imported = config.get("imported") or {}
    agent = str(_part(config, "agent").get("policy") or config.get("preset") or "")
    model = _part(config, "model")
    provider, name = str(model.get("provider") or ""), str(model.get("name") or "")
    asks = agent not in NO_MODEL and bool(name)
    if _part(config, "agent").get("version") and name != config.get("preset"):
        agent = str(config.get("preset") or agent)  # a version whose model is not its own is named as the agent
    preset = str(config.get("preset") or "")
    rules = sorted({str(s.task.kwargs.get("rules") or "embodied") for s in record.planned})
    if held := _part(config, "agent").get("format"):
        agent = f"{agent}, {held}"  # it moves scores as another agent does
    if record.corrector:
        agent = f"{agent}, corrected by {help_of(record)}"
    label = imported.get("name") or (f"{name} · {agent}" if asks else named_agent(agent, preset) or "unnamed")
    control = in_words(control_of(config))
    return RunSettings(
        name=f"{label} · {control}" if control else str(label),
        agent=agent,
        model=f"{provider}/{name}".strip("/") if asks else "",
        open_model=_open(provider, model.get("base_url")) if asks else None,
        vision=bool(config.get("image")),
        suite=record.suite,
        split=split_of(config),
        control=control,
        rules=", ".join(rules),
        imported=str(imported.get("format") or ""),
        date=record.created[:10],
        corrector=record.corrector,
    )


def help_of(record: RunRecord) -> str:
    """Who spoke to the agent, with what was set: `oracle (silence 0.5)`. Empty where it played alone."""
    told, usual = _part(record.config, "corrector"), vars(CorrectorConfig())
    model = _part(told, "model")
    said = [f"{model['provider']}/{model.get('name')}"] if model.get("provider") else []
    plain = (key for key in told if key in usual and key not in ("name", "model"))
    said += [f"{key} {told[key]}" for key in plain if told[key] != usual[key]]
    return record.corrector + (f" ({', '.join(said)})" if said else "")


def changed(a: RunRecord, b: RunRecord) -> list[tuple[str, str, str]]:
    """Every setting and version in which two runs differ: dotted key, value in `a`, value in `b`; a dash where one has
    none.
    """
    mine, theirs = (_flat({**record.config, "versions": record.versions}) for record in (a, b))
    return [
        (key, mine.get(key, "–"), theirs.get(key, "–"))
        for key in sorted(mine.keys() | theirs.keys())
        if mine.get(key) != theirs.get(key)
    ]


def spent(config: Json, usage: Usage, about: RunSettings, advice: Usage | None = None) -> float | None:
    """US dollars, by the run's own price or the public one; None where neither is known or nothing was counted.

    Args:
        config: Of the run.
        usage: All that was used.
        about: The run in words.
        advice: The part of it that a corrector's own model used.
    """
    if advice is None or not advice.input:
        return _spent(config, usage, about)
    own = Usage(*(a - b for a, b in zip(astuple(usage), astuple(advice), strict=True)))
    model = _part(_part(config, "corrector"), "model")
    price = price_of(
        ModelConfig(provider=str(model.get("provider")), name=str(model.get("name")), base_url=model.get("base_url"))
    )
    agents = _spent(config, own, about) if own.input else 0.0
    return None if price is None or agents is None else agents + price.cost(advice)


def _spent(config: Json, usage: Usage, about: RunSettings) -> float | None:
    """What the agent's model cost."""
    model = config.get("model")
    if not about.model or not isinstance(model, dict) or not usage.input:
        return None
    run = config.get("run")
    own = run.get("price") if isinstance(run, dict) else None
    if own is not None and not _is_price(own):
        return None  # a folder from elsewhere may say anything
    provider = PROVIDERS.get(str(model.get("provider")), str(model.get("provider")))
    # An imported run names the address its client was given, whether or not the provider's own answered: that says
    # nothing of the price.
    address = None if about.imported else model.get("base_url")
    price = price_of(ModelConfig(provider=provider, name=str(model.get("name")), base_url=address), own)
    return None if price is None else price.cost(usage)


def _is_price(value: object) -> bool:
    """Whether a recorded value is three numbers of at least 0, as `price_of` wants them."""
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(isinstance(number, int | float) and not isinstance(number, bool) and number >= 0 for number in value)
    )


def _part(config: Json, key: str) -> Json:
    value = config.get(key)
    return value if isinstance(value, dict) else {}


def _open(provider: str, base_url: str | None) -> bool | None:
    if provider in OPEN or (provider == "openai" and base_url):
        return True
    return False if provider in CLOSED else None


def _flat(value: object, path: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        return {
            k: v for key, item in value.items() for k, v in _flat(item, f"{path}.{key}" if path else str(key)).items()
        }
    return {} if value in (None, "", []) else {path: str(value)}


def old_version(record: RunRecord, env: str) -> str:
    """The version of an environment that a run was played with, where it is not the present one; else empty.

    Runs name the version of an environment that has had more than one. Imported runs were never played with an older
    one of ours.
    """
    entry = ENTRIES.get(env)
    if entry is None or "imported" in record.config:
        return ""
    then = record.versions.get(entry.family, "v0")
    return "" if then == _here(record, env) else then


def older_versions(record: RunRecord) -> str:
    """`minihack v0 (here v1)`, for every environment that a run was played with in another version than the present
    one; else empty.
    """
    found = {env: old for env in {spec.task.env for spec in record.planned} if (old := old_version(record, env))}
    return ", ".join(f"{env} {old} (here {_here(record, env)})" for env, old in sorted(found.items()))


def _here(record: RunRecord, env: str) -> str:
    """The version that an environment has here, with the options of a run."""
    return ENTRIES[env].version_of(spec.task.kwargs for spec in record.planned if spec.task.env == env)

"""What a run was played with, in the few words a table has room for."""

from __future__ import annotations

from dataclasses import dataclass

from embodied.store.run import RunRecord
from embodied.types import Json

OPEN = ("gguf", "transformers", "compatible", "vllm")
"""Providers that run weights one has."""
CLOSED = ("openai", "anthropic", "google", "gemini", "claude", "xai")
NO_MODEL = ("random", "scripted", "expert", "human")


@dataclass(frozen=True)
class Settings:
    """A run in words."""

    name: str
    """Model and agent, or the name under which it was published."""
    agent: str
    model: str
    """`provider/name`; empty for an agent without a model."""
    open_model: bool | None
    """Whether its weights can be had; None where nothing says so."""
    vision: bool
    suite: str
    rules: str
    """Of the environments: embodied, balrog, or both."""
    imported: str
    """The format it was imported from; empty for a run of ours."""
    date: str


def describe(record: RunRecord) -> Settings:
    """Reads a run's settings from its record; what a foreign record lacks is empty."""
    config = record.config
    imported = config.get("imported") or {}
    agent = str(_part(config, "agent").get("policy") or config.get("preset") or "")
    model = _part(config, "model")
    provider, name = str(model.get("provider") or ""), str(model.get("name") or "")
    asks = agent not in NO_MODEL and bool(name)
    rules = sorted({str(s.task.kwargs.get("rules") or "embodied") for s in record.planned})
    label = imported.get("name") or (f"{name} · {agent}" if asks else agent or "unnamed")
    return Settings(
        name=str(label),
        agent=agent,
        model=f"{provider}/{name}".strip("/") if asks else "",
        open_model=_open(provider, model.get("base_url")) if asks else None,
        vision=bool(config.get("image")),
        suite=record.suite,
        rules=", ".join(rules),
        imported=str(imported.get("format") or ""),
        date=record.created[:10],
    )


def _part(config: Json, key: str) -> Json:
    value = config.get(key)
    return value if isinstance(value, dict) else {}


def _open(provider: str, base_url: str | None) -> bool | None:
    if provider in OPEN or (provider == "openai" and base_url):
        return True
    return False if provider in CLOSED else None

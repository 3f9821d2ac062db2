"""A learner's own settings: `learner.preset=paper`, and the model that it asks, `learner.model=provider/name`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embodied import models
from embodied.config import restore
from embodied.errors import UsageError
from embodied.models.config import ModelConfig
from embodied.registry import unknown
from embodied.types import Json

MODEL = "model"


def learner_settings(name: str, learner: Any, given: Mapping[str, Any]) -> tuple[Json, ModelConfig | None]:
    """The settings with the learner's defaults filled in, and the model that the user names for it.

    Args:
        name: The learner's.
        learner: See `embodied.train.learner.Learner`.
        given: Key -> value; `model` is `provider/name`, `model.KEY` a key of its configuration.

    Raises:
        UnknownName: A key that it does not have.
        UsageError: A value of another type.
    """
    defaults: Mapping[str, Any] = getattr(learner, "defaults", {})
    found: Json = dict(defaults)
    for key, value in given.items():
        if key == MODEL or key.startswith(f"{MODEL}."):
            continue
        if key not in defaults:
            raise unknown(f"setting of the learner {name}", key, sorted(defaults), "embodied list learners")
        found[key] = _as(defaults[key], value, f"learner.{key}")
    return found, _model(given)


def _as(default: Any, value: Any, key: str) -> Any:
    """`value`, where it is of the type of the default; a whole number may stand for a number."""
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if default is not None and type(value) is not type(default):
        kind = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list"}
        raise UsageError(f"{key} is {kind.get(type(default), type(default).__name__)}, not {value!r}.")
    return value


def _model(given: Mapping[str, Any]) -> ModelConfig | None:
    more = {key: value for key, value in given.items() if key.startswith(f"{MODEL}.")}
    if MODEL not in given:
        if more:
            raise UsageError(f"learner.{next(iter(more))} goes with learner.model=PROVIDER/NAME.")
        return None
    provider, name = models.parse_model(str(given[MODEL]))
    config = restore({}, (), {"model.provider": provider, "model.name": name, **more}).model
    models.check(config)
    return config

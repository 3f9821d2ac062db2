"""References to environment variables in the options of an environment: `${oc.env:NAME}`, resolved where it is made and
recorded as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from embodied.errors import UsageError
from embodied.types import Json, TaskSpec

REFERENCE = "${oc.env:"


def refers(value: Any) -> bool:
    """Whether a plain JSON value has a reference somewhere in it."""
    if isinstance(value, str):
        return REFERENCE in value
    if isinstance(value, dict):
        return any(map(refers, value.values()))
    return isinstance(value, list | tuple) and any(map(refers, value))


def resolved(options: Json) -> Json:
    """`options` with what the variables hold now. Raises `UsageError` when one is not set and no default is given."""
    if not refers(options):
        return options
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        asked = {key: value for key, value in options.items() if refers(value)}
        values = OmegaConf.to_container(OmegaConf.create(asked), resolve=True)
        assert isinstance(values, dict), "the container of a mapping is a mapping"
        return {**options, **{str(key): value for key, value in values.items()}}
    except OmegaConfBaseException as error:
        raise UsageError(
            f"An option of the environment cannot be resolved: {str(error).splitlines()[0].rstrip('.')}. Set the"
            " variable first."
        ) from error


def resolved_task(task: TaskSpec) -> TaskSpec:
    """`task` with its options resolved."""
    return replace(task, kwargs=resolved(task.kwargs)) if refers(task.kwargs) else task

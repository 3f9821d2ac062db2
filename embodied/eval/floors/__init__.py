"""Floors: what random choice and the best constant phrase earn in each environment. Shipped as data, shown beside
scores, never ranked.

`embodied floors` measures them (`embodied.eval.floors.measuring`); this module reads them. A file is of one
environment's id, version included, and one rule set. Episodes that were not played with the environment's defaults
(another step limit, published data, another version) have no floor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from embodied.catalog import ENTRIES
from embodied.config import env_defaults
from embodied.errors import StoreError
from embodied.eval.settings import old_version
from embodied.store.codec import decode
from embodied.store.run import RunRecord
from embodied.types import Json, TaskSpec

AGENTS = ("random", "constant")
"""In the order in which they are shown."""
NO_MATTER = ("rules", "image", "crop", "expert", "render_mode")
"""Options of an environment that do not change its floors: rules choose the file, the others change what an agent
sees."""


@dataclass(frozen=True)
class Floor:
    """What an agent that looks at nothing earns."""

    agent: str
    """`random`: uniform over the vocabulary. `constant`: always the best phrase."""
    progress: float
    """Mean progress over fresh seeds, in [0, 1]."""
    error: float
    """Its standard error."""
    episodes: int
    phrase: str = ""
    """What `constant` says; empty where several tasks have one each."""
    screened: int = 0
    """For `constant`: phrases it was chosen from, on other seeds than those of `progress`."""


@dataclass(frozen=True)
class Floors:
    """The file of an environment and rule set: what is known of each task."""

    id: str
    """Gymnasium id, with its version."""
    rules: str
    """`embodied` where the environment has no rule sets."""
    versions: dict[str, str]
    """Of the simulators that it was measured with."""
    tasks: dict[str, tuple[Floor, ...]]
    """Task -> its floors; a task may have none (`notes` says why)."""
    notes: dict[str, str]
    """Task -> why a floor is missing, in words."""


def file_name(id_: str, rules: str) -> str:
    """Of the file of an environment and rule set: `BabyAI-v0.balrog.json`."""
    return f"{id_.rpartition('/')[2]}.{rules}.json"


def known(env: str, task: str, kwargs: Mapping[str, object] | None = None) -> tuple[Floor, ...]:
    """The floors of a task as it was played; empty where none is known.

    Args:
        env: Command-line name; `gym:ID` and environments of plugins have no floors.
        task: The task.
        kwargs: Options it was played with; any that changes the task leaves it without floors. Those that stand at the
            environment's default, as `embodied eval` records them, do not.
    """
    if env not in ENTRIES:
        return ()
    usual = env_defaults(env)
    options = {k: v for k, v in (kwargs or {}).items() if v is not None and (k in NO_MATTER or v != usual.get(k))}
    if any(k not in NO_MATTER for k in options):
        return ()
    found = _read(ENTRIES[env].id, str(options.get("rules", "embodied")))
    return found.tasks.get(task, ()) if found is not None else ()


def of_run(record: RunRecord) -> dict[str, tuple[Floor, ...]]:
    """The floors of each environment of a run (see `of_tasks`); one that was played with an older version has none."""
    found = of_tasks(spec.task for spec in record.planned)
    return {env: () if old_version(record, env) else floors for env, floors in found.items()}


def of_tasks(played: Iterable[TaskSpec]) -> dict[str, tuple[Floor, ...]]:
    """The floors of each environment: means over those of its tasks that were played, where all of
    them have the floor.
    """
    tasks: dict[str, dict[tuple[str, str], TaskSpec]] = {}
    for task in played:
        tasks.setdefault(task.env, {}).setdefault((task.task, repr(sorted(task.kwargs.items()))), task)
    found = {}
    for env, members in tasks.items():
        each = [known(env, task.task, task.kwargs) for task in members.values()]
        found[env] = tuple(f for agent in AGENTS if (f := mean([_of(agent, floors) for floors in each])) is not None)
    return found


def total(environments: Mapping[str, tuple[Floor, ...]]) -> tuple[Floor, ...]:
    """The floors of a whole: means over its environments, where all of them have the floor."""
    return tuple(
        f for agent in AGENTS if (f := mean([_of(agent, floors) for floors in environments.values()])) is not None
    )


def mean(parts: list[Floor | None]) -> Floor | None:
    """The floor of several tasks or environments, each of the same weight; None where one has none."""
    held = [part for part in parts if part is not None]
    if not parts or len(held) < len(parts):
        return None
    n = len(held)
    phrases = {part.phrase for part in held}
    return Floor(
        agent=held[0].agent,
        progress=sum(part.progress for part in held) / n,
        error=sum(part.error**2 for part in held) ** 0.5 / n,
        episodes=sum(part.episodes for part in held),
        phrase=phrases.pop() if len(phrases) == 1 else "",
        screened=max(part.screened for part in held),
    )


def who(floor: Floor) -> str:
    """The agent in words: `random`, "always `go forward`", or `the best constant of each task`."""
    if floor.agent == "random":
        return "random"
    return f"always `{short(floor.phrase)}`" if floor.phrase else "the best constant of each task"


def sentence(floors: Iterable[Floor]) -> str:
    """Floors in words: "random earns 10.7 % (± 1.4, n = 500), always `go forward` earns 3.2 % (± 0.8, n = 500)"."""
    return ", ".join(
        f"{who(f)} earns {100 * f.progress:.1f} % (± {100 * f.error:.1f}, n = {f.episodes})" for f in floors
    )


def short(phrase: str, limit: int = 60) -> str:
    """A phrase on one line, cut where it is long."""
    line = " ".join(phrase.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def plain(environments: Mapping[str, tuple[Floor, ...]]) -> Json:
    """The floors of environments as plain JSON."""
    return {env: [{**f.__dict__} for f in floors] for env, floors in environments.items() if floors}


def read(path: Path) -> Floors:
    """Reads a file of floors. Raises `StoreError` when it is damaged or cannot be read."""
    try:
        return decode(path.read_bytes(), Floors, str(path))
    except OSError as error:
        raise StoreError(f"Cannot read {path}: {error.strerror or error}.") from error


@lru_cache
def _read(id_: str, rules: str) -> Floors | None:
    """The shipped file, or None where there is none."""
    place = files("embodied.eval.floors").joinpath("data", file_name(id_, rules))
    if not place.is_file():
        return None
    found = decode(place.read_bytes(), Floors, place.name)
    return found if (found.id, found.rules) == (id_, rules) else None


def _of(agent: str, floors: Iterable[Floor]) -> Floor | None:
    return next((f for f in floors if f.agent == agent), None)

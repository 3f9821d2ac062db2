"""plan(): which episodes a configuration means. Everything about an episode is decided here, before anything runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from embodied.seeding import derive
from embodied.store.codec import encode
from embodied.types import EpisodeSpec, Json, TaskSpec


def identity(config: Json) -> str:
    """Hash of a configuration: equal for two runs whose episodes are the same in everything but their number."""
    return hashlib.sha256(encode(config)).hexdigest()


def plan(tasks: Sequence[tuple[TaskSpec, int]], seed: int, run_identity: str) -> tuple[EpisodeSpec, ...]:
    """Lists the episodes of a run.

    Environment seeds depend on the suite seed, environment and task alone, so two agents with the same suite seed meet the same
    episodes, whatever else they run. The episodes of a task have consecutive seeds: no two share one, and an environment that picks
    from n levels by its seed (TextWorld's games) shows all of them in n episodes.

    Args:
        tasks: Each task with its number of episodes.
        seed: The suite seed.
        run_identity: From `identity`; goes into the episode ids.
    """
    specs = []
    for task, episodes in tasks:
        first = derive(seed, "episode", task.env, task.task, bits=30)
        for index in range(episodes):
            env_seed = first + index
            digest = hashlib.sha256(f"{run_identity} {index} {env_seed} ".encode() + encode(task)).hexdigest()
            name = "".join(c if c.isalnum() or c in "-_." else "-" for c in f"{task.env}-{task.task}").strip("-")
            specs.append(EpisodeSpec(f"{name}-{index:03d}-{digest[:8]}", task, env_seed, index, derive(seed, "agent", task.env, task.task, index)))
    return tuple(specs)

"""plan(): which episodes a configuration means. Everything about an episode is decided here, before anything runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from embodied.errors import UsageError
from embodied.seeding import derive
from embodied.splits import MOST, Split, first_seed
from embodied.store.codec import encode
from embodied.types import EpisodeSpec, Json, TaskSpec


@dataclass(frozen=True)
class Shard:
    """A part of a plan, for one machine of several: every `count`-th episode, beginning with the `number`-th."""

    number: int = 1
    """1 to `count`."""
    count: int = 1

    @classmethod
    def parse(cls, text: str | None) -> Shard:
        """Reads `i/n`; None is the whole. Raises `UsageError` when it is not 1 <= i <= n."""
        if text is None:
            return cls()
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise UsageError(f"A shard is i/n with i from 1 to n, for instance 1/4 to 4/4; not {text!r}.")
        return cls(int(number), int(count))

    def of(self, specs: Sequence[EpisodeSpec]) -> Sequence[EpisodeSpec]:
        """The episodes of this part."""
        return specs[self.number - 1 :: self.count]


def identity(config: Json) -> str:
    """Hash of a configuration. For a run that is played, `embodied.rollout.identity` says what goes into it."""
    return hashlib.sha256(encode(config)).hexdigest()


def plan(
    tasks: Sequence[tuple[TaskSpec, int]],
    seed: int,
    run_identity: str,
    before: Sequence[EpisodeSpec] = (),
    split: Split = "test",
) -> tuple[EpisodeSpec, ...]:
    """Lists the episodes of a run.

    Environment seeds depend on the suite seed, environment and task alone, so two agents with the same suite seed meet
    the same episodes, no matter what else they run. The episodes of a task have consecutive seeds: no two share one,
    and an environment that picks from n levels by its seed (TextWorld's games) shows all of them in n episodes.

    Args:
        tasks: Each task with its number of episodes.
        seed: The suite seed.
        run_identity: From `identity`; goes into the episode ids.
        before: What the run has planned already. Those episodes stay as they are: their ids, and their options, which
            lack what a later version added.
        split: Of which range the environment seeds are.

    Raises:
        UsageError: A task has more episodes than a split.
    """
    known = {(spec.task.env, spec.task.task, spec.index, spec.seed): spec for spec in before}
    specs = []
    for task, episodes in tasks:
        if split != "test" and episodes > MOST:
            raise UsageError(f"The {split} split has {MOST:,} episodes a task, not {episodes:,}: ask for fewer.")
        first = first_seed(split, seed, task.env, task.task)
        for index in range(episodes):
            env_seed = first + index
            if (planned := known.get((task.env, task.task, index, env_seed))) is not None:
                specs.append(planned)
                continue
            digest = hashlib.sha256(f"{run_identity} {index} {env_seed} ".encode() + encode(task)).hexdigest()
            name = "".join(c if c.isalnum() or c in "-_." else "-" for c in f"{task.env}-{task.task}").strip("-")
            agent_seed = derive(seed, "agent", task.env, task.task, index)
            specs.append(EpisodeSpec(f"{name}-{index:03d}-{digest[:8]}", task, env_seed, index, agent_seed))
    return tuple(specs)

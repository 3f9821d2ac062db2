"""Branching: a person goes back in a running episode, and another episode goes on from there.

The store makes the branch (`Run.branch`); the runner plays it like any episode. This module ties the two to an
episode's channel.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from embodied import types
from embodied.agents.base import Agent
from embodied.correctors.base import Corrector
from embodied.errors import Rewound, UsageError
from embodied.rollout.channel import Channel
from embodied.rollout.control import Branch, Rewind, Speak
from embodied.store.record import Branched
from embodied.store.run import Run
from embodied.types import EpisodeSpec


def connected(
    run: Run,
    spec: EpisodeSpec,
    channel: Channel | None,
    tellable: bool,
    begun: Callable[[EpisodeSpec], None],
) -> Channel | None:
    """The channel of an episode, from which it can now branch. An episode that begins with words has one in any case.

    Args:
        run: The run.
        spec: The episode.
        channel: What a person tells it; None where nobody can.
        tellable: Whether the agent and its corrector can be told recorded steps.
        begun: Hears of each branch that must be played.
    """
    own = next((branch for branch in run.record.branched if branch.spec.id == spec.id), None)
    if own is not None and own.say:
        channel = channel or Channel()
        channel.opening = (first_own(spec), Speak(own.say, by=own.by, lasts=own.lasts))
    if channel is not None:
        channel.control.branch = partial(_begin, run, spec, tellable, begun)
    return channel


def _begin(
    run: Run, spec: EpisodeSpec, tellable: bool, begun: Callable[[EpisodeSpec], None], command: Branch | Rewind
) -> str:
    """Begins the branch that a command asks for. Returns its id.

    Raises:
        UsageError, StoreError: It cannot be begun. Nothing has changed.
    """
    check_tellable(tellable, command.step)
    new = run.branch(spec.id, command.step, by=command.by, rewinds=isinstance(command, Rewind))
    begun(new)
    return new.id


def can_be_told(agent: Agent, corrector: Corrector | None) -> bool:
    """Whether both can be told what was played before."""
    return all(hasattr(one, "recall") for one in (agent, corrector) if one is not None)


def check_tellable(tellable: bool, step: int) -> None:
    """Raises `UsageError` where a branch repeats steps that nobody can tell its agent of."""
    if step > 0 and not tellable:
        raise UsageError(
            "The agent or its corrector cannot be told what was played before (it has no method `recall`): it can"
            " branch only from step 0."
        )


def first_own(spec: EpisodeSpec) -> int:
    """The first step that is an episode's own: 0, but for branches. The steps before are its parent's, who has paid for
    them.
    """
    return spec.from_step if isinstance(spec.from_step, int) else 0


@dataclass(frozen=True)
class Begun:
    """The branches that people have begun from one episode, as the run has them at any moment."""

    run: Run
    spec: EpisodeSpec
    without: tuple[str, ...] = ()
    """Ids of branches of an earlier attempt, which say nothing about this one."""

    @classmethod
    def of(cls, run: Run, spec: EpisodeSpec, anew: bool) -> Begun:
        """Of an episode that begins or continues.

        Args:
            run: The run.
            spec: The episode.
            anew: No step of it is recorded: what branches it had are of an attempt that was given up or deleted.
        """
        every = cls(run, spec)
        return cls(run, spec, tuple(branch.spec.id for branch in every._branches())) if anew else every

    def events(self) -> list[types.Branch]:
        """What the episode's record must say of them."""
        return [types.Branch(episode=b.spec.id, by=b.by, step=first_own(b.spec)) for b in self._branches()]

    def rewound(self) -> Rewound | None:
        """Why the episode ends without a score; None where nobody went back in it."""
        found = next((branch for branch in self._branches() if branch.rewinds), None)
        if found is None:
            return None
        step = first_own(found.spec)
        return Rewound(f"Somebody went back to step {step}: the episode {found.spec.id} goes on from there.")

    def _branches(self) -> list[Branched]:
        every = self.run.record.branched
        return [b for b in every if b.spec.parent == self.spec.id and b.spec.id not in self.without]


def branches_of(run: Run, ids: Collection[str]) -> list[EpisodeSpec]:
    """The branches that descend from one of these episodes, parents first. Those of `ids` are left out."""
    family, found = set(ids), []
    for branch in run.record.branched:
        if branch.spec.parent in family and branch.spec.id not in family:
            family.add(branch.spec.id)
            found.append(branch.spec)
    return found

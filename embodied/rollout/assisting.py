"""An agent and who corrects it: each decision is reviewed before it is executed, and every word is kept as an event."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from embodied.agents.base import Agent
from embodied.agents.resolving import resolve
from embodied.agents.vocabulary import Commands, Vocabulary, accepted
from embodied.correctors.base import Corrector
from embodied.errors import AgentFailure, EmbodiedError
from embodied.rollout.worlds.environment import Answer
from embodied.seeding import derive, generator
from embodied.types import (
    Correction,
    Decision,
    EpisodeSpec,
    Event,
    Interrupt,
    Mission,
    Observation,
    Outcome,
    Review,
    Step,
    Takeover,
)


@dataclass
class Assisted:
    """One episode's agent, with its corrector where there is one."""

    agent: Agent
    corrector: Corrector | None = None
    unfinished: list[Event] = field(default_factory=list)
    """What was spoken in the present step, as long as no decision that heard it was executed."""
    seconds: float = 0.0
    """Wall time of the agent's decisions in the present step."""
    _counting: list[Correction] = field(default_factory=list)
    _told: int = -1
    """The step in which the agent was last told what counts."""
    _accepted: Vocabulary | Commands = field(default_factory=lambda: Vocabulary({}))

    def begin(self, mission: Mission, spec: EpisodeSpec) -> None:
        """Tells both that the episode begins."""
        self.agent.begin(mission, generator(spec.agent_seed))
        if self.corrector is not None:
            self._accepted = accepted(mission)
            self.corrector.begin(mission, generator(derive(spec.agent_seed, "corrector")))

    async def decide(self, observation: Observation) -> tuple[Decision, tuple[Event, ...]]:
        """The decision to execute, and what was said about it. If the corrector speaks, the agent decides again, once.

        Raises:
            AgentFailure: The agent or the corrector failed.
        """
        self.seconds, self.unfinished = 0.0, []
        if observation.step != self._told:  # else it was interrupted, and has heard them
            self._told = observation.step
            for correction in self._counting:
                self.agent.hear(correction.text)
        decision = await self._act(observation)
        if self.corrector is None:
            return decision, ()
        said = await self._review(observation, decision)
        if not isinstance(said, Correction):
            return decision, () if said is None else (said,)
        step = observation.step
        found = resolve(said.text, self._accepted)
        spoken = msgspec.structs.replace(
            said,
            id=f"{step}-1",
            opened=step,
            resolved=found.action,
            method=found.method,
            score=found.score,
            superseded=decision,
        )
        self.unfinished = [_over(spoken, step, "episode end", "discarded")]
        self.agent.hear(spoken.text)
        decision = await self._act(observation)
        self.unfinished = []
        if hasattr(self.corrector, "follows"):
            self.corrector.follows(decision)
        older = [_over(_closing(c), step, "new correction", "superseded") for c in self._counting]
        spoken = msgspec.structs.replace(spoken, applied=step, status="applied")
        self._counting = [spoken]
        return decision, (*older, spoken)

    def executed(self, index: int, answer: Answer, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """The events of a step once its action was executed: corrections that end with it say so."""
        found = list(events)
        for correction in self._counting:
            why = _why(correction, index, answer)
            if not why:
                continue
            if correction in found:
                found[found.index(correction)] = _over(correction, index, why, "committed")
            else:
                found.append(_over(_closing(correction), index, why, "committed"))
        self._keep(found)
        return tuple(found)

    def recall(self, step: Step) -> None:
        """Tells both of them a recorded step, in the order in which it happened."""
        shown = replace(step, observation=self._shown(step.observation))
        self._keep([e for e in step.events if isinstance(e, Correction) and (e.ended or 0) < step.index])
        if _asked_in(step):
            for correction in self._counting:
                self.agent.hear(correction.text)
        for event in step.events:
            if isinstance(event, Takeover) and event.superseded is not None:
                self.agent.recall(replace(shown, decision=event.superseded, events=()))
            if isinstance(event, Correction) and _heard_in(event, step.index):
                if event.superseded is not None:
                    self.agent.recall(replace(shown, decision=event.superseded, events=()))
                self.agent.hear(event.text)
                self._counting.append(event)
        self.agent.recall(shown)
        if self.corrector is not None:
            self.corrector.recall(step)
        self._keep(step.events)

    def acted(self, step: Step) -> None:
        """Tells both of them a step in which a person acted in the agent's place."""
        shown = replace(step, observation=self._shown(step.observation))
        for one, told in ((self.agent, shown), (self.corrector, step)):
            if one is not None and hasattr(one, "recall"):
                one.recall(told)

    def end(self, outcome: Outcome) -> None:
        """Tells both that the episode is over."""
        self.agent.end(outcome)
        if self.corrector is not None:
            self.corrector.end(outcome)

    def _keep(self, events: tuple[Event, ...] | list[Event]) -> None:
        """Lets go of the corrections that `events` end."""
        over = {event.id for event in events if isinstance(event, Correction) and event.ended is not None}
        self._counting = [c for c in self._counting if c.id not in over]

    def _shown(self, observation: Observation) -> Observation:
        """What the agent sees: the expert's advice goes only to a corrector that speaks for it."""
        return replace(observation, expert="") if getattr(self.corrector, "expert", False) else observation

    async def _act(self, observation: Observation) -> Decision:
        start = time.perf_counter()
        decision: Decision = await _asked("agent", "act", self.agent.act, observation.step, self._shown(observation))
        self.seconds += time.perf_counter() - start
        return decision

    async def _review(self, observation: Observation, decision: Decision) -> Correction | Review | None:
        assert self.corrector is not None
        try:
            said = await _asked("corrector", "review", self.corrector.review, observation.step, observation, decision)
        except asyncio.CancelledError:  # a channel that interrupts keeps the calls of both
            raise
        except BaseException:  # the agent's calls are paid for, even if a person leaves
            self.unfinished = [Interrupt(by="corrector", calls=decision.calls)] if decision.calls else []
            raise
        if said is not None and not isinstance(said, Correction | Review):
            raise AgentFailure(f"The corrector's `review` must give a Correction, a Review or None, not {said!r}.")
        return None if isinstance(said, Correction) and not said.text.strip() else said


async def _asked(who: str, method: str, call: Any, step: int, *arguments: Any) -> Any:
    """What a person's code answers. Raises `AgentFailure` for whatever goes wrong in it."""
    try:
        answering = call(*arguments)
        if not inspect.isawaitable(answering):
            raise AgentFailure(f"The {who}'s `{method}` must be `async def`.")
        waited: Awaitable[Any] = answering
        return await waited
    except EmbodiedError:
        raise
    except Exception as error:
        raise AgentFailure(f"The {who} failed in step {step}: {type(error).__name__}: {error}") from error


def _why(correction: Correction, index: int, answer: Answer) -> str:
    """Why a correction ends with a step; empty where it still counts."""
    if correction.resolved and answer.executed == correction.resolved:
        return "done"
    if answer.terminated or answer.truncated:
        return "episode end"
    return "time-out" if index - correction.opened + 1 >= correction.lasts else ""


def _asked_in(step: Step) -> bool:
    """Whether the agent was asked for a decision in a step, executed or not."""
    takeovers = [event for event in step.events if isinstance(event, Takeover)]
    interrupted = any(isinstance(event, Interrupt) for event in step.events)
    return not takeovers or interrupted or any(event.superseded is not None for event in takeovers)


def _heard_in(correction: Correction, index: int) -> bool:
    """Whether the agent was told a correction for the first time in a step. One that no decision followed was told if
    it superseded one.
    """
    if correction.applied is None:
        return correction.superseded is not None
    return correction.applied == index


def _closing(correction: Correction) -> Correction:
    """The second record of a correction: its calls stand in the first one, and are paid for once."""
    return msgspec.structs.replace(correction, superseded=None, calls=())


def _over(correction: Correction, step: int, why: str, status: str) -> Correction:
    return msgspec.structs.replace(correction, ended=step, why=why, status=status)

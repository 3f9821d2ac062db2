"""An agent and who corrects it: each decision is reviewed before it is executed, and every word is kept as an event."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import msgspec

from embodied.agents.base import Agent, Follower
from embodied.correctors.base import Corrector
from embodied.errors import AgentFailure, EmbodiedError
from embodied.rollout.spoken import number
from embodied.rollout.understanding import Understanding, say
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
    commands: int = 0
    """The highest number of a recorded correction that came through a channel."""
    _counting: list[Correction] = field(default_factory=list)
    _told: int = -1
    """The step in which the agent was last told what counts."""
    _ids: set[str] = field(default_factory=set)
    """Of all corrections so far."""
    understanding: Understanding = field(default_factory=Understanding)

    def begin(self, mission: Mission, spec: EpisodeSpec) -> None:
        """Tells both that the episode begins."""
        self.agent.begin(mission, generator(spec.agent_seed))
        self.understanding.begin(mission)
        if self.corrector is not None:
            self.corrector.begin(mission, generator(derive(spec.agent_seed, "corrector")))

    async def decide(self, observation: Observation) -> tuple[Decision, tuple[Event, ...]]:
        """The decision to execute, and what was said about it. If the corrector speaks, the agent decides again, once.

        Raises:
            AgentFailure: The agent or the corrector failed.
        """
        self.seconds, self.unfinished = 0.0, []
        self.tell(observation.step)
        decision = await self._act(observation)
        if self.corrector is None:
            return decision, ()
        said = await self._review(observation, decision)
        if not isinstance(said, Correction):
            return decision, () if said is None else (said,)
        step = observation.step
        spoken = msgspec.structs.replace(said, id=self._number(step), opened=step, superseded=decision)
        spoken = await self._understood(spoken, observation)
        self.unfinished = [_over(spoken, step, "episode end", "discarded")]
        say(self.agent, spoken.text, spoken.resolved)
        decision = await self._act(observation)
        self.unfinished = []
        if hasattr(self.corrector, "follows"):
            self.corrector.follows(decision)
        own = [c for c in self._counting if number(c) is None]
        older = [_over(_closing(c), step, "new correction", "superseded") for c in own]
        spoken = msgspec.structs.replace(spoken, applied=step, status="applied")
        self._counting = [*(c for c in self._counting if c not in own), spoken]
        return decision, (*older, spoken)

    def tell(self, step: int) -> None:
        """Tells the agent what counts, once in a step: after an interruption it has heard it."""
        if step != self._told:
            self._told = step
            self._say_all()

    def hand_over(self) -> list[Correction]:
        """The corrections in force that came through a channel, in order. From now on that channel keeps them."""
        kept = [c for c in self._counting if number(c) is not None]
        self._counting = [c for c in self._counting if number(c) is None]
        return kept

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
            self._say_all()
        for event in step.events:
            superseded: Decision | None = getattr(event, "superseded", None)
            if superseded is not None:
                self.agent.recall(replace(shown, decision=superseded, events=()))
            if isinstance(event, Correction) and _heard_in(event, step.index):
                say(self.agent, event.text, event.resolved)
                self._counting.append(event)
        self.agent.recall(shown)
        if self.corrector is not None:
            self.corrector.recall(step)
        self._keep(step.events)
        self.know(step.events)

    def skip(self, steps: Iterable[Step]) -> None:
        """Takes in what recorded steps leave in force, and tells nobody."""
        self._counting = []
        for step in steps:
            self._counting += [e for e in step.events if isinstance(e, Correction)]
            self._keep(step.events)
            self.know(step.events)

    def know(self, events: Iterable[Event]) -> None:
        """Takes in recorded events, so that no id is given twice."""
        for event in events:
            if isinstance(event, Correction):
                self._ids.add(event.id)
                self.commands = max(self.commands, number(event) or 0)

    def acted(self, step: Step) -> None:
        """Tells both of them a step in which a person acted in the agent's place."""
        shown = replace(step, observation=self._shown(step.observation))
        for one, told in ((self.agent, shown), (self.corrector, step)):
            if one is not None and hasattr(one, "recall"):
                one.recall(told)

    def close(self, index: int) -> tuple[Event, ...]:
        """The ends of the corrections that count although the episode is over, before step `index` was executed."""
        counting, self._counting = self._counting, []
        return tuple(
            _over(_closing(msgspec.structs.replace(c, applied=None)), index, "episode end", "discarded")
            if c.applied == index
            else _over(_closing(c), index - 1, "episode end", "committed")
            for c in counting
        )

    def end(self, outcome: Outcome) -> None:
        """Tells both that the episode is over."""
        self.agent.end(outcome)
        if self.corrector is not None:
            self.corrector.end(outcome)

    def _keep(self, events: tuple[Event, ...] | list[Event]) -> None:
        """Lets go of the corrections that `events` end."""
        over = {event.id for event in events if isinstance(event, Correction) and event.ended is not None}
        self._counting = [c for c in self._counting if c.id not in over]

    def _say_all(self) -> None:
        """The corrector's words first, then those that came through a channel."""
        for correction in sorted(self._counting, key=lambda c: number(c) is not None):
            say(self.agent, correction.text, correction.resolved)

    def _number(self, step: int) -> str:
        """The id of the next correction in a step."""
        id_ = next(id_ for n in count(1) if (id_ := f"{step}-{n}") not in self._ids)
        self._ids.add(id_)
        return id_

    def _shown(self, observation: Observation) -> Observation:
        """What the agent sees: the expert's advice goes only to a corrector that speaks for it."""
        told = any(getattr(self.corrector, what, False) for what in ("expert", "hears_expert"))
        return replace(observation, expert="") if told else observation

    async def _act(self, observation: Observation) -> Decision:
        start = time.perf_counter()
        decision: Decision = await _asked("agent", "act", self.agent.act, observation.step, self._shown(observation))
        self.seconds += time.perf_counter() - start
        return decision

    async def _understood(self, said: Correction, observation: Observation) -> Correction:
        """`said` with the action that it names. Where it names none, and the agent understands nothing else, its
        speaker is asked, once.
        """
        found = self.understanding.of(said.text, observation)
        clarify = getattr(self.corrector, "clarify", None)  # `embodied.correctors.base.Clarifies`
        if not found.action and clarify is not None and isinstance(self.agent, Follower):
            self.unfinished = [_over(said, said.opened, "episode end", "discarded")]
            question, options = self.understanding.question(said.text, found, observation)
            answer = await _asked("corrector", "clarify", clarify, said.opened, question, options)
            found = self.understanding.answered(answer, found, observation)
        return msgspec.structs.replace(said, resolved=found.action, method=found.method, score=found.score)

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
    if not any(isinstance(event, Takeover) for event in step.events):
        return True
    broken_off = any(isinstance(event, Interrupt) and event.frame is None for event in step.events)
    return broken_off or any(getattr(event, "superseded", None) is not None for event in step.events)


def _heard_in(correction: Correction, index: int) -> bool:
    """Whether the agent was told a correction for the first time in a step. A corrector's words that no decision
    followed were told, because they superseded one.
    """
    if correction.applied is None:
        return correction.superseded is not None and number(correction) is None
    return correction.applied == index


def _closing(correction: Correction) -> Correction:
    """The second record of a correction: its calls stand in the first one, and are paid for once."""
    return msgspec.structs.replace(correction, superseded=None, calls=())


def _over(correction: Correction, step: int, why: str, status: str) -> Correction:
    return msgspec.structs.replace(correction, ended=step, why=why, status=status)

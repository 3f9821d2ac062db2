"""The loop: observe, decide, act, record; until the environment or something else ends the episode."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, field, replace
from functools import partial

from msgspec import UNSET, UnsetType

from embodied.agents.base import Agent
from embodied.correctors.base import Corrector
from embodied.errors import (
    AgentFailure,
    EnvironmentFailure,
    ModelFailure,
    PromptRefused,
    RecordDiffers,
    UsageError,
)
from embodied.models.base import CONVERSATION
from embodied.rollout.assisting import Assisted
from embodied.rollout.branching import Begun, can_be_told, check_tellable, first_own
from embodied.rollout.channel import Channel, Turn
from embodied.rollout.counts import of_step
from embodied.rollout.replay import difference
from embodied.rollout.spoken import once
from embodied.rollout.understanding import Understanding
from embodied.rollout.worlds.environment import Answer, Start
from embodied.rollout.worlds.workers import Environment
from embodied.secrets import mask
from embodied.store.events import advice_in, calls_in, calls_of, cut_at
from embodied.store.run import EpisodeWriter
from embodied.types import (
    Branch,
    Call,
    Episode,
    EpisodeSpec,
    Event,
    Json,
    Mission,
    Observation,
    Outcome,
    Step,
    Usage,
)

OnStep = Callable[[EpisodeSpec, Step], None]


@dataclass
class Tally:
    """What is summed up while an episode runs."""

    begins: int = 0
    """The first step that is the episode's own. What the steps before cost is counted in the episode they are of."""
    steps: int = 0
    return_: float = 0.0
    progress: float | None = 0.0
    success: bool | None = None
    invalid: int = 0
    usage: Usage = field(default_factory=Usage)
    info: Json = field(default_factory=dict)
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    models: dict[str, None] = field(default_factory=dict)
    """Names under which the model reported itself, in order of appearance."""
    advice: Usage | UnsetType = UNSET
    """The part of `usage` that is the corrector's model's; unset where there is none."""
    branches: set[str] = field(default_factory=set)
    """Ids of the episodes that its steps say were begun."""

    def add(self, step: Step, success: bool | None) -> None:
        self.steps += 1
        self.return_ += step.reward
        self.progress = step.progress
        self.success = success
        self.invalid += not (step.valid and step.decision.parsed)
        self.info = step.info
        self.branches |= {event.episode for event in step.events if isinstance(event, Branch)}
        if step.index >= self.begins:
            self.seconds += step.agent_seconds + step.env_seconds
        self.pay(step)

    def pay(self, step: Step) -> None:
        """Counts the step's calls alone, where they are the episode's own."""
        if step.index < self.begins:
            return
        self.pay_calls(calls_of(step))
        self.pay_advice(step.events)
        for name in of_step(step):
            self.counts[name] = self.counts.get(name, 0) + 1

    def pay_anew(self, steps: Iterable[Step]) -> None:
        """Counts the calls of the whole record: if the episode failed while it was repeated, all of it is paid for."""
        self.usage, self.advice, self.counts = Usage(), UNSET, {}
        for step in steps:
            self.pay(step)

    def pay_calls(self, calls: Iterable[Call]) -> None:
        """Counts the tokens of calls."""
        for call in calls:
            self.usage = _plus(self.usage, call)
            if call.reply.model:
                self.models[call.reply.model] = None

    def pay_advice(self, events: Iterable[Event]) -> None:
        """Says of calls, which are counted already, that they are the corrector's."""
        for call in (call for event in events for call in advice_in(event)):
            self.advice = _plus(self.advice or Usage(), call)


def _plus(usage: Usage, call: Call) -> Usage:
    return Usage(*(a + b for a, b in zip(astuple(usage), astuple(call.reply.usage), strict=True)))


async def run_episode(
    spec: EpisodeSpec,
    env: Environment,
    agent: Agent,
    writer: EpisodeWriter,
    on_step: OnStep,
    stopping: asyncio.Event | None = None,
    corrector: Corrector | None = None,
    channel: Channel | None = None,
    sentences: str = "off",
    begun: Begun | None = None,
) -> Episode:
    """Plays one episode to its end and records it, continuing after the steps that `writer` holds already. It repeats
    those steps in the environment, compares every observation with the record, and tells them to the agent
    (`Agent.recall`). It does not ask a model for them. A failing model or simulator is an outcome, not an exception.

    Args:
        stopping: Once it is set, the episode ends as `cancelled` after the step in flight.
        corrector: Reviews each decision before it is executed.
        channel: What a person tells the episode; None where nobody can.
        sentences: What looks up the meaning of corrections (`corrector.sentences`).
        begun: The branches of the episode: its record names them, and it ends without a score if one rewound it.

    Returns:
        The episode as it was written.

    Raises:
        StoreError: The run folder cannot be written.
        asyncio.CancelledError: The episode was cancelled; that is recorded.
    """
    stopping = stopping or asyncio.Event()
    CONVERSATION.set(spec.id)
    tally = Tally(first_own(spec))
    assisted = Assisted(agent, corrector, understanding=Understanding(sentences))
    error: BaseException | None = None
    start: Start | None = None
    observation: Observation | None = None
    outcome: Outcome = "cancelled"
    turn: Turn | None = None
    recalled = False
    assisted.know(writer.left)
    try:
        start = await env.reset(spec.seed)
        assisted.begin(start.mission, spec)
        _check_tellable(tally.begins, assisted)
        observation, ended = await _recall(start.observation, assisted, env, writer, tally)
        recalled = True
        if channel is not None:
            channel.begin(start.mission, observation, tally.steps, assisted, writer.note)
        while not ended and not (begun and begun.rewound()) and not stopping.is_set():
            turn = await _turn(observation, assisted, channel, stopping)
            if turn is None:
                break
            step, answer = await _step(tally.steps, observation, turn, assisted, env, start.mission, channel)
            writer.append(step)
            tally.add(step, answer.success)
            if channel is not None:
                channel.played(turn, assisted, step, answer)
            observation, turn = answer.observation, None
            on_step(spec, step)
            ended = _ending(step)
            await asyncio.sleep(0)  # let other episodes and Ctrl-C in
        outcome = ended or "cancelled"
    except PromptRefused as failure:
        outcome, error = "refused", failure
    except ModelFailure as failure:
        outcome, error = "model_failure", failure
    except (EnvironmentFailure, AgentFailure) as failure:
        outcome, error = "infra_failure", failure
        tally.pay_anew(writer.recorded())
    except KeyboardInterrupt:  # out of a person's agent
        stopping.set()
    except asyncio.CancelledError as failure:
        error = failure
    at = tally.steps if recalled else _skipped(assisted, channel, writer)
    events = (*writer.left, *_unrecorded(at, turn, assisted, channel))
    if begun is not None and not isinstance(error, asyncio.CancelledError):
        if back := begun.rewound():
            outcome, error = "cancelled", back
        told = tally.branches | {event.episode for event in events if isinstance(event, Branch)}
        events += tuple(event for event in begun.events() if event.episode not in told)
    assisted.end(outcome)
    tally.pay_calls(call for event in events for call in calls_in(event))
    tally.pay_advice(events)
    episode = _episode(spec, outcome, tally, start, observation, error)
    episode = replace(episode, events=events)
    writer.finish(episode)
    if isinstance(error, asyncio.CancelledError):
        raise error
    return episode


def _skipped(assisted: Assisted, channel: Channel | None, writer: EpisodeWriter) -> int:
    """The number of recorded steps, where they could not be repeated to their end. What they leave in force ends with
    them, and what was said to this attempt gets ids that they do not have.
    """
    steps = list(writer.recorded())
    assisted.skip(steps)
    if channel is not None:
        channel.control.begin(len(steps), assisted.commands)
    return len(steps)


def _unrecorded(index: int, turn: Turn | None, assisted: Assisted, channel: Channel | None) -> tuple[Event, ...]:
    """What was said and stands in no step, because the episode was over before the step was executed."""
    said: tuple[Event, ...] = ()
    if channel is not None:
        channel.close()
        said = channel.events(index)
    return once((*said, *assisted.unfinished, *(turn.events if turn is not None else ()), *assisted.close(index)))


def _episode(
    spec: EpisodeSpec,
    outcome: Outcome,
    tally: Tally,
    start: Start | None,
    last: Observation | None,
    error: BaseException | None,
) -> Episode:
    scored = outcome in ("finished", "limit")
    return Episode(
        spec=spec,
        outcome=outcome,
        steps=tally.steps,
        progress=tally.progress if scored else None,
        success=tally.success if scored else None,
        return_=tally.return_,
        invalid_actions=tally.invalid,
        usage=tally.usage,
        seconds=tally.seconds,
        metrics={
            name: value
            for name, value in tally.info.get("metrics", {}).items()
            if isinstance(value, int | float) and math.isfinite(value)
        },
        error=mask(str(error or "")),
        error_kind=type(error).__name__ if error else "",
        end_reason=error.why if isinstance(error, PromptRefused) else tally.info.get("end_reason", ""),
        first_hash=start.hash if start else "",
        last=last,
        mission=start.mission if start else None,
        info=start.info if start else {},
        counts=tally.counts,
        models=tuple(tally.models),
        advice=tally.advice,
    )


def _check_tellable(begins: int, assisted: Assisted) -> None:
    """Raises `AgentFailure` where the agent of a branch cannot be told what it repeats."""
    try:
        check_tellable(can_be_told(assisted.agent, assisted.corrector), begins)
    except UsageError as error:
        raise AgentFailure(str(error)) from None


async def _recall(
    observation: Observation, assisted: Assisted, env: Environment, writer: EpisodeWriter, tally: Tally
) -> tuple[Observation, Outcome | None]:
    """Repeats what is recorded. Returns the observation to continue from, and the outcome if the last recorded step
    ended the episode.

    Raises:
        EnvironmentFailure: The environment's answers now differ from the record.
    """
    ended = None
    for step in writer.recorded():
        if step.index == 0 and (observation.text, observation.status) != (
            step.observation.text,
            step.observation.status,
        ):
            raise RecordDiffers(
                "The episode cannot be resumed: its reset now gives another observation than the record has. Was a"
                " simulator updated?"
            )
        answer = await env.step(step.executed, cut_at(step))
        if what := difference(step, answer):
            raise RecordDiffers(
                f"The episode cannot be resumed: repeating step {step.index} gave another {what}. Was a simulator"
                " updated?"
            )
        assisted.recall(step)
        tally.add(step, answer.success)
        observation, ended = replace(answer.observation, valid=step.valid), _ending(step)
    if tally.steps < tally.begins:
        raise RecordDiffers(
            f"The branch cannot go on: of the {tally.begins} steps that it repeats, {tally.steps} are recorded. Restore"
            " the folder of its parent from a copy."
        )
    return observation, ended


def _ending(step: Step) -> Outcome | None:
    return "finished" if step.terminated else "limit" if step.truncated else None


async def _turn(
    observation: Observation, assisted: Assisted, channel: Channel | None, stopping: asyncio.Event
) -> Turn | None:
    """The next decision; None where the channel says that the episode ends."""
    if channel is not None:
        return await channel.turn(observation, assisted, stopping)
    return Turn(*await assisted.decide(observation))


async def _step(
    index: int,
    observation: Observation,
    turn: Turn,
    assisted: Assisted,
    env: Environment,
    mission: Mission,
    channel: Channel | None,
) -> tuple[Step, Answer]:
    decision = turn.decision
    execute = env.step if channel is None else partial(channel.step, env)
    if decision.parsed:
        answer = await execute(decision.action)
    else:  # an unreadable reply is never executed, not even if any text is an action
        answer = await execute(mission.default_action)
        answer = replace(answer, valid=False, observation=replace(answer.observation, valid=False))
    events = assisted.executed(index, answer, turn.events)
    if channel is not None and channel.control.receipts:
        events = once((*channel.events(index, turn, answer), *events))
    step = Step(
        index=index,
        observation=observation,
        decision=decision,
        executed=answer.executed,
        valid=answer.valid,
        reward=answer.reward,
        terminated=answer.terminated,
        truncated=answer.truncated,
        progress=answer.progress,
        info=answer.info,
        next_hash=answer.hash,
        agent_seconds=0.0 if turn.person else assisted.seconds,
        env_seconds=answer.seconds,
        events=events,
    )
    return step, answer

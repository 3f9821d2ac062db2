"""The loop: observe, decide, act, record; until the environment or something else ends the episode."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from embodied.agents.base import Agent
from embodied.errors import AgentFailure, EmbodiedError, EnvironmentFailure, ModelFailure
from embodied.rollout.environment import Answer, LocalEnvironment
from embodied.seeding import generator
from embodied.store.run import EpisodeWriter
from embodied.types import Episode, EpisodeSpec, Json, Mission, Observation, Outcome, Step, Usage

OnStep = Callable[[EpisodeSpec, Step], None]


@dataclass
class Tally:
    """What is summed up while an episode runs."""

    steps: int = 0
    return_: float = 0.0
    progress: float = 0.0
    success: bool | None = None
    invalid: int = 0
    usage: Usage = field(default_factory=Usage)
    info: Json = field(default_factory=dict)

    def add(self, step: Step, answer: Answer) -> None:
        self.steps += 1
        self.return_ += step.reward
        self.progress = step.progress
        self.success = answer.success
        self.invalid += not (step.valid and step.decision.parsed)
        self.info = step.info
        for call in step.decision.calls:
            u, v = self.usage, call.reply.usage
            self.usage = Usage(u.input + v.input, u.output + v.output, u.reasoning + v.reasoning, u.cached + v.cached)


async def run_episode(spec: EpisodeSpec, env: LocalEnvironment, agent: Agent, writer: EpisodeWriter, on_step: OnStep) -> Episode:
    """Plays one episode to its end and records it.

    A failing model or simulator is an outcome, not an exception. Cancellation (Ctrl-C) is recorded and passed on.

    Returns:
        The episode as it was written.

    Raises:
        StoreError: The run folder cannot be written.
        asyncio.CancelledError, KeyboardInterrupt: The episode was cancelled.
    """
    start = time.perf_counter()
    tally = Tally()
    error: BaseException | None = None
    observation: Observation | None = None
    mission: Mission | None = None
    first_hash, reset_info = "", {}
    outcome: Outcome = "cancelled"
    try:
        observation, first_hash, mission, reset_info = env.reset(spec.seed)
        agent.begin(mission, generator(spec.agent_seed))
        while outcome == "cancelled":
            step, answer = await _step(tally.steps, observation, agent, env, mission)
            writer.append(step)
            tally.add(step, answer)
            observation = answer.observation
            on_step(spec, step)
            if answer.terminated or answer.truncated:
                outcome = "finished" if answer.terminated else "limit"
            await asyncio.sleep(0)  # let other episodes and Ctrl-C in
    except ModelFailure as failure:
        outcome, error = "model_failure", failure
    except (EnvironmentFailure, AgentFailure) as failure:
        outcome, error = "infra_failure", failure
    except (asyncio.CancelledError, KeyboardInterrupt) as failure:
        error = failure
    finally:
        writer.close()
    agent.end(outcome)
    scored = outcome in ("finished", "limit")
    episode = Episode(
        spec=spec,
        outcome=outcome,
        steps=tally.steps,
        progress=tally.progress if scored else None,
        success=tally.success if scored else None,
        return_=tally.return_,
        invalid_actions=tally.invalid,
        usage=tally.usage,
        seconds=time.perf_counter() - start,
        metrics=tally.info.get("metrics", {}),
        error=str(error or ""),
        error_kind=type(error).__name__ if error else "",
        end_reason=tally.info.get("end_reason", ""),
        first_hash=first_hash,
        last=observation,
        mission=mission,
        info=reset_info,
    )
    writer.finish(episode)
    if outcome == "cancelled":
        raise error
    return episode


async def _step(index: int, observation: Observation, agent: Agent, env: LocalEnvironment, mission: Mission) -> tuple[Step, Answer]:
    start = time.perf_counter()
    try:
        decision = await agent.act(observation)
    except EmbodiedError:
        raise
    except Exception as error:
        raise AgentFailure(f"The agent failed in step {index}: {type(error).__name__}: {error}") from error
    seconds = time.perf_counter() - start
    if decision.parsed:
        answer = env.step(decision.action)
    else:  # what could not be read is never executed, not even where any text is an action
        answer = env.step(mission.default_action)
        answer = replace(answer, valid=False, observation=replace(answer.observation, valid=False))
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
        agent_seconds=seconds,
        env_seconds=answer.seconds,
    )
    return step, answer

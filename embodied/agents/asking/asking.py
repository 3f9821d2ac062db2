"""`agent.asks`: an agent around one that asks a model. Its decision says by a note that it wants help."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from typing import TYPE_CHECKING

from embodied.agents.asking.calibration import PART, Calibration, chosen, load, shares
from embodied.agents.notes import HELP
from embodied.agents.vocabulary import present
from embodied.errors import UsageError
from embodied.models.base import Layer, choices_of
from embodied.seeding import derive, generator
from embodied.types import Call, Decision, Message, Mission, Note, Observation, Outcome, Reply, Settings, Step, Usage

if TYPE_CHECKING:
    import numpy as np

    from embodied.agents import Kit
    from embodied.agents.base import Agent
    from embodied.models.base import Model

_SHOWN = 6
"""Actions that a note names."""


def asks(decision: Decision) -> bool:
    """Whether the agent wants help with a decision."""
    return any(note.kind == HELP for note in decision.notes)


class Asking:
    """Asks where its set is not a single action; with `agent.asks=random`, the control, at random at the same rate. A
    decision without probabilities asks, too.
    """

    def __init__(self, agent: Agent, kit: Kit):
        if PART not in kit.parts:
            raise UsageError(
                f"agent.asks={kit.config.asks} needs an agent's folder with a calibration. `embodied calibrate RUN"
                " --risk 0.1 --out FOLDER` makes one."
            )
        self._agent = agent
        self._limits: Calibration = load(kit.parts[PART])
        if self._limits.samples != kit.config.samples:
            raise UsageError(
                f"The agent was calibrated with agent.samples={self._limits.samples}, not {kit.config.samples}."
            )
        self._random = kit.config.asks == "random"
        self._seed = kit.spec.agent_seed if kit.spec is not None else 0

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        self._mission = mission
        self._agent.begin(mission, rng)

    async def act(self, observation: Observation) -> Decision:
        decision = await self._agent.act(observation)
        why = self._why(decision, observation)
        return replace(decision, notes=(*decision.notes, Note(HELP, why))) if why else decision

    def _why(self, decision: Decision, observation: Observation) -> str:
        """Why it asks, in a sentence; empty where it does not."""
        if self._random:
            drawn = generator(derive(self._seed, "asks", observation.step)).random() < self._limits.rate
            return "Asks at random." if drawn else ""
        found = shares(decision)
        if found is None:
            return "The model gave no probabilities."
        kept = chosen(found, self._limits.threshold, tuple(present(self._mission, observation).actions))
        if len(kept) == 1:
            return ""
        more = ", ..." if len(kept) > _SHOWN else ""
        named = f": {', '.join(kept[:_SHOWN])}{more}" if kept else ""
        return f"The set holds {len(kept) or 'no'} action{'' if len(kept) == 1 else 's'}{named}."

    def hear(self, correction: str) -> None:
        self._agent.hear(correction)

    def recall(self, step: Step) -> None:
        self._agent.recall(step)

    def unfinished(self) -> tuple[Call, ...]:
        """The model calls of a decision that was interrupted."""
        calls: Callable[[], tuple[Call, ...]] = getattr(self._agent, "unfinished", tuple)
        return calls()

    def end(self, outcome: Outcome) -> None:
        self._agent.end(outcome)


class Sampled(Layer):
    """A model that is asked several times for each answer: the most frequent one counts, and the shares stand in
    `Reply.weighed`. Its tokens are those of all calls.

    Args:
        model: Is asked.
        samples: How often.
        choices_only: Ask once where a call does not name the answers that it allows: it is for a thought.
    """

    def __init__(self, model: Model, samples: int, choices_only: bool = False):
        super().__init__(model)
        self._samples, self._choices_only = samples, choices_only

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        if self._choices_only and not choices_of(settings):
            return await self._model.generate(messages, settings)
        seeds = [settings.seed if n == 0 or settings.seed is None else derive(settings.seed, "sample", n, bits=31)
                 for n in range(self._samples)]  # fmt: skip
        replies = await asyncio.gather(
            *(self._model.generate(messages, replace(settings, seed=seed)) for seed in seeds)
        )
        counted = Counter(reply.text.strip() for reply in replies)
        text, _ = counted.most_common(1)[0]
        first = next(reply for reply in replies if reply.text.strip() == text)
        usage = Usage(*map(sum, zip(*(astuple(reply.usage) for reply in replies), strict=True)))
        weighed = {answer: round(math.log(n / len(replies)), 4) for answer, n in counted.most_common()}
        return replace(first, usage=usage, weighed=weighed, seconds=max(reply.seconds for reply in replies))

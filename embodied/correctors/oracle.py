"""oracle: speaks for the environment's own expert when the agent decides otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodied.agents.random import draw
from embodied.agents.vocabulary import fold
from embodied.seeding import derive, generator
from embodied.types import Correction, Decision, Mission, Observation, Outcome, Step

if TYPE_CHECKING:
    import numpy as np

    from embodied.correctors import Kit

WORDINGS = (
    "{advice}",
    "No, {advice}",
    "Do this instead: {advice}",
    "You should do this now: {advice}",
    "Please do this: {advice}",
    "Better: {advice}",
)
"""The same advice in several wordings, each understood by `embodied.agents.resolving`."""
_TRIES = 20
"""Draws of a wrong action before the oracle gives up and is right."""


class Oracle:
    """Compares each decision with `observation.expert` and says the expert's action where they differ.

    Each chance (silence, error, wording) is drawn by the number of the step alone.
    """

    expert = True

    def __init__(self, kit: Kit):
        self.config = kit.config

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        self._mission = mission
        self._seed = int(rng.integers(2**63))
        self._thought: dict[int, str] = {}
        self._said = ""

    async def review(self, observation: Observation, decision: Decision) -> Correction | None:
        self._said = advice = self._advice(observation, decision)
        if not advice:
            return None
        wording = WORDINGS[self._chance("wording", observation.step, self.config.wordings)]
        return Correction(
            text=wording.format_map({"advice": advice}), how="oracle", by="oracle", lasts=self.config.lasts
        )

    async def clarify(self, question: str, options: tuple[str, ...]) -> str | None:
        return self._said

    def recall(self, step: Step) -> None:
        corrected = (e for e in step.events if isinstance(e, Correction) and e.opened == step.index)
        decided = next((e.superseded for e in corrected if e.superseded is not None), step.decision)
        self._advice(step.observation, decided)

    def end(self, outcome: Outcome) -> None:
        """Nothing to do."""

    def _advice(self, observation: Observation, decision: Decision) -> str:
        """What it says in this step; empty for silence. What it thinks now is said `delay` steps later."""
        step = observation.step
        self._thought[step] = self._thinks(observation, decision)
        return self._thought.pop(step - self.config.delay, "")

    def _thinks(self, observation: Observation, decision: Decision) -> str:
        advice, step = observation.expert, observation.step
        if not advice or (decision.parsed and fold(decision.action) == fold(advice)):
            return ""
        if self._share("silence", step) < self.config.silence:
            return ""
        wrong = self._share("wrong", step) < self.config.wrong
        return self._wrong(observation, decision.action if decision.parsed else "") if wrong else advice

    def _wrong(self, observation: Observation, own: str) -> str:
        """An action that is neither the expert's nor the agent's `own`. Where no such action was found, the agent's
        own; where nothing but the expert's was found, that.
        """
        rng = generator(derive(self._seed, "another", observation.step))
        expert = observation.expert
        found = [a for _ in range(_TRIES) if fold(a := draw(rng, self._mission, observation)) != fold(expert)]
        return next((a for a in found if fold(a) != fold(own)), found[0] if found else expert)

    def _share(self, what: str, step: int) -> float:
        return float(generator(derive(self._seed, what, step)).random())

    def _chance(self, what: str, step: int, among: int) -> int:
        return int(generator(derive(self._seed, what, step)).integers(among))

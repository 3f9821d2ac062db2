"""MyCorrector: speaks to an agent that repeats what changed nothing."""

from embodied.agents.vocabulary import present
from embodied.types import Correction


class MyCorrector:
    """Names another action where the last one left the observation as it was. One instance corrects one episode."""

    def __init__(self, kit):
        self._lasts = kit.config.lasts

    def begin(self, mission, rng):
        """The episode begins. Draw chance from `rng` here alone, and later by the number of the step."""
        self._mission = mission
        self._before = ""

    async def review(self, observation, decision):
        """Judges a decision before it is executed. None is silence."""
        same, self._before = observation.text == self._before, observation.text
        others = [a for a in present(self._mission, observation).actions if a != decision.action]
        if not (same and others and decision.action == observation.executed):
            return None
        words = f"Do this instead: {others[observation.step % len(others)]}"
        return Correction(text=words, how="critic", by="my_corrector", lasts=self._lasts)

    def recall(self, step):
        """A step that was played before the run was interrupted."""
        self._before = step.observation.text

    def end(self, outcome):
        """The episode is over."""

"""MyAgent: asks a model for the next action, and shows it only the present observation."""

from dataclasses import replace

from embodied.agents import Kit
from embodied.agents.prompt import instruction, message
from embodied.errors import UsageError
from embodied.types import Call, Decision


class MyAgent:
    """Takes the first phrase of the vocabulary that stands in the reply. One instance plays one episode."""

    needs_model = True  # False for an agent that asks no model

    def __init__(self, kit: Kit):
        if kit.model is None:
            raise UsageError("MyAgent asks a model: add --model provider/name.")
        self._model, self._settings = kit.model, kit.settings

    def begin(self, mission, rng):
        """The episode begins. `rng` is the only source of chance."""
        self._mission = mission
        self._seed = int(rng.integers(2**31))

    async def act(self, observation):
        """One decision. Each step has its own seed, so a resumed episode continues exactly as without interruption."""
        asked = f"{observation.text}\n{observation.status}\nAnswer with one action.".replace("\n\n", "\n")
        prompt = (message("system", instruction(self._mission)), message("user", asked))
        reply = await self._model.generate(prompt, replace(self._settings, seed=self._seed + observation.step))
        said = reply.text.casefold()
        found = sorted((said.find(a.casefold()), -len(a), a) for a in self._mission.actions if a.casefold() in said)
        action = found[0][2] if found else reply.text[:100]
        return Decision(action, parsed=bool(found), calls=(Call(prompt, reply),))

    def recall(self, step):
        """A step that was played before the run was interrupted. There is nothing to remember."""

    def hear(self, correction):
        """A person's correction in words. This agent does not listen."""

    def end(self, outcome):
        """The episode is over."""

"""What the words of a correction are understood as, and how an agent is told."""

from __future__ import annotations

from dataclasses import replace

from embodied.agents.base import Agent, Follower
from embodied.agents.nearest import Nearest
from embodied.agents.resolving import Resolution, resolve
from embodied.agents.vocabulary import Commands, Vocabulary, accepted, present
from embodied.errors import AgentFailure
from embodied.store.amendments import Amended
from embodied.terminal import line
from embodied.types import Episode, Mission, Observation, Takeover

_SHOWN = 120
"""Characters of a correction that a question repeats."""


class Understanding:
    """Finds the actions that corrections name in one episode.

    Args:
        sentences: As `corrector.sentences`: what looks up meanings.
    """

    def __init__(self, sentences: str = "off") -> None:
        self._meaning = None if sentences == "off" else Nearest(sentences)
        self._mission = Mission("")

    def begin(self, mission: Mission) -> None:
        """Takes in what the environment accepts where an observation names no actions of its own."""
        self._mission = mission

    def of(self, words: str, observation: Observation) -> Resolution:
        """The action that `words` name."""
        return resolve(words, self._accepted(observation), self._meaning)

    def question(self, words: str, found: Resolution, observation: Observation) -> tuple[str, tuple[str, ...]]:
        """What a speaker is asked whose words name no action or several, and the actions to choose from."""
        said = line(words.strip())
        said = said if len(said) <= _SHOWN else f"{said[:_SHOWN]}..."
        there = tuple(present(self._mission, observation).actions)
        options = tuple(action for action in found.several if action in there) or there
        return f'Which action does "{said}" mean?', options

    def answered(self, answer: object, before: Resolution, observation: Observation) -> Resolution:
        """What the words are understood as once their speaker was asked.

        Raises:
            AgentFailure: The answer is not a text.
        """
        if answer is None:
            return before
        if not isinstance(answer, str):
            raise AgentFailure(f"The corrector's `clarify` must give a text or None, not {answer!r}.")
        accepts = self._accepted(observation)
        found = resolve(answer, accepts)
        if not found.action and isinstance(accepts, Commands):
            found = Resolution(accepts.exact(answer) or "", score=1.0)
        return replace(found, method="asked") if found.action else before

    def _accepted(self, observation: Observation) -> Vocabulary | Commands:
        return accepted(present(self._mission, observation))


def say(agent: Agent, text: str, resolved: str) -> None:
    """Tells an agent a correction: its words, or for a `Follower` the action that they name, where they name one."""
    if resolved and isinstance(agent, Follower):
        agent.follow(resolved)
    else:
        agent.hear(text)


def wanted(of: Amended, episode: Episode) -> str:
    """The action that the words of a recorded correction name as they are now, or the one that the person took."""
    if isinstance(of.event, Takeover):
        return of.event.action
    if of.event.resolved and not of.edited:
        return of.event.resolved
    if episode.mission is None:
        return ""
    at = of.step.observation if of.step is not None else Observation("")
    return resolve(of.text, accepted(present(episode.mission, at))).action
